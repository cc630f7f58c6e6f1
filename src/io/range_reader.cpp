// pread on files that stay open.
#include "range_reader.hpp"

#include "kilobragg/core/error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kilobragg::io {
namespace {

/// Files open at once; runs can have thousands.
constexpr std::size_t most_open = 32;

} // namespace

RangeReader::~RangeReader() {
  for (const auto& [path, file] : open_) ::close(file);
}

int RangeReader::descriptor(const std::string& path) {
  const auto known = open_.find(path);
  if (known != open_.end()) return known->second;
  if (open_.size() >= most_open) {
    for (const auto& [name, file] : open_) ::close(file);
    open_.clear();
  }
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) core::fail("cannot open {} ({})", path, std::strerror(errno));
  return open_.emplace(path, file).first->second;
}

void RangeReader::read(const FileRange& range, std::span<std::byte> out) {
  const int file = descriptor(range.path);
  for (std::size_t done = 0; done < out.size();) {
    const ssize_t n = ::pread(file, out.data() + done, out.size() - done,
                              static_cast<off_t>(range.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      core::fail("cannot read {} at byte {} ({})", range.path, range.offset + done,
                 std::strerror(errno));
    if (n == 0)
      core::fail("{} ends at byte {} (bytes up to {} were wanted) is the file complete?",
                 range.path, range.offset + done, range.offset + range.length);
    done += static_cast<std::size_t>(n);
  }
}

const FileRange& RangeTrail::next() {
  core::require(!known.empty(), "the index knows too few places (the file is another one now)");
  const FileRange& range = known.front();
  known = known.subspan(1);
  return range;
}

} // namespace kilobragg::io
