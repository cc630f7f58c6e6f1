// Event indices on disk: JSON in msgpack form, frames as runs, ranges as they were learnt.
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/event_index.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace kilobragg::io {
namespace {

using nlohmann::json;

constexpr const char* kind = "KiloBragg event index";
constexpr int version = 1;

/// Size of a file in bytes, or 0.
std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

/// Consecutive frames of a source as one entry.
json runs_of(const std::vector<Event>& events) {
  json runs = json::array();
  for (std::size_t i = 0; i < events.size();) {
    std::int64_t n = 1;
    while (i + static_cast<std::size_t>(n) < events.size() &&
           events[i + static_cast<std::size_t>(n)].source == events[i].source &&
           events[i + static_cast<std::size_t>(n)].frame == events[i].frame + n)
      ++n;
    runs.push_back({events[i].source, events[i].frame, n});
    i += static_cast<std::size_t>(n);
  }
  return runs;
}

json all_ranges(const EventIndex& index) {
  json all = json::array();
  for (std::size_t i = 0; i < index.ranges.size(); ++i) {
    if (index.ranges[i].empty()) continue;
    json entry = json::array({i});
    for (const ByteRange& range : index.ranges[i])
      entry.push_back({range.file, range.offset, range.length});
    all.push_back(std::move(entry));
  }
  return all;
}

/// Where a file that the index at `list` names is now.
std::string found(const std::string& path, const std::string& list, const ImageSearch& search) {
  return path.empty() ? path : likely_image({list, path, path, ""}, search);
}

std::string absolute(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
}

void take_sources(const json& all, const std::string& list, const ImageSearch& search,
                  EventIndex& index) {
  for (const json& s : all.at("sources"))
    index.sources.push_back(
        {found(s.at(0), list, search), s.at(1), s.at(2), found(s.at(3), list, search)});
  for (const json& run : all.at("runs")) {
    const auto source = run.at(0).get<std::uint32_t>();
    const auto first = run.at(1).get<std::int64_t>(), count = run.at(2).get<std::int64_t>();
    core::require(source < index.sources.size() && first >= 0 && count >= 0 &&
                      count <= index.sources[source].frames,
                  "a run of frames does not fit its source");
    for (std::int64_t i = 0; i < count; ++i) index.events.push_back({source, first + i});
  }
  for (const json& failed : all.at("failed"))
    index.failed.emplace_back(found(failed.at(0), list, search), failed.at(1));
}

void take_ranges(const json& all, const std::string& list, const ImageSearch& search,
                 EventIndex& index) {
  std::vector<std::uint32_t> numbers;
  std::vector<bool> unchanged;
  for (const json& file : all.at("files")) {
    const std::string path = found(file.at(0), list, search);
    numbers.push_back(file_number(index, path));
    unchanged.push_back(size_of(path) == file.at(1).get<std::uint64_t>());
  }
  for (const json& entry : all.at("ranges")) {
    const auto event = entry.at(0).get<std::size_t>();
    core::require(event < index.events.size(), "ranges are given for an event that is not there");
    std::vector<ByteRange> ranges;
    for (std::size_t i = 1; i < entry.size(); ++i) {
      ByteRange range{entry[i].at(0), entry[i].at(1), entry[i].at(2)};
      core::require(range.file < numbers.size(), "a range names a file that is not there");
      if (!unchanged[range.file]) {
        ranges.clear();
        break;
      }
      range.file = numbers[range.file];
      ranges.push_back(range);
    }
    index.ranges.resize(index.events.size());
    index.ranges[event] = std::move(ranges);
  }
}

} // namespace

void save_event_index(const EventIndex& index, const std::string& path) {
  json sources = json::array(), files = json::array(), failed = json::array();
  for (const FrameSource& s : index.sources)
    sources.push_back({absolute(s.path), s.dataset, s.frames, absolute(s.expt)});
  for (const std::string& file : index.files) files.push_back({file, size_of(file)});
  for (const auto& [input, reason] : index.failed) failed.push_back({absolute(input), reason});
  const json all = {{"kind", kind},
                    {"version", version},
                    {"sources", sources},
                    {"files", files},
                    {"runs", runs_of(index.events)},
                    {"ranges", all_ranges(index)},
                    {"failed", failed}};
  const std::vector<std::uint8_t> bytes = json::to_msgpack(all);
  core::write_file(path, std::as_bytes(std::span(bytes)));
}

EventIndex load_event_index(const std::string& path, const ImageSearch& search) {
  const std::vector<std::byte> bytes = core::read_file(path);
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes.data());
  try {
    const json all = json::from_msgpack(first, first + bytes.size());
    core::require(all.at("kind") == kind && all.at("version") == version,
                  "another kind or version");
    EventIndex index;
    take_sources(all, path, search, index);
    take_ranges(all, path, search, index);
    return index;
  } catch (const json::exception& error) {
    core::fail("{} is no event index ({}) remove it to have it made again?", path, error.what());
  } catch (const core::Error& error) {
    core::fail("{} is no event index ({}) remove it to have it made again?", path, error.what());
  }
}

} // namespace kilobragg::io
