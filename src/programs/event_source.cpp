// Selection and batching of events.
#include "event_source.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <utility>

namespace kilobragg::programs {
namespace {

std::string stem(const std::string& path) { return std::filesystem::path(path).stem().string(); }

void append_file_list(const std::string& path, std::vector<std::string>& paths) {
  std::ifstream file(path);
  core::require(file.is_open(), "cannot read input.file_list '{}' (no such file?)", path);
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    paths.push_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
  }
}

/// k of every n events, where k/n is the percentage in lowest terms.
void keep_percent(std::vector<io::Event>& events, int percent) {
  const std::size_t divisor = std::size_t(std::gcd(percent, 100));
  const std::size_t k = std::size_t(percent) / divisor, n = 100 / divisor;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < events.size(); ++i)
    if (i % n < k) events[kept++] = events[i];
  events.resize(kept);
}

void keep_tags(io::EventIndex& index, const std::vector<std::string>& tags) {
  const std::set<std::string> wanted(tags.begin(), tags.end());
  std::set<std::string> seen;
  const auto has = [&](const std::string& tag) {
    if (!wanted.count(tag)) return false;
    seen.insert(tag);
    return true;
  };
  std::erase_if(index.events, [&](const io::Event& event) {
    const std::string& path = index.sources[event.source].path;
    const bool by_event = has(event_tag(index, event)), by_file = has(stem(path));
    return !by_event && !by_file;
  });
  for (const auto& tag : tags)
    core::require(seen.count(tag) != 0,
                  "input.image_tag={} is the tag of no image (--help says how tags are made) see "
                  "input.show_image_tags=True",
                  tag);
}

} // namespace

std::string event_tag(const io::EventIndex& index, const io::Event& event) {
  const auto& source = index.sources[event.source];
  if (source.frames <= 1) return stem(source.path);
  return fmt::format("{}_{:05d}", stem(source.path), event.frame);
}

std::vector<std::string> input_paths(const InputOptions& options) {
  std::vector<std::string> paths = options.paths;
  paths.insert(paths.end(), options.globs.begin(), options.globs.end());
  if (!options.file_list.empty()) append_file_list(options.file_list, paths);
  core::require(!paths.empty(), "no images were given (neither as arguments nor by input.glob or "
                                "input.file_list) see --help");
  return paths;
}

io::EventIndex select_events(const InputOptions& options) {
  io::EventIndex index = io::build_event_index(input_paths(options));
  for (const auto& [path, reason] : index.failed) {
    index.events.push_back({static_cast<std::uint32_t>(index.sources.size()), 0});
    index.sources.push_back({path, "", 0, ""});
  }
  if (!options.image_tags.empty()) keep_tags(index, options.image_tags);
  keep_percent(index.events, options.process_percent);
  if (options.max_images)
    index.events.resize(std::min(index.events.size(), std::size_t(*options.max_images)));
  return index;
}

const std::string* failure_of(const io::EventIndex& index, std::uint32_t source) {
  const std::size_t first_failed = index.sources.size() - index.failed.size();
  return source < first_failed ? nullptr : &index.failed[source - first_failed].second;
}

std::optional<std::pair<std::int64_t, std::int64_t>> BatchSource::next() {
  if (next_ == events_) return std::nullopt;
  // A quarter of an even share of what is left: the last batches are single events.
  constexpr std::int64_t most = 64;
  const std::int64_t left = events_ - next_;
  const std::int64_t count = std::clamp<std::int64_t>(left / (4 * workers_), 1, most);
  const auto first = std::exchange(next_, next_ + count);
  return std::pair(first, count);
}

} // namespace kilobragg::programs
