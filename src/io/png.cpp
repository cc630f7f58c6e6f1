// PNG writing through libpng's simplified interface.
#include "kilobragg/io/png.hpp"

#include "kilobragg/core/error.hpp"

#include <png.h>

namespace kilobragg::io {

void write_png(const Picture& picture, const std::string& path) {
  core::require(picture.rgb.size() == std::size_t(3) * picture.width * picture.height &&
                    !picture.rgb.empty(),
                "picture of {} x {} pixels holds {} bytes", picture.width, picture.height,
                picture.rgb.size());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  const int written =
      png_image_write_to_file(&image, path.c_str(), 0, picture.rgb.data(), 0, nullptr);
  core::require(written != 0, "cannot write '{}' ({})", path, image.message);
}

} // namespace kilobragg::io
