// Shards: image records in a record log, and the scan that brings them back.
#include "kilobragg/io/shard.hpp"

#include "model_json.hpp"
#include "still_codec.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/record_log.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <unordered_map>

namespace kilobragg::io {
namespace {

namespace fs = std::filesystem;
using DetectorPointer = std::shared_ptr<const models::Detector>;

/// Types of records. The first record of a shard is the run; a detector stands before the first
/// image that was taken with it.
enum RecordType : std::uint32_t { run_record = 1, detector_record = 2, still_record = 3 };

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

DetectorPointer parse_detector(const std::string& text, const std::string& name) {
  const Json json = Json::parse(text, nullptr, false);
  core::require(!json.is_discarded(), "{} is no JSON", name);
  return std::make_shared<models::Detector>(detector_from_json({json, name}));
}

void check_first(const core::Record& record, std::size_t position, const std::string& path) {
  core::require(position > 0 || record.type == run_record,
                "{} is no shard (its first record is of type {})", path, record.type);
}

/// Goes through a shard, handing each record with its name to the function for its type.
template <typename OnDetector, typename OnStill>
ShardSummary scan_shard(const std::string& path, OnDetector on_detector, OnStill on_still) {
  ShardSummary summary;
  std::size_t position = 0;
  const auto log = core::scan_record_log(path, [&](const core::Record& record) {
    check_first(record, position, path);
    const std::string name = fmt::format("record {} of {}", position++, path);
    if (record.type == run_record) {
      summary.run = text_of(record.payload);
    } else if (record.type == detector_record) {
      on_detector(record, name);
    } else if (record.type == still_record) {
      on_still(record, name);
      ++summary.records;
    }
  });
  summary.torn = log.torn();
  summary.good_bytes = log.good_bytes;
  return summary;
}

} // namespace

struct ShardWriter::State {
  core::RecordLogWriter log;
  std::unordered_map<std::string, std::size_t> detectors; ///< position by JSON text
  std::unordered_map<DetectorPointer, std::size_t> known; ///< to make the text only once

  std::size_t position_of(const DetectorPointer& detector) {
    const auto seen = known.find(detector);
    if (seen != known.end()) return seen->second;
    const std::string text = detector_to_json(*detector).dump();
    const auto [it, is_new] = detectors.try_emplace(text, detectors.size());
    if (is_new) {
      try {
        log.append(detector_record, bytes_of(text));
      } catch (...) {
        detectors.erase(it);
        throw;
      }
    }
    // Each file that is opened has a detector object of its own.
    constexpr std::size_t most_known = 64;
    if (known.size() >= most_known) known.clear();
    known.emplace(detector, it->second);
    return it->second;
  }
};

ShardWriter::ShardWriter(const std::string& path, const std::string& run) {
  std::unordered_map<std::string, std::size_t> detectors;
  std::size_t records = 0;
  core::RecordLogWriter log(path, [&](const core::Record& record) {
    check_first(record, records++, path);
    if (record.type == detector_record)
      detectors.emplace(text_of(record.payload), detectors.size());
  });
  if (records == 0) log.append(run_record, bytes_of(run));
  state_ = std::make_unique<State>(State{std::move(log), std::move(detectors), {}});
}
ShardWriter::~ShardWriter() = default;
ShardWriter::ShardWriter(ShardWriter&&) noexcept = default;

void ShardWriter::append(const models::StillResult& result) {
  std::optional<std::size_t> detector;
  if (result.detector) detector = state_->position_of(result.detector);
  state_->log.append(still_record, pack_still(result, detector));
}

ShardSummary read_shard(const std::string& path,
                        const std::function<void(models::StillResult&&)>& visit) {
  std::vector<DetectorPointer> detectors;
  return scan_shard(
      path,
      [&](const core::Record& record, const std::string& name) {
        detectors.push_back(parse_detector(text_of(record.payload), name));
      },
      [&](const core::Record& record, const std::string& name) {
        visit(unpack_still(record.payload, name, detectors));
      });
}

bool is_unopened(const StillDigest& still) {
  return still.state == models::ExitState::PreprocessException && still.source.dataset.empty() &&
         still.source.content_id.empty();
}

ShardSummary read_shard_digests(const std::string& path,
                                const std::function<void(StillDigest&&)>& visit) {
  return scan_shard(
      path, [](const core::Record&, const std::string&) {},
      [&](const core::Record& record, const std::string& name) {
        visit(unpack_digest(record.payload, name));
      });
}

struct ShardReader::State {
  std::string path;
  std::vector<DetectorPointer> detectors;
  std::optional<core::RecordLogReader> log;

  void add_detector(const std::string& text, const std::string& name, DetectorPool& pool) {
    DetectorPointer& shared = pool[text];
    if (!shared) shared = parse_detector(text, name);
    detectors.push_back(shared);
  }
};

ShardReader::ShardReader(std::string path)
    : state_(std::make_unique<State>()) {
  state_->path = std::move(path);
}
ShardReader::~ShardReader() = default;
ShardReader::ShardReader(ShardReader&&) noexcept = default;

ShardSummary ShardReader::scan(
    DetectorPool& pool,
    const std::function<void(std::uint64_t offset, const models::StillResult& head)>& visit) {
  State& s = *state_;
  return scan_shard(
      s.path,
      [&](const core::Record& record, const std::string& name) {
        s.add_detector(text_of(record.payload), name, pool);
      },
      [&](const core::Record& record, const std::string& name) {
        visit(record.offset, unpack_still_head(record.payload, name, s.detectors));
      });
}

models::StillResult ShardReader::read(std::uint64_t offset) {
  State& s = *state_;
  if (!s.log) s.log.emplace(s.path);
  const core::Record record = s.log->read(offset);
  const std::string name = fmt::format("the record at byte {} of {}", offset, s.path);
  core::require(record.type == still_record, "{} is no image", name);
  return unpack_still(record.payload, name, s.detectors);
}

void ShardReader::close() { state_->log.reset(); }

std::optional<int> result_number(const std::string& path) {
  const fs::path file = path;
  const std::string name = file.filename().string(), extension = file.extension().string();
  const auto end = name.find_first_not_of("0123456789", 4);
  if (name.rfind("idx-", 0) != 0 || end == std::string::npos || end < 8 || end > 12) return {};
  const bool derived = name[end] == '_' && (extension == ".expt" || extension == ".refl");
  if (!derived && name.substr(end) != ".shard") return {};
  return std::stoi(name.substr(4, end - 4));
}

std::vector<std::string> shards_in(const std::string& folder) {
  std::map<int, std::string> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) {
    const auto number = result_number(entry.path().string());
    if (number && entry.path().extension() == ".shard") found[*number] = entry.path().string();
  }
  std::vector<std::string> shards;
  for (const auto& [number, path] : found) shards.push_back(path);
  return shards;
}

} // namespace kilobragg::io
