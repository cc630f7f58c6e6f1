// PNG files of 8-bit RGB pictures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Rows from top to bottom, three bytes (red, green, blue) per pixel.
struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
};

/// The bytes of a PNG file. Pictures of at most 256 colours get a palette, which makes them small.
std::string encode_png(const Picture& picture);

/// Throws core::Error naming the file when it cannot be written in full.
void write_png(const Picture& picture, const std::string& path);

} // namespace kilobragg::io
