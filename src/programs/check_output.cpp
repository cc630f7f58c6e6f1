// Looks at the output folder without changing it.
#include "check_output.hpp"

#include "event_queue.hpp"
#include "run_files.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/shard.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <unordered_set>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string readable(double bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  for (; bytes >= 999.5 && unit < 5; ++unit) bytes /= 1000;
  return fmt::format("{:.3g} {}", bytes, units[unit]);
}

/// The folder itself, or the nearest one above it that exists.
fs::path existing_part(const fs::path& directory) {
  fs::path at = fs::absolute(directory).lexically_normal();
  std::error_code ignored;
  while (!fs::exists(at, ignored) && at.has_parent_path() && at != at.parent_path())
    at = at.parent_path();
  return at;
}

/// What shards of an earlier run hold.
struct Earlier {
  std::vector<std::string> shards;
  std::unordered_set<std::string> images; ///< path, dataset and frame of each image
  double bytes = 0;
  bool all_read = true;
};

std::string image_key(const std::string& path, const std::string& dataset, std::int64_t frame) {
  return fs::absolute(path).lexically_normal().string() + '\n' + dataset + '\n' +
         std::to_string(frame);
}

struct TimeIsUp {};

Earlier read_earlier(const fs::path& directory, double seconds, CheckReport& report) {
  Earlier earlier;
  std::error_code ignored;
  earlier.shards = io::shards_in(directory.string());
  for (const auto& shard : earlier.shards)
    earlier.bytes += static_cast<double>(fs::file_size(shard, ignored));
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (const auto& shard : earlier.shards) {
    try {
      io::read_shard_digests(shard, [&](io::StillDigest&& still) {
        if (!io::is_unopened(still))
          earlier.images.insert(
              image_key(still.source.path, still.source.dataset, still.source.frame));
        if (Clock::now() > end) throw TimeIsUp();
      });
    } catch (const core::Error& error) {
      report.problem("{}", error.what());
    } catch (const TimeIsUp&) {
      earlier.all_read = false;
      break;
    }
  }
  return earlier;
}

/// Images of the index that an earlier run has done.
std::int64_t done_before(const Earlier& earlier, const io::EventIndex& index) {
  if (earlier.images.empty()) return 0;
  return std::count_if(index.events.begin(), index.events.end(), [&](const io::Event& event) {
    const auto& source = index.sources[event.source];
    return earlier.images.count(image_key(source.path, source.dataset, event.frame)) != 0;
  });
}

void check_writable(const OutputOptions& output, CheckReport& report) {
  const fs::path at = existing_part(output.directory);
  std::error_code ignored;
  const bool there = fs::exists(output.directory, ignored);
  report.line("folder {}{}", output.directory, there ? "" : " (would be made)");
  if (!fs::is_directory(at, ignored))
    report.problem("the folder '{}' of output.output_dir cannot be made ('{}' is a file)",
                   output.directory, at.string());
  else if (access(at.c_str(), W_OK | X_OK) != 0)
    report.problem("'{}' cannot be written ({}) choose another output.output_dir?", at.string(),
                   std::strerror(errno));
  try {
    composite_names(output);
  } catch (const core::Error& error) {
    report.problem("{}", error.what());
  }
}

std::int64_t check_earlier(const StillsOptions& options, const io::EventIndex& index, bool resume,
                           const CheckLimits& limits, CheckReport& report) {
  const auto events = static_cast<std::int64_t>(index.events.size());
  const auto earlier = read_earlier(options.output.directory, limits.shard_seconds, report);
  if (earlier.shards.empty()) {
    report.line("holds no results of an earlier run");
    return events;
  }
  const std::int64_t done = done_before(earlier, index);
  const char* const more = earlier.all_read ? "" : " at least (not all was read, to save time)";
  report.line("holds {} shard{} ({}) of an earlier run with results of {} images{}",
              earlier.shards.size(), earlier.shards.size() == 1 ? "" : "s", readable(earlier.bytes),
              earlier.images.size(), more);
  report.line("{} of the {} images of this run are among them{}", done, events, more);
  if (resume) return events - done;
  report.doubt("'{}' holds results of an earlier run (they are not part of a new one) continue it "
               "with --resume, which would process {} images, or choose another output.output_dir?",
               options.output.directory, events - done);
  return events;
}

void check_room(const StillsOptions& options, std::int64_t images, const SampleOutcome& sample,
                int ranks, CheckReport& report) {
  struct statvfs room {};
  const fs::path at = existing_part(options.output.directory);
  if (statvfs(at.c_str(), &room) != 0) {
    report.doubt("the room in '{}' is not known ({})", at.string(), std::strerror(errno));
    return;
  }
  const double free = static_cast<double>(room.f_bavail) * static_cast<double>(room.f_frsize);
  const std::int64_t files = sample.files_per_rank * ranks + 1;
  report.line("{} free", readable(free));
  // A file system without a table of inodes gives 0 of 0.
  if (room.f_files > 0 && static_cast<double>(room.f_favail) < static_cast<double>(files))
    report.problem("'{}' has no room for {} more files ({} are possible) choose another "
                   "output.output_dir, or fewer ranks?",
                   at.string(), files, room.f_favail);
  if (sample.summary.stills == 0) return;
  const double n = static_cast<double>(images);
  const double expected = n * sample.bytes_per_image, most = n * sample.bytes_of_largest;
  report.line("results: about {} in at most {} files (bytes per image of the sample), {} if every "
              "image were as its largest",
              readable(expected), files, readable(most));
  if (expected > free)
    report.problem("results would need about {} but '{}' has {} (from the images of the sample) "
                   "choose another output.output_dir, or write fewer composites?",
                   readable(expected), at.string(), readable(free));
  else if (most > free)
    report.doubt("results could need up to {} but '{}' has {} (if every image were as the largest "
                 "of the sample)",
                 readable(most), at.string(), readable(free));
}

} // namespace

std::int64_t check_output(const StillsOptions& options, const io::EventIndex& index,
                          const SampleOutcome& sample, int ranks, bool resume,
                          const CheckLimits& limits, CheckReport& report) {
  report.section("Output");
  check_writable(options.output, report);
  const auto images = check_earlier(options, index, resume, limits, report);
  check_room(options, images, sample, ranks, report);
  return images;
}

} // namespace kilobragg::programs
