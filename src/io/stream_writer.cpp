// Sorts the images of shards and writes them as CrystFEL streams.
#include "kilobragg/io/stream_writer.hpp"

#include "attenuation.hpp"
#include "model_json.hpp"
#include "stream_chunk.hpp"
#include "stream_geometry.hpp"
#include "stream_lattice.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/shard.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace kilobragg::io {
namespace {

namespace fs = std::filesystem;
using models::StillResult;

/// Where one image stands; what order and choice need.
struct Entry {
  std::uint64_t offset;
  std::int64_t frame;
  std::uint32_t shard, source;
  std::uint16_t geometry;
  bool timed_out;
};

/// A detector (by number) with the beam's direction: what one stream can hold.
using Geometry = std::tuple<std::size_t, double, double, double>;

/// All images of the shards in the order of the stream.
class StreamIndex {
public:
  explicit StreamIndex(const std::vector<std::string>& shards) {
    readers_.reserve(shards.size());
    for (const std::string& shard : shards) add(shard);
    sort();
  }

  const std::vector<Entry>& entries() const { return entries_; }
  std::size_t geometries() const { return geometries_.size(); }
  std::size_t left_out() const { return left_out_; }

  StillResult read(const Entry& entry) {
    // Runs have more ranks than a process may open files; neighbours mostly lie in one shard.
    constexpr std::size_t most_open = 200;
    if (std::find(open_.begin(), open_.end(), entry.shard) == open_.end()) {
      if (open_.size() == most_open) {
        readers_[open_.front()].close();
        open_.erase(open_.begin());
      }
      open_.push_back(entry.shard);
    }
    return readers_[entry.shard].read(entry.offset);
  }

private:
  void add(const std::string& path) {
    const auto shard = static_cast<std::uint32_t>(readers_.size());
    readers_.emplace_back(path).scan(pool_, [&](std::uint64_t offset, const StillResult& head) {
      if (!head.detector) {
        ++left_out_;
        return;
      }
      const bool timed_out = head.state == models::ExitState::Timeout;
      entries_.push_back(
          {offset, head.source.frame, shard, source_of(head.source), geometry_of(head), timed_out});
    });
  }

  std::uint32_t source_of(const models::ImageSource& source) {
    const auto next = static_cast<std::uint32_t>(sources_.size());
    return sources_.try_emplace({source.path, source.dataset}, next).first->second;
  }

  /// A stream has no word for the attenuation in sensors, in which files of one detector differ.
  std::size_t detector_of(const StillResult& head) {
    const auto known = numbers_.find(head.detector.get());
    if (known != numbers_.end()) return known->second;
    models::Detector bare = *head.detector;
    take_attenuation(bare);
    const std::size_t number =
        detectors_.try_emplace(detector_to_json(bare).dump(), detectors_.size()).first->second;
    numbers_.emplace(head.detector.get(), number);
    return number;
  }

  std::uint16_t geometry_of(const StillResult& head) {
    const Vec3& d = head.beam.direction;
    const auto next = static_cast<std::uint16_t>(geometries_.size());
    const std::uint16_t number =
        geometries_.try_emplace({detector_of(head), d.x, d.y, d.z}, next).first->second;
    constexpr std::size_t most = 16;
    core::require(geometries_.size() <= most,
                  "the images have more than {} geometries (a stream holds one, up to {} streams "
                  "are written) give all the same by input.reference_geometry?",
                  most, most);
    return number;
  }

  /// Orders entries by source, frame and preference, and keeps the first of each image.
  void sort() {
    std::vector<std::uint32_t> rank(sources_.size());
    std::uint32_t next = 0;
    for (const auto& [name, number] : sources_) rank[number] = next++;
    for (Entry& entry : entries_) entry.source = rank[entry.source];
    const auto order = [](const Entry& e) {
      return std::make_tuple(e.source, e.frame, e.timed_out, e.shard, e.offset);
    };
    std::sort(entries_.begin(), entries_.end(),
              [&](const Entry& a, const Entry& b) { return order(a) < order(b); });
    const auto same = [](const Entry& a, const Entry& b) {
      return a.source == b.source && a.frame == b.frame;
    };
    entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
  }

  DetectorPool pool_;
  std::vector<ShardReader> readers_;
  std::vector<std::uint32_t> open_;
  std::vector<Entry> entries_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> sources_;
  std::map<std::string, std::size_t> detectors_; ///< numbers by what a stream says of them
  std::unordered_map<const models::Detector*, std::size_t> numbers_;
  std::map<Geometry, std::uint16_t> geometries_;
  std::size_t left_out_ = 0;
};

std::string header(const StillResult& first, const StreamOptions& options) {
  std::string text = fmt::format(
      "CrystFEL stream format 2.3\nGenerated by KiloBragg {}\n"
      "----- Begin geometry file -----\n{}----- End geometry file -----\n",
      core::version(), stream_geometry(*first.detector, first.beam, first.source.dataset));
  if (options.unit_cell)
    text += fmt::format("----- Begin unit cell -----\n{}----- End unit cell -----\n",
                        stream_cell(options.space_group, *options.unit_cell));
  return text;
}

/// "name.stream", "name_2.stream", ...
std::string numbered(const std::string& path, std::size_t number) {
  if (number == 1) return path;
  const fs::path whole = path;
  const std::string name =
      fmt::format("{}_{}{}", whole.stem().string(), number, whole.extension().string());
  return (whole.parent_path() / name).string();
}

/// The streams of a run, one per geometry, opened as images ask for them.
class Streams {
public:
  Streams(std::string path, const StreamOptions& options, std::size_t geometries)
      : path_(std::move(path))
      , options_(options)
      , streams_(geometries) {}

  void add(const StillResult& image, std::size_t geometry, StreamSummary& summary) {
    Stream& stream = streams_[geometry];
    text_.clear();
    if (!stream.file) {
      summary.files.push_back(numbered(path_, summary.files.size() + 1));
      stream.file = std::make_unique<core::AtomicFile>(summary.files.back());
      text_ = header(image, options_);
    }
    append_chunk(text_, image, ++stream.images);
    stream.file->write(text_);
    ++summary.images;
    summary.crystals += image.lattices.size();
  }
  void commit() {
    for (Stream& stream : streams_)
      if (stream.file) stream.file->commit();
  }

private:
  struct Stream {
    std::unique_ptr<core::AtomicFile> file;
    std::int64_t images = 0;
  };
  std::string path_, text_;
  StreamOptions options_;
  std::vector<Stream> streams_;
};

} // namespace

StreamSummary write_stream(const std::vector<std::string>& shards, const std::string& path,
                           const StreamOptions& options) {
  StreamIndex index(shards);
  StreamSummary summary;
  summary.left_out = index.left_out();
  Streams streams(path, options, index.geometries());
  for (const Entry& entry : index.entries()) {
    const StillResult image = index.read(entry);
    if (options.non_hits || !image.lattices.empty()) streams.add(image, entry.geometry, summary);
  }
  streams.commit();
  return summary;
}

} // namespace kilobragg::io
