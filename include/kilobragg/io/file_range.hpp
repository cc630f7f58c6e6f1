// A stretch of bytes in a file: where a chunk, or a whole small image, lies on disk.
#pragma once

#include <cstdint>
#include <string>

namespace kilobragg::io {

/// Bytes offset .. offset + length of the file at `path`.
struct FileRange {
  std::string path;
  std::uint64_t offset = 0, length = 0;
};

} // namespace kilobragg::io
