// Which pixels belong to a reflection: its box, and the foreground within it.
#pragma once

#include "kernels/integration/kabsch_frame.hpp"

#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/reflections.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace kilobragg::integration {

/// Foreground flags (0 or 1) over `box`, row by row.
struct ForegroundMask {
  models::PixelBox box;
  std::vector<std::uint8_t> inside;
  const std::uint8_t* row(int y) const {
    return inside.data() +
           static_cast<std::size_t>(y - box.y0) * static_cast<std::size_t>(box.width());
  }
};

/// Marks pixels about predicted rays on one panel. Owns scratch; not shared between threads.
class BoxGeometry {
public:
  /// `radius` (rad) of the foreground, `half_width` (rad) of the box.
  BoxGeometry(const models::Panel& panel, double radius, double half_width);

  /// The pixels that hold a square of half_width about the ray; none where it misses the plane.
  std::optional<models::PixelBox> box(const KabschFrame& frame) const;

  /// Pixels of which any corner is within the radius of the ray; `mask.box` becomes a box about them.
  /// False where the ray grazes the panel so that they cannot be told.
  bool foreground(const KabschFrame& frame, ForegroundMask& mask);

private:
  std::optional<models::PixelBox> square(const KabschFrame& frame, double half_width) const;
  void mark_corners(const KabschFrame& frame, const models::PixelBox& box);

  const models::Panel& panel_;
  Mat3 inverse_d_;
  double radius_, half_width_;
  std::vector<std::uint8_t> corners_; ///< rows of corner_stride_
  std::size_t corner_stride_ = 0;
};

} // namespace kilobragg::integration
