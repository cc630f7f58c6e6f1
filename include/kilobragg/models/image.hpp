// One frame's pixels with their layout on the detector and the static mask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

namespace kilobragg::models {

/// Where a panel's pixels lie in the frame's buffer: pixel (x, y) is at offset + y * stride + x.
struct PanelWindow {
  std::size_t offset = 0, stride = 0;
  int width = 0, height = 0;
};

/// Shared by all frames of a data set.
struct ImageLayout {
  std::vector<PanelWindow> panels; ///< in detector order
  std::size_t size = 0;            ///< pixels in the buffer
};

/// Static mask, indexed like the pixels: 1 = usable. Empty = all usable.
using PixelMask = std::vector<std::uint8_t>;

/// Pixel values in one of three kinds. u8 is widened to u16; i8 and i16 to i32; u32 goes to i32 with
/// values beyond 2^31-1 saturated, which every trusted range excludes; floats stay floats.
using PixelBuffer =
    std::variant<std::vector<std::uint16_t>, std::vector<std::int32_t>, std::vector<float>>;

struct Image {
  PixelBuffer pixels;
  std::shared_ptr<const ImageLayout> layout;
  std::shared_ptr<const PixelMask> mask; ///< null = all usable

  /// Value of one pixel as double; for code off the hot path.
  double value(std::size_t index) const {
    return std::visit([index](const auto& v) { return static_cast<double>(v[index]); }, pixels);
  }
  bool usable(std::size_t index) const { return !mask || mask->empty() || (*mask)[index] != 0; }
};

} // namespace kilobragg::models
