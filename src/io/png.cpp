// PNG writing through libpng's simplified interface.
#include "kilobragg/io/png.hpp"

#include "kilobragg/core/error.hpp"

#include <png.h>

#include <map>
#include <optional>

namespace kilobragg::io {
namespace {

void check(const Picture& picture) {
  core::require(picture.rgb.size() == std::size_t(3) * picture.width * picture.height &&
                    !picture.rgb.empty(),
                "picture of {} x {} pixels holds {} bytes", picture.width, picture.height,
                picture.rgb.size());
}

png_image header(const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  return image;
}

/// Numbers of colours instead of colours.
struct Indexed {
  std::vector<std::uint8_t> palette; ///< three bytes per colour
  std::vector<std::uint8_t> pixels;
};

/// None if there are more colours than one byte can number.
std::optional<Indexed> indexed(const Picture& picture) {
  Indexed result;
  result.pixels.reserve(picture.rgb.size() / 3);
  std::map<std::uint32_t, std::uint8_t> numbers;
  for (std::size_t i = 0; i < picture.rgb.size(); i += 3) {
    const auto* rgb = picture.rgb.data() + i;
    const auto colour = std::uint32_t(rgb[0]) << 16 | std::uint32_t(rgb[1]) << 8 | rgb[2];
    const auto [it, is_new] =
        numbers.try_emplace(colour, static_cast<std::uint8_t>(numbers.size()));
    if (is_new && numbers.size() > 256) return std::nullopt;
    if (is_new) result.palette.insert(result.palette.end(), rgb, rgb + 3);
    result.pixels.push_back(it->second);
  }
  return result;
}

std::string to_memory(png_image image, const void* pixels, const void* palette) {
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  const int written = png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels, 0, palette);
  core::require(written != 0, "cannot encode a picture ({})", image.message);
  bytes.resize(size);
  return bytes;
}

} // namespace

std::string encode_png(const Picture& picture) {
  check(picture);
  png_image image = header(picture);
  const auto small = indexed(picture);
  if (!small) return to_memory(image, picture.rgb.data(), nullptr);
  image.format = PNG_FORMAT_RGB_COLORMAP;
  image.colormap_entries = static_cast<png_uint_32>(small->palette.size() / 3);
  return to_memory(image, small->pixels.data(), small->palette.data());
}

void write_png(const Picture& picture, const std::string& path) {
  check(picture);
  png_image image = header(picture);
  const int written =
      png_image_write_to_file(&image, path.c_str(), 0, picture.rgb.data(), 0, nullptr);
  core::require(written != 0, "cannot write '{}' ({})", path, image.message);
}

} // namespace kilobragg::io
