// Record logs: framing, checksums, torn ends.
#include "kilobragg/core/record_log.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/hash.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace kilobragg::core {
namespace {

constexpr std::array<char, 8> magic{'K', 'B', 'R', 'E', 'C', 'L', 'G', '1'};

/// Stands before each payload, little-endian. `crc` covers length, type and payload.
struct FrameHeader {
  std::uint32_t length, type, crc;
};
static_assert(sizeof(FrameHeader) == 12);

std::uint32_t checksum(const FrameHeader& header, std::span<const std::byte> payload) {
  return crc32c(payload, crc32c(std::as_bytes(std::span(&header, 1)).first(8)));
}

FrameHeader header_of(std::uint32_t type, std::span<const std::byte> payload,
                      const std::string& path) {
  require(payload.size() <= 0x7fffffff, "record of {} bytes is too large for {}", payload.size(),
          path);
  FrameHeader header{static_cast<std::uint32_t>(payload.size()), type, 0};
  header.crc = checksum(header, payload);
  return header;
}

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

/// True if `bytes` is the magic or, for a file cut short while it was made, its beginning.
bool is_magic(const char* bytes, std::size_t count) {
  return std::memcmp(bytes, magic.data(), count) == 0;
}

std::uint64_t file_size(std::FILE* file, const std::string& path) {
  struct stat status {};
  require(::fstat(::fileno(file), &status) == 0 && S_ISREG(status.st_mode),
          "cannot read {} (not a regular file)", path);
  return static_cast<std::uint64_t>(status.st_size);
}

/// Reads up to `count` bytes; fewer only where the file ends. A read that fails is no end: what
/// lies behind it may be whole, and must not be cut off as torn.
std::size_t read_some(std::FILE* file, const std::string& path, void* out, std::size_t count) {
  const std::size_t got = std::fread(out, 1, count, file);
  if (got < count && std::ferror(file) != 0)
    fail("cannot read {} ({}) try again when its file system is well?", path, std::strerror(errno));
  return got;
}

/// Reads the next record into `payload`; false at the end or at a bad record. Throws core::Error if
/// a read fails.
bool read_record(std::FILE* file, const std::string& path, std::uint64_t left, FrameHeader& header,
                 std::vector<std::byte>& payload) {
  if (left < sizeof header || read_some(file, path, &header, sizeof header) < sizeof header)
    return false;
  if (header.length > left - sizeof header) return false;
  payload.resize(header.length);
  if (read_some(file, path, payload.data(), payload.size()) < payload.size()) return false;
  return checksum(header, payload) == header.crc;
}

} // namespace

LogSummary scan_record_log(const std::string& path,
                           const std::function<void(const Record&)>& visit) {
  const File file(std::fopen(path.c_str(), "rb"));
  require(file != nullptr, "cannot open {} ({})", path, std::strerror(errno));
  LogSummary summary;
  summary.file_bytes = file_size(file.get(), path);
  std::array<char, magic.size()> start{};
  const std::size_t count = read_some(file.get(), path, start.data(), start.size());
  require(is_magic(start.data(), count), "{} is no record log (it does not begin with {})", path,
          std::string_view(magic.data(), magic.size()));
  if (count < magic.size()) return summary;
  summary.good_bytes = magic.size();
  FrameHeader header{};
  std::vector<std::byte> payload;
  while (read_record(file.get(), path, summary.file_bytes - summary.good_bytes, header, payload)) {
    const std::uint64_t offset = summary.good_bytes;
    ++summary.records;
    summary.good_bytes += sizeof header + header.length;
    visit({header.type, payload, offset});
  }
  return summary;
}

struct RecordLogReader::State {
  std::string path;
  File file;
  std::vector<std::byte> payload;
};

RecordLogReader::RecordLogReader(std::string path)
    : state_(std::make_unique<State>()) {
  state_->file.reset(std::fopen(path.c_str(), "rb"));
  require(state_->file != nullptr, "cannot open {} ({})", path, std::strerror(errno));
  state_->path = std::move(path);
}
RecordLogReader::~RecordLogReader() = default;
RecordLogReader::RecordLogReader(RecordLogReader&&) noexcept = default;

Record RecordLogReader::read(std::uint64_t offset) {
  std::FILE* const file = state_->file.get();
  const std::uint64_t size = file_size(file, state_->path);
  FrameHeader header{};
  const bool whole = offset >= magic.size() && offset < size &&
                     ::fseeko(file, static_cast<off_t>(offset), SEEK_SET) == 0 &&
                     read_record(file, state_->path, size - offset, header, state_->payload);
  require(whole, "no whole record at byte {} of {} (was the file changed?)", offset, state_->path);
  return {header.type, state_->payload, offset};
}

RecordLogWriter::RecordLogWriter(std::string path, const std::function<void(const Record&)>& visit)
    : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  require(file_ >= 0, "cannot write {} ({})", path_, std::strerror(errno));
  try {
    // Some parallel file systems have no locks: only a lock held by another counts.
    const bool taken = ::flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    require(!taken, "{} is being written by another process", path_);
    found_ = scan_record_log(path_, visit);
    size_ = found_.good_bytes;
    if (found_.torn() && ::ftruncate(file_, static_cast<off_t>(size_)) != 0)
      fail("cannot repair {} ({})", path_, std::strerror(errno));
    if (size_ == 0) {
      if (!write_fully(file_, std::as_bytes(std::span(magic))))
        fail("cannot write {} ({})", path_, std::strerror(errno));
      size_ = magic.size();
    }
  } catch (...) {
    ::close(file_);
    throw;
  }
}

RecordLogWriter::~RecordLogWriter() {
  if (file_ >= 0) ::close(file_);
}

RecordLogWriter::RecordLogWriter(RecordLogWriter&& other) noexcept
    : path_(std::move(other.path_))
    , file_(std::exchange(other.file_, -1))
    , size_(other.size_)
    , found_(other.found_) {}

void RecordLogWriter::append(std::uint32_t type, std::span<const std::byte> payload) {
  const FrameHeader header = header_of(type, payload, path_);
  std::vector<std::byte> frame(sizeof header + payload.size());
  std::memcpy(frame.data(), &header, sizeof header);
  if (!payload.empty()) std::memcpy(frame.data() + sizeof header, payload.data(), payload.size());
  if (!write_fully(file_, frame)) {
    const int error = errno;
    const bool undone = ::ftruncate(file_, static_cast<off_t>(size_)) == 0;
    fail("cannot write {} ({}){}", path_, std::strerror(error),
         undone ? "" : "; its last record is torn");
  }
  size_ += frame.size();
}

AtomicRecordLog::AtomicRecordLog(std::string path)
    : path_(path)
    , file_(std::move(path)) {
  file_.write(std::as_bytes(std::span(magic)));
}

void AtomicRecordLog::append(std::uint32_t type, std::span<const std::byte> payload) {
  const FrameHeader header = header_of(type, payload, path_);
  file_.write(std::as_bytes(std::span(&header, 1)));
  file_.write(payload);
}

void AtomicRecordLog::commit() { file_.commit(); }

} // namespace kilobragg::core
