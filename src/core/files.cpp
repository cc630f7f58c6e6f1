// Reading whole files, and writing them so that no reader ever sees half of one.
#include "kilobragg/core/files.hpp"

#include "kilobragg/core/error.hpp"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace kilobragg::core {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 20;

std::string reason(int error) { return std::strerror(error); }

/// Closes a descriptor at the end of a scope.
struct Descriptor {
  int number;
  explicit Descriptor(int file)
      : number(file) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

/// Fills `bytes`, whose resize(n) and data() are those of a vector or string.
template <typename Bytes>
Bytes read_all(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require(file.number >= 0, "cannot open {} ({})", path, reason(errno));
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail("cannot read {} ({})", path, reason(errno));
  require(!S_ISDIR(status.st_mode), "cannot read {} (it is a folder)", path);
  Bytes bytes;
  bytes.resize(static_cast<std::size_t>(status.st_size) + 1); // one more tells the end of the file
  std::size_t filled = 0;
  while (true) {
    const ssize_t n = ::read(file.number, bytes.data() + filled, bytes.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    require(n >= 0, "cannot read {} ({})", path, reason(errno));
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
    if (filled == bytes.size()) bytes.resize(2 * bytes.size()); // a pipe, or a file that grows
  }
  bytes.resize(filled);
  return bytes;
}

} // namespace

std::vector<std::byte> read_file(const std::string& path) {
  return read_all<std::vector<std::byte>>(path);
}
std::string read_text_file(const std::string& path) { return read_all<std::string>(path); }

std::vector<std::string> matching_paths(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return paths;
}

bool write_fully(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path))
    , temporary_(fmt::format("{}.part{}", path_, ::getpid())) {
  // A device such as /dev/full or /dev/null is written in place: there is nothing to rename.
  struct stat status {};
  const bool in_place = ::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  if (in_place) temporary_ = path_;
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  require(file_ >= 0, "cannot write {} ({})", path_, reason(errno));
  buffer_.reserve(buffer_size);
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::close(file_);
  if (temporary_ != path_) ::unlink(temporary_.c_str());
}

void AtomicFile::flush() {
  if (!write_fully(file_, buffer_)) fail("cannot write {} ({})", path_, reason(errno));
  buffer_.clear();
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > buffer_size) flush();
  if (bytes.size() <= buffer_size)
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  else if (!write_fully(file_, bytes))
    fail("cannot write {} ({})", path_, reason(errno));
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::commit() {
  flush();
  // Network file systems report a full disk at close.
  const int closed = ::close(std::exchange(file_, -1));
  const int error = errno;
  if (temporary_ == path_) {
    require(closed == 0, "cannot write {} ({})", path_, reason(error));
    return;
  }
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int why = closed != 0 ? error : errno;
    ::unlink(temporary_.c_str());
    fail("cannot write {} ({})", path_, reason(why));
  }
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_file(const std::string& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

} // namespace kilobragg::core
