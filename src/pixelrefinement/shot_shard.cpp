// Shards of shots: which records stand in the log, and the scan that finds them again.
#include "shot_codec.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/record_log.hpp"
#include "kilobragg/pixelrefinement/shot_record.hpp"

#include <optional>
#include <unordered_set>

namespace kilobragg::pixelrefinement {
namespace {

/// Numbers that the shards of images (io/shard.hpp) do not have, so that neither is taken for the other.
enum RecordType : std::uint32_t { run_record = 101, detector_record = 102, shot_record = 103 };

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void check_first(const core::Record& record, std::size_t position, const std::string& path) {
  core::require(position > 0 || record.type == run_record,
                "{} is no shard of shots (its first record is of type {})", path, record.type);
}

} // namespace

struct ShotShardWriter::State {
  core::RecordLogWriter log;
  DetectorPool pool;
  std::unordered_set<std::string> written; ///< hashes of detectors in the file
};

ShotShardWriter::ShotShardWriter(const std::string& path, const std::string& run) {
  DetectorPool pool;
  std::unordered_set<std::string> written;
  std::size_t records = 0;
  core::RecordLogWriter log(path, [&](const core::Record& record) {
    check_first(record, records++, path);
    if (record.type == detector_record) written.insert(pool.add(text_of(record.payload)));
  });
  if (records == 0) log.append(run_record, bytes_of(run));
  state_ = std::make_unique<State>(State{std::move(log), std::move(pool), std::move(written)});
}
ShotShardWriter::~ShotShardWriter() = default;
ShotShardWriter::ShotShardWriter(ShotShardWriter&&) noexcept = default;

void ShotShardWriter::append(const ShotRecord& record) {
  State& s = *state_;
  const std::string bytes = pack_shot(record, s.pool);
  const std::string hash = s.pool.hash_of(record.model.detector);
  if (!hash.empty() && !s.written.contains(hash)) {
    s.log.append(detector_record, bytes_of(pack_detector(*record.model.detector)));
    s.written.insert(hash);
  }
  s.log.append(shot_record, bytes_of(bytes));
}

struct ShotShardReader::State {
  std::string path, run;
  DetectorPool* pool = nullptr;
  std::vector<ShotEntry> entries;
  bool torn = false;
  std::optional<core::RecordLogReader> log;

  void scan() {
    std::size_t records = 0;
    std::unordered_map<std::string, std::size_t> last;
    std::vector<ShotEntry> all;
    const auto summary = core::scan_record_log(path, [&](const core::Record& record) {
      check_first(record, records++, path);
      if (record.type == run_record) run = text_of(record.payload);
      if (record.type == detector_record) pool->add(text_of(record.payload));
      if (record.type != shot_record) return;
      ShotHead head = shot_head(text_of(record.payload));
      last[head.identifier] = all.size();
      all.push_back({std::move(head.identifier), head.pixels, record.offset});
    });
    torn = summary.torn();
    for (std::size_t i = 0; i < all.size(); ++i)
      if (last.at(all[i].identifier) == i) entries.push_back(std::move(all[i]));
  }
};

ShotShardReader::ShotShardReader(std::string path, DetectorPool& pool)
    : state_(std::make_unique<State>()) {
  state_->path = std::move(path);
  state_->pool = &pool;
  state_->scan();
}
ShotShardReader::~ShotShardReader() = default;
ShotShardReader::ShotShardReader(ShotShardReader&&) noexcept = default;

const std::vector<ShotEntry>& ShotShardReader::entries() const { return state_->entries; }
const std::string& ShotShardReader::run() const { return state_->run; }
bool ShotShardReader::torn() const { return state_->torn; }

ShotRecord ShotShardReader::read(const ShotEntry& entry) {
  State& s = *state_;
  if (!s.log) s.log.emplace(s.path);
  const core::Record record = s.log->read(entry.offset);
  core::require(record.type == shot_record, "the record at byte {} of {} is no shot", entry.offset,
                s.path);
  return unpack_shot(text_of(record.payload), *s.pool);
}

} // namespace kilobragg::pixelrefinement
