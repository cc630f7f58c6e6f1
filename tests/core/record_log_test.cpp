// Record logs cut at every byte, with every byte flipped, and left by a killed process.
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/record_log.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <vector>

namespace kilobragg::core {
namespace {

using Records = std::vector<std::pair<std::uint32_t, std::string>>;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Records records_of(const std::string& path, LogSummary* summary = nullptr) {
  Records records;
  const LogSummary found = scan_record_log(path, [&](const Record& record) {
    records.emplace_back(
        record.type,
        std::string(reinterpret_cast<const char*>(record.payload.data()), record.payload.size()));
  });
  if (summary) *summary = found;
  return records;
}

const Records sample{{1, "header"}, {2, ""}, {3, "some payload of an image"}, {2, "x"}};

std::string sample_log(const testing::TemporaryFolder& folder) {
  RecordLogWriter log(folder / "log");
  for (const auto& [type, text] : sample) log.append(type, bytes_of(text));
  return log.path();
}

/// Offsets at which records end, the magic counted as one.
std::vector<std::size_t> ends_of_records() {
  std::vector<std::size_t> ends{8};
  for (const auto& record : sample) ends.push_back(ends.back() + 12 + record.second.size());
  return ends;
}

TEST(RecordLog, OneThatAppearsWholeHasTheSameBytes) {
  const testing::TemporaryFolder folder;
  {
    AtomicRecordLog log(folder / "whole");
    for (const auto& [type, text] : sample) log.append(type, bytes_of(text));
    EXPECT_FALSE(std::filesystem::exists(folder / "whole"));
    log.commit();
  }
  EXPECT_EQ(read_text_file(folder / "whole"), read_text_file(sample_log(folder)));
  AtomicRecordLog(folder / "given up").append(1, bytes_of("x"));
  EXPECT_FALSE(std::filesystem::exists(folder / "given up"));
}

TEST(RecordLog, LayoutIsWhatTheDocumentSays) {
  const testing::TemporaryFolder folder;
  { RecordLogWriter(folder / "log").append(7, bytes_of("123456789")); }
  const std::string bytes = read_text_file(folder / "log");
  ASSERT_EQ(bytes.size(), 8u + 12 + 9);
  EXPECT_EQ(bytes.substr(0, 16), std::string("KBRECLG1\x09\0\0\0\x07\0\0\0", 16));
  std::uint32_t crc = 0;
  std::memcpy(&crc, bytes.data() + 16, 4);
  EXPECT_EQ(crc, 0xbb2a23b7u); // of 09000000 07000000 "123456789", computed apart from this code
  EXPECT_EQ(bytes.substr(20), "123456789");
}

TEST(RecordLog, RoundTripAndReopen) {
  const testing::TemporaryFolder folder;
  const std::string path = sample_log(folder);
  LogSummary summary;
  EXPECT_EQ(records_of(path, &summary), sample);
  EXPECT_FALSE(summary.torn());
  RecordLogWriter again(path);
  EXPECT_EQ(again.found().records, sample.size());
  again.append(9, bytes_of("more"));
  Records longer = sample;
  longer.emplace_back(9, "more");
  EXPECT_EQ(records_of(path), longer);
}

TEST(RecordLog, SingleRecordsAreReadWhereAScanFoundThem) {
  const testing::TemporaryFolder folder;
  const std::string path = sample_log(folder);
  std::vector<std::uint64_t> offsets;
  scan_record_log(path, [&](const Record& record) { offsets.push_back(record.offset); });
  const auto ends = ends_of_records();
  EXPECT_EQ(offsets, std::vector<std::uint64_t>(ends.begin(), ends.end() - 1));
  RecordLogReader reader(path);
  for (const std::size_t i : {2u, 0u, 3u, 1u}) {
    const Record record = reader.read(offsets[i]);
    EXPECT_EQ(record.type, sample[i].first);
    const auto expected = bytes_of(sample[i].second);
    EXPECT_TRUE(
        std::equal(record.payload.begin(), record.payload.end(), expected.begin(), expected.end()));
  }
  std::filesystem::resize_file(path, ends.back() - 1);
  EXPECT_THROW(reader.read(offsets[3]), Error);
  EXPECT_THROW(reader.read(offsets[2] + 1), Error);
  EXPECT_THROW(reader.read(0), Error);
  EXPECT_THROW(reader.read(1u << 20), Error);
  EXPECT_EQ(reader.read(offsets[0]).payload.size(), 6u);
  EXPECT_THROW(RecordLogReader(folder / "nothing"), Error);
}

TEST(RecordLog, CutAtEveryByteLosesOnlyTheTornRecord) {
  const testing::TemporaryFolder folder;
  const std::string whole = read_text_file(sample_log(folder));
  const auto ends = ends_of_records();
  ASSERT_EQ(ends.back(), whole.size());
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::string path = folder / "cut";
    write_file(path, std::string_view(whole).substr(0, size));
    std::size_t kept = 0;
    while (kept + 1 < ends.size() && ends[kept + 1] <= size) ++kept;
    Records expected(sample.begin(), sample.begin() + static_cast<long>(kept));
    LogSummary summary;
    EXPECT_EQ(records_of(path, &summary), expected) << size;
    EXPECT_EQ(summary.torn(), size != 0 && size != ends[kept]) << size;
    // Appending repairs the end first.
    { RecordLogWriter(path).append(5, bytes_of("after")); }
    expected.emplace_back(5, "after");
    EXPECT_EQ(records_of(path, &summary), expected) << size;
    EXPECT_FALSE(summary.torn());
  }
}

TEST(RecordLog, EveryFlippedBitIsSeen) {
  const testing::TemporaryFolder folder;
  const std::string whole = read_text_file(sample_log(folder));
  const auto ends = ends_of_records();
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = whole;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      write_file(folder / "bad", bad);
      if (at < 8) {
        EXPECT_THROW(records_of(folder / "bad"), Error);
        continue;
      }
      std::size_t kept = 0; // records before the one that was hit
      while (ends[kept + 1] <= at) ++kept;
      const Records expected(sample.begin(), sample.begin() + static_cast<long>(kept));
      LogSummary summary;
      EXPECT_EQ(records_of(folder / "bad", &summary), expected) << at << " bit " << bit;
      EXPECT_TRUE(summary.torn());
    }
}

TEST(RecordLog, RefusesOtherFilesAndLeavesThemAlone) {
  const testing::TemporaryFolder folder;
  write_file(folder / "notes", "my precious notes");
  EXPECT_THROW(RecordLogWriter(folder / "notes"), Error);
  EXPECT_EQ(read_text_file(folder / "notes"), "my precious notes");
}

TEST(RecordLog, OneWriterAtATime) {
  const testing::TemporaryFolder folder;
  const RecordLogWriter first(folder / "log");
  EXPECT_THROW(RecordLogWriter(folder / "log"), Error);
}

TEST(RecordLog, FullDiskTakesTheTornRecordBack) {
  const testing::TemporaryFolder folder;
  const std::string path = sample_log(folder);
  RecordLogWriter log(path);
  std::string message;
  {
    const testing::FileSizeLimit limit(std::filesystem::file_size(path) + 500);
    try {
      log.append(1, bytes_of(std::string(1000, 'x')));
    } catch (const Error& error) {
      message = error.what();
    }
  }
  EXPECT_NE(message.find(path), std::string::npos) << message;
  LogSummary summary;
  EXPECT_EQ(records_of(path, &summary), sample);
  EXPECT_FALSE(summary.torn());
  log.append(4, bytes_of("goes on"));
  EXPECT_EQ(records_of(path).size(), sample.size() + 1);
}

/// Appends numbered records of growing size for ever.
[[noreturn]] void write_until_killed(const std::string& path, int tell) {
  RecordLogWriter log(path);
  for (std::uint32_t i = 0;; ++i) {
    log.append(i, bytes_of(std::string(1000 + i % 5000, 'x')));
    if (::write(tell, &i, sizeof i) != sizeof i) std::_Exit(1);
  }
}

TEST(RecordLog, KilledWriterLosesNothingThatWasAcknowledged) {
  const testing::TemporaryFolder folder;
  for (int round = 0; round < 10; ++round) {
    const std::string path = folder / ("log" + std::to_string(round));
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(path, ends[1]);
    ::close(ends[1]);
    std::uint32_t last = 0;
    for (int i = 0; i < 50 + 37 * round; ++i)
      ASSERT_EQ(::read(ends[0], &last, sizeof last), ssize_t{sizeof last});
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (std::uint32_t more; ::read(ends[0], &more, sizeof more) == sizeof more;) last = more;
    ::close(ends[0]);
    const Records records = records_of(path);
    ASSERT_GT(records.size(), last);
    for (std::uint32_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].first, i);
      EXPECT_EQ(records[i].second.size(), 1000 + i % 5000);
    }
  }
}

} // namespace
} // namespace kilobragg::core
