// Looks at the output folder without changing it.
#include "check_output.hpp"

#include "resume.hpp"
#include "run_files.hpp"
#include "stopwatch.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/shard.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;

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
  std::vector<std::string> shards, shares; ///< shares: as read_done_share() gives them
  double bytes = 0;
  bool all_read = true;
};

Earlier read_earlier(const std::string& directory, double seconds, CheckReport& report) {
  Earlier earlier;
  earlier.shards = io::shards_in(directory);
  const auto start = std::chrono::steady_clock::now();
  for (const auto& shard : earlier.shards) {
    std::error_code ignored;
    earlier.bytes += static_cast<double>(fs::file_size(shard, ignored));
    if (!earlier.shares.empty() && seconds_since(start) > seconds) {
      earlier.all_read = false;
      continue;
    }
    try {
      earlier.shares.push_back(read_done_share({shard}, 0, 1));
    } catch (const core::Error& error) {
      report.problem("{}", error.what());
    }
  }
  return earlier;
}

/// Images that a resumed run would process, as its queue counts them; the inputs are looked at again.
std::int64_t left_to_do(const StillsOptions& options, DoneImages done) {
  StillsOptions finding = options;
  finding.input.reference_geometry.clear();
  EventQueue queue(finding, std::move(done));
  queue.scan_all();
  return queue.known();
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

/// What stands in the way of a new run, or of going on with the one before.
void check_may_start(const StillsOptions& options, const RunStart& start, const Earlier& earlier,
                     CheckReport& report) {
  try {
    if (start.resume)
      join_done_shares(earlier.shares, start.phil);
    else
      require_ended_run(options.output);
  } catch (const core::Error& error) {
    report.problem("{}", error.what());
  }
}

std::int64_t check_earlier(const StillsOptions& options, const io::EventIndex& index,
                           const RunStart& start, const CheckLimits& limits, CheckReport& report) {
  const auto events = static_cast<std::int64_t>(index.events.size());
  const auto earlier = read_earlier(options.output.directory, limits.shard_seconds, report);
  if (earlier.shards.empty()) {
    report.line("holds no results of an earlier run");
    return events;
  }
  check_may_start(options, start, earlier, report);
  auto images = join_done_shares(earlier.shares, "");
  const std::int64_t results = images.size();
  const std::int64_t left =
      events > 0 && results > 0 ? left_to_do(options, std::move(images)) : events;
  const char* const more = earlier.all_read ? "" : " at least (not all was read, to save time)";
  report.line("holds {} shard{} ({}) of an earlier run with results of {} images{}",
              earlier.shards.size(), earlier.shards.size() == 1 ? "" : "s", readable(earlier.bytes),
              results, more);
  report.line("{} of the {} images of this run are among them{}", events - left, events, more);
  if (start.resume) return left;
  report.doubt("'{}' holds results of an earlier run (they are not part of a new one) continue it "
               "with --resume, which would process {} images, or choose another output.output_dir?",
               options.output.directory, left);
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
                          const SampleOutcome& sample, const RunStart& start,
                          const CheckLimits& limits, CheckReport& report) {
  report.section("Output");
  check_writable(options.output, report);
  const auto images = check_earlier(options, index, start, limits, report);
  check_room(options, images, sample, start.ranks, report);
  return images;
}

} // namespace kilobragg::programs
