// Processes a handful of images for the numbers that only images can give.
#include "check_samples.hpp"

#include "event_source.hpp"
#include "run_files.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/lookup_mask.hpp"
#include "kilobragg/io/shard.hpp"
#include "kilobragg/pipeline/process_still.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "kilobragg_check_XXXXXX").string();
    core::require(::mkdtemp(pattern.data()) != nullptr,
                  "cannot make a temporary folder '{}' (no room or no permission) set TMPDIR?",
                  pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

private:
  fs::path path_;
};

/// Bytes of files in a folder, those with two names once.
double bytes_in(const fs::path& folder, std::int64_t& files) {
  double bytes = 0;
  files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    ++files;
    bytes += static_cast<double>(entry.file_size()) / static_cast<double>(entry.hard_link_count());
  }
  return bytes;
}

models::StillResult process(const StillsOptions& options, const io::FrameSource& source,
                            std::int64_t frame,
                            const std::optional<io::ReferenceGeometry>& reference,
                            pipeline::StillProcessor& processor) {
  const auto start = Clock::now();
  auto reader = io::open_images(source.path, source.dataset);
  if (reference) reader = io::replace_geometry(std::move(reader), *reference);
  pipeline::StillInput input;
  input.source = reader->source(frame);
  input.beam = adjusted_beam(reader->beam(frame), options);
  input.detector = adjusted_detector(reader->detector(), input.beam, options);
  auto image = reader->read(frame);
  const auto masked = [&image](const std::string& mask) {
    return mask.empty() ? nullptr
                        : io::combine_masks(image.mask, io::read_lookup_mask(mask, *image.layout));
  };
  input.spotfinder_mask = masked(options.spotfinder_mask);
  input.integration_mask = masked(options.integration_mask);
  const double read_seconds = seconds_since(start);
  auto result = processor.process(input, image);
  result.seconds[static_cast<std::size_t>(models::Step::Read)] = read_seconds;
  return result;
}

/// Up to `most` events that can be opened, evenly spread.
std::vector<io::Event> chosen(const io::EventIndex& index, int most) {
  std::vector<io::Event> events;
  const auto total = index.events.size();
  const auto n = std::min<std::size_t>(total, static_cast<std::size_t>(std::max(most, 0)));
  for (std::size_t i = 0; i < n; ++i) {
    const auto& event = index.events[(2 * i + 1) * total / (2 * n)];
    if (!failure_of(index, event.source)) events.push_back(event);
  }
  return events;
}

void say(const SampleOutcome& outcome, CheckReport& report) {
  const auto& summary = outcome.summary;
  for (int i = 0; i < models::exit_state_count; ++i)
    if (const auto n = summary.by_state[static_cast<std::size_t>(i)]; n > 0)
      report.line("{} of {} end as {}", n, summary.stills,
                  models::word(static_cast<models::ExitState>(i)));
  if (summary.lattices > 0)
    report.line("{:.0f} spots per hit, {:.0f} reflections integrated per lattice",
                static_cast<double>(summary.spots) / static_cast<double>(summary.hits()),
                static_cast<double>(summary.reflections) / static_cast<double>(summary.lattices));
  constexpr const char* steps[models::step_count] = {"read",   "find spots", "index",
                                                     "refine", "integrate",  "write"};
  std::string times;
  for (std::size_t i = 0; i < summary.seconds.size(); ++i)
    if (summary.runs[i] > 0)
      times += fmt::format("{}{} {:.0f}", times.empty() ? "" : ", ", steps[i],
                           1e3 * summary.seconds[i] / static_cast<double>(summary.runs[i]));
  report.line("ms per image that reached the step: {}", times);
  report.line("results: {:.1f} kB per image, {:.1f} kB for the largest",
              1e-3 * outcome.bytes_per_image, 1e-3 * outcome.bytes_of_largest);
}

} // namespace

SampleOutcome check_samples(const StillsOptions& options, const io::EventIndex& index,
                            const std::optional<io::ReferenceGeometry>& reference,
                            const CheckLimits& limits, CheckReport& report) {
  SampleOutcome outcome;
  const auto events = chosen(index, limits.samples);
  if (events.empty()) return outcome;
  report.section("Sample (processed in memory, spread over all images)");
  const TemporaryFolder folder;
  const std::string shard = (folder.path() / "idx-0000.shard").string();
  auto params = options.still;
  params.squash_errors = true;
  pipeline::StillProcessor processor(params);
  const auto start = Clock::now();
  {
    io::ShardWriter writer(shard, run_header(""));
    double before = static_cast<double>(fs::file_size(shard));
    for (const io::Event& event : events) {
      if (outcome.summary.stills > 0 && seconds_since(start) > limits.sample_seconds) break;
      try {
        const auto result =
            process(options, index.sources[event.source], event.frame, reference, processor);
        writer.append(result);
        outcome.summary.add(result);
        const double after = static_cast<double>(fs::file_size(shard));
        outcome.bytes_of_largest = std::max(outcome.bytes_of_largest, after - before);
        before = after;
        if (result.state == models::ExitState::SpotfindingException)
          report.doubt("{} {} ({})", event_tag(index, event), result.state_line(), result.message);
      } catch (const core::Error& error) {
        // The survey of files has said what it found; other frames of them are told here.
        report.doubt("{} would end as preprocess_exception ({})", event_tag(index, event),
                     error.what());
      }
    }
    outcome.seconds = seconds_since(start);
  }
  if (outcome.summary.stills == 0) return outcome;
  const double shard_bytes = static_cast<double>(fs::file_size(shard));
  io::write_composites(shard, folder.path().string(), 0, composite_names(options.output));
  const double bytes = bytes_in(folder.path(), outcome.files_per_rank);
  outcome.bytes_per_image = bytes / static_cast<double>(outcome.summary.stills);
  outcome.bytes_of_largest *= bytes / shard_bytes;
  say(outcome, report);
  return outcome;
}

} // namespace kilobragg::programs
