// Builds the list of events from the inputs, and keeps what was learnt about them.
#include "kilobragg/io/event_index.hpp"

#include "expt_reader.hpp"
#include "file_kind.hpp"
#include "nxmx_reader.hpp"

#include "kilobragg/core/error.hpp"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace kilobragg::io {
namespace {

bool is_pattern(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }

/// Files that a pattern matches, sorted. A name that exists is itself, whatever characters it has.
std::vector<std::string> expand(const std::string& text) {
  std::error_code ignored;
  if (!is_pattern(text) || std::filesystem::exists(text, ignored)) return {text};
  glob_t found = {};
  const int status = glob(text.c_str(), GLOB_TILDE | GLOB_BRACE, nullptr, &found);
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  core::require(
      status == 0 && !paths.empty(),
      "nothing matches {} (no such files) is the pattern right, and quoted for the shell?", text);
  return paths;
}

void add_events(EventIndex& index, FrameSource source) {
  const auto number = static_cast<std::uint32_t>(index.sources.size());
  index.events.reserve(index.events.size() + static_cast<std::size_t>(source.frames));
  for (std::int64_t frame = 0; frame < source.frames; ++frame)
    index.events.push_back({number, frame});
  index.sources.push_back(std::move(source));
}

void add_nxmx(EventIndex& index, const std::string& path) {
  const NxmxFrames found = count_nxmx_frames(path, {});
  add_events(index, {path, found.dataset, found.frames, {}});
  for (const std::string& missing : found.missing)
    index.failed.emplace_back(fmt::format("{}:{}", path, missing),
                              "the link leads nowhere (the data file was never written, or was not "
                              "copied with the master)");
}

void add_file(EventIndex& index, const std::string& path, const ImageSearch& search);

/// A saved index; the inputs that had failed are looked for again. Those that are indices are not:
/// they may be this one.
void add_saved_index(EventIndex& index, const std::string& path, const ImageSearch& search) {
  EventIndex saved = load_event_index(path, search);
  const auto failed = std::move(saved.failed);
  saved.failed.clear();
  append_events(index, saved);
  for (const auto& [input, reason] : failed) {
    std::error_code ignored;
    const bool again =
        !input.ends_with(event_index_suffix) && std::filesystem::is_regular_file(input, ignored);
    try {
      core::require(again, "{}", reason);
      add_file(index, input, search);
    } catch (const core::Error& error) {
      index.failed.emplace_back(input, error.what());
    }
  }
}

void add_file(EventIndex& index, const std::string& path, const ImageSearch& search) {
  if (path.ends_with(event_index_suffix)) return add_saved_index(index, path, search);
  switch (file_kind(path)) {
  case FileKind::hdf5:
    return add_nxmx(index, path);
  case FileKind::cbf:
    return add_events(index, {path, {}, 1, {}});
  case FileKind::experiments:
    return add_events(index, {path, {}, count_experiment_images(path), path});
  case FileKind::unknown:
    break;
  }
  core::fail("cannot read {} (it is neither HDF5 nor CBF nor an .expt)", path);
}

} // namespace

EventIndexBuilder::EventIndexBuilder(const std::vector<std::string>& paths_or_globs,
                                     ImageSearch search)
    : search_(std::move(search)) {
  std::set<std::filesystem::path> seen;
  for (const std::string& text : paths_or_globs)
    for (const std::string& path : expand(text)) {
      std::error_code ignored;
      if (seen.insert(std::filesystem::weakly_canonical(path, ignored)).second)
        paths_.push_back(path);
    }
}

bool EventIndexBuilder::step(EventIndex& index) {
  if (next_ == paths_.size()) return false;
  const std::string& path = paths_[next_++];
  try {
    add_file(index, path, search_);
  } catch (const core::Error& error) {
    index.failed.emplace_back(path, error.what());
  }
  return true;
}

EventIndex build_event_index(const std::vector<std::string>& paths_or_globs) {
  EventIndex index;
  EventIndexBuilder builder(paths_or_globs);
  while (builder.step(index)) {
  }
  return index;
}

void append_events(EventIndex& index, const EventIndex& more) {
  const auto sources = static_cast<std::uint32_t>(index.sources.size());
  std::vector<std::uint32_t> files;
  for (const std::string& file : more.files) files.push_back(file_number(index, file));
  const std::size_t events = index.events.size();
  index.sources.insert(index.sources.end(), more.sources.begin(), more.sources.end());
  index.failed.insert(index.failed.end(), more.failed.begin(), more.failed.end());
  for (const Event& event : more.events)
    index.events.push_back({event.source + sources, event.frame});
  if (more.ranges.empty()) return;
  index.ranges.resize(events + more.events.size());
  for (std::size_t i = 0; i < more.ranges.size(); ++i) {
    index.ranges[events + i] = more.ranges[i];
    for (ByteRange& range : index.ranges[events + i]) range.file = files[range.file];
  }
}

std::uint32_t file_number(EventIndex& index, const std::string& path) {
  const auto next = static_cast<std::uint32_t>(index.files.size());
  const auto [at, is_new] = index.file_numbers.emplace(path, next);
  if (is_new) index.files.push_back(path);
  return at->second;
}

void record_ranges(EventIndex& index, std::size_t event, const std::vector<FileRange>& ranges) {
  core::require(event < index.events.size(), "the index has {} events, so none with number {}",
                index.events.size(), event);
  if (index.ranges.size() < index.events.size()) index.ranges.resize(index.events.size());
  std::vector<ByteRange> learnt;
  learnt.reserve(ranges.size());
  for (const FileRange& range : ranges)
    learnt.push_back({file_number(index, range.path), range.offset, range.length});
  index.ranges[event] = std::move(learnt);
}

std::vector<FileRange> ranges_of(const EventIndex& index, std::size_t event) {
  std::vector<FileRange> ranges;
  if (event < index.ranges.size())
    for (const ByteRange& range : index.ranges[event])
      ranges.push_back({index.files[range.file], range.offset, range.length});
  return ranges;
}

void adopt_ranges(EventIndex& index, const EventIndex& earlier) {
  const auto key = [](const EventIndex& of, const Event& event) {
    const FrameSource& source = of.sources[event.source];
    const auto path = std::filesystem::absolute(source.path).lexically_normal().string();
    return fmt::format("{}\n{}\n{}\n{}", path, source.dataset, source.frames, event.frame);
  };
  std::unordered_map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < earlier.ranges.size(); ++i)
    if (!earlier.ranges[i].empty()) known.emplace(key(earlier, earlier.events[i]), i);
  for (std::size_t i = 0; !known.empty() && i < index.events.size(); ++i) {
    if (i < index.ranges.size() && !index.ranges[i].empty()) continue;
    const auto found = known.find(key(index, index.events[i]));
    if (found != known.end()) record_ranges(index, i, ranges_of(earlier, found->second));
  }
}

} // namespace kilobragg::io
