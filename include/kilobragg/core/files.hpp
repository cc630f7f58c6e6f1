// Whole files: read at once; written to a temporary beside and renamed, so that none is ever half.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::core {

/// The bytes of a file. Throws core::Error naming it and why it cannot be read.
std::vector<std::byte> read_file(const std::string& path);
std::string read_text_file(const std::string& path);

/// A file that appears under its name only when whole: bytes go to "<path>.part<pid>", commit()
/// renames. Without commit() the temporary is removed. Every failure (disk full, no such folder,
/// no permission) throws core::Error naming the file.
class AtomicFile {
public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Writes what is buffered and renames. Nothing may be written afterwards.
  void commit();

private:
  void flush();
  std::string path_, temporary_;
  int file_ = -1;
  std::vector<std::byte> buffer_;
};

/// AtomicFile in one call.
void write_file(const std::string& path, std::span<const std::byte> bytes);
void write_file(const std::string& path, std::string_view text);

/// Paths that match a shell pattern, sorted; none where nothing does.
std::vector<std::string> matching_paths(const std::string& pattern);

/// write(2) until all bytes are out, repeated after signals; false with errno set on failure.
bool write_fully(int file, std::span<const std::byte> bytes);

} // namespace kilobragg::core
