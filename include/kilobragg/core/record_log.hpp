// A file of framed, checksummed records that only ever grows; the base of shards.
#pragma once

#include "kilobragg/core/files.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace kilobragg::core {

/// One record; the payload lives only as long as the call that shows it.
struct Record {
  std::uint32_t type = 0;
  std::span<const std::byte> payload;
  std::uint64_t offset = 0; ///< where its frame begins in the file
};

/// What a scan of a log found. The layout to the byte is in docs/shard-format.md.
struct LogSummary {
  std::uint64_t records = 0;    ///< whole records
  std::uint64_t good_bytes = 0; ///< length of the file up to the end of the last whole record
  std::uint64_t file_bytes = 0; ///< length of the file
  bool torn() const { return good_bytes != file_bytes; }
};

/// Calls `visit` for every whole record in order and stops at the first bad one (cut short, or with
/// a wrong checksum). Sizes are checked before memory is taken. Throws core::Error if the file
/// cannot be read to its end or is no record log.
LogSummary scan_record_log(const std::string& path,
                           const std::function<void(const Record&)>& visit);

/// Reads single records at offsets that a scan gave.
class RecordLogReader {
public:
  /// Opens `path`. Throws core::Error.
  explicit RecordLogReader(std::string path);
  ~RecordLogReader();
  RecordLogReader(RecordLogReader&&) noexcept;
  /// The payload lives until the next call. Throws core::Error naming file and offset if no whole
  /// record is there.
  Record read(std::uint64_t offset);

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Appends records. One process at a time: the file is locked where the file system can.
class RecordLogWriter {
public:
  /// Opens or makes `path`, shows the records that are there to `visit`, and cuts off a torn end left
  /// by a killed process. Throws core::Error, and cuts off nothing, if the records cannot be read.
  explicit RecordLogWriter(
      std::string path, const std::function<void(const Record&)>& visit = [](const Record&) {});
  ~RecordLogWriter();
  RecordLogWriter(RecordLogWriter&& other) noexcept;
  RecordLogWriter& operator=(RecordLogWriter&&) = delete;

  /// Hands one record to the operating system before returning. On failure (disk full) throws
  /// core::Error naming the file and takes back what was written of the record.
  void append(std::uint32_t type, std::span<const std::byte> payload);
  /// What stood in the file when it was opened.
  const LogSummary& found() const { return found_; }
  const std::string& path() const { return path_; }

private:
  std::string path_;
  int file_ = -1;
  std::uint64_t size_ = 0;
  LogSummary found_;
};

/// A record log that appears under its name only when whole. Throws as AtomicFile does; payloads to 2^31 - 1
/// bytes.
class AtomicRecordLog {
public:
  explicit AtomicRecordLog(std::string path);
  void append(std::uint32_t type, std::span<const std::byte> payload);
  /// Nothing may be appended afterwards.
  void commit();

private:
  std::string path_;
  AtomicFile file_;
};

} // namespace kilobragg::core
