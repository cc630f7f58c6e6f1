// Batches and reports as bytes.
#include "batch_messages.hpp"

#include "kilobragg/core/byte_stream.hpp"

#include <algorithm>

namespace kilobragg::programs {
namespace {

using core::ByteReader;
using core::ByteWriter;

constexpr std::uint32_t no_geometry = 0xffffffff;

/// Paths repeat: each is sent once, and named by its number from then on.
class PathWriter {
public:
  void put(ByteWriter& out, const std::vector<io::FileRange>& ranges) {
    out.put(static_cast<std::uint32_t>(ranges.size()));
    for (const io::FileRange& range : ranges) {
      // The path last added is the likeliest.
      const auto at = std::find(paths_.rbegin(), paths_.rend(), range.path);
      const bool is_new = at == paths_.rend();
      out.put(static_cast<std::uint32_t>(is_new ? paths_.size() : paths_.rend() - at - 1));
      if (is_new) {
        out.put_text(range.path);
        paths_.push_back(range.path);
      }
      out.put(range.offset);
      out.put(range.length);
    }
  }

private:
  std::vector<std::string> paths_;
};

class PathReader {
public:
  std::vector<io::FileRange> get(ByteReader& in) {
    std::vector<io::FileRange> ranges(in.get<std::uint32_t>());
    for (io::FileRange& range : ranges) {
      const auto number = in.get<std::uint32_t>();
      if (number == paths_.size()) paths_.push_back(in.get_text());
      core::require(number < paths_.size(), "a message names a path that it does not hold");
      range.path = paths_[number];
      range.offset = in.get<std::uint64_t>();
      range.length = in.get<std::uint64_t>();
    }
    return ranges;
  }

private:
  std::vector<std::string> paths_;
};

void put_geometry(ByteWriter& out, const SharedGeometry& geometry) {
  out.put(geometry.id);
  out.put_text(geometry.description);
  out.put_text(geometry.spotfinder_mask);
  out.put_text(geometry.integration_mask);
  out.put_text(geometry.mask_problem);
}

void put_source(ByteWriter& out, const SourceInfo& source) {
  out.put(source.id);
  out.put_text(source.path);
  out.put_text(source.dataset);
  out.put(source.several_frames);
  out.put_text(source.problem);
  out.put_text(source.description);
  out.put(source.geometry ? source.geometry->id : no_geometry);
}

} // namespace

bool touch_recent(std::vector<std::uint32_t>& recent, std::uint32_t id) {
  const auto at = std::find(recent.begin(), recent.end(), id);
  const bool known = at != recent.end();
  if (known) recent.erase(at);
  recent.insert(recent.begin(), id);
  if (recent.size() > remembered_sources) recent.pop_back();
  return known;
}

std::string Batch::pack() const {
  ByteWriter out;
  out.put(static_cast<std::uint32_t>(geometries.size()));
  for (const auto& geometry : geometries) put_geometry(out, *geometry);
  out.put(static_cast<std::uint32_t>(sources.size()));
  for (const auto& source : sources) put_source(out, *source);
  out.put(static_cast<std::uint32_t>(events.size()));
  PathWriter paths;
  for (const BatchEvent& event : events) {
    out.put(event.number);
    out.put(event.source);
    out.put(event.frame);
    out.put(event.shot);
    paths.put(out, event.ranges);
  }
  return out.take();
}

std::vector<BatchEvent> BatchReceiver::unpack(const std::string& bytes) {
  ByteReader in(bytes);
  for (auto n = in.get<std::uint32_t>(); n > 0; --n) {
    SharedGeometry geometry;
    geometry.id = in.get<std::uint32_t>();
    geometry.description = in.get_text();
    geometry.spotfinder_mask = in.get_text();
    geometry.integration_mask = in.get_text();
    geometry.mask_problem = in.get_text();
    const std::uint32_t id = geometry.id;
    if (geometries_.size() <= id) geometries_.resize(id + 1);
    geometries_[id] = std::make_shared<const SharedGeometry>(std::move(geometry));
  }
  std::vector<std::shared_ptr<const SourceInfo>> fresh;
  for (auto n = in.get<std::uint32_t>(); n > 0; --n) {
    SourceInfo source;
    source.id = in.get<std::uint32_t>();
    source.path = in.get_text();
    source.dataset = in.get_text();
    source.several_frames = in.get<bool>();
    source.problem = in.get_text();
    source.description = in.get_text();
    const auto id = in.get<std::uint32_t>();
    core::require(id == no_geometry || (id < geometries_.size() && geometries_[id]),
                  "a batch names a geometry that was never sent");
    if (id != no_geometry) source.geometry = geometries_[id];
    fresh.push_back(std::make_shared<const SourceInfo>(std::move(source)));
  }
  std::vector<BatchEvent> events(in.get<std::uint32_t>());
  PathReader paths;
  for (BatchEvent& event : events) {
    event.number = in.get<std::int64_t>();
    event.source = in.get<std::uint32_t>();
    event.frame = in.get<std::int64_t>();
    event.shot = in.get<io::Shot>();
    event.ranges = paths.get(in);
  }
  // As the sender's touch_recent(): used sources to the front, the oldest forgotten. Those of this
  // batch stay, however many they are.
  for (const auto& source : fresh) sources_.insert(sources_.begin(), source);
  std::vector<std::shared_ptr<const SourceInfo>> used;
  for (const BatchEvent& event : events) {
    const auto info = source(event.source);
    core::require(info != nullptr, "a batch names a source that was not sent");
    std::erase(used, info);
    used.insert(used.begin(), info);
  }
  for (const auto& info : sources_)
    if (std::find(used.begin(), used.end(), info) == used.end() && used.size() < remembered_sources)
      used.push_back(info);
  sources_ = std::move(used);
  return events;
}

std::shared_ptr<const SourceInfo> BatchReceiver::source(std::uint32_t id) const {
  for (const auto& info : sources_)
    if (info->id == id) return info;
  return nullptr;
}

std::string BatchReport::pack() const {
  ByteWriter out;
  out.put(summary);
  out.put(seconds);
  out.put(stop);
  out.put(leaves);
  out.put(static_cast<std::uint32_t>(undone.size()));
  for (const std::int64_t number : undone) out.put(number);
  out.put(static_cast<std::uint32_t>(learnt.size()));
  PathWriter paths;
  for (const Learnt& one : learnt) {
    out.put(one.number);
    paths.put(out, one.ranges);
  }
  out.put(static_cast<std::uint32_t>(lines.size()));
  for (const std::string& line : lines) out.put_text(line);
  return out.take();
}

BatchReport BatchReport::unpack(const std::string& bytes) {
  ByteReader in(bytes);
  BatchReport report;
  report.summary = in.get<report::RunSummary>();
  report.seconds = in.get<double>();
  report.stop = in.get<int>();
  report.leaves = in.get<bool>();
  report.undone.resize(in.get<std::uint32_t>());
  for (std::int64_t& number : report.undone) number = in.get<std::int64_t>();
  report.learnt.resize(in.get<std::uint32_t>());
  PathReader paths;
  for (Learnt& one : report.learnt) {
    one.number = in.get<std::int64_t>();
    one.ranges = paths.get(in);
  }
  report.lines.resize(in.get<std::uint32_t>());
  for (std::string& line : report.lines) line = in.get_text();
  return report;
}

} // namespace kilobragg::programs
