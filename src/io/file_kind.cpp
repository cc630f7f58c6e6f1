// Looks at the first bytes of a file.
#include "file_kind.hpp"

#include "kilobragg/core/error.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace kilobragg::io {
namespace {

/// HDF5's signature stands at byte 0 or, after a user block, at 512, 1024, ...
bool has_hdf5_signature(std::ifstream& file) {
  constexpr std::string_view signature("\x89HDF\r\n\x1a\n", 8);
  constexpr std::streamoff farthest = 1 << 20;
  for (std::streamoff at = 0; at <= farthest; at = at == 0 ? 512 : 2 * at) {
    char bytes[8] = {};
    file.clear();
    if (!file.seekg(at) || !file.read(bytes, 8)) return false;
    if (std::string_view(bytes, 8) == signature) return true;
  }
  return false;
}

} // namespace

FileKind file_kind(const std::string& path) {
  std::error_code ignored;
  core::require(!std::filesystem::is_directory(path, ignored),
                "{} is a folder (files are wanted) a pattern such as {}/*.h5?", path, path);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  core::require(file.good(), "cannot open {} ({}) is the path right and readable?", path,
                std::strerror(errno ? errno : EIO));
  std::string head(4096, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  core::require(!head.empty(), "{} is empty (no bytes at all) was it written completely?", path);
  if (has_hdf5_signature(file)) return FileKind::hdf5;
  if (head.rfind("###CBF", 0) == 0 || head.find("_array_data.") != std::string::npos)
    return FileKind::cbf;
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  return first != std::string::npos && head[first] == '{' ? FileKind::experiments
                                                          : FileKind::unknown;
}

} // namespace kilobragg::io
