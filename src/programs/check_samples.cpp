// Processes a handful of images for the numbers that only images can give.
#include "check_samples.hpp"

#include "event_queue.hpp"
#include "geometry_overrides.hpp"
#include "run_files.hpp"
#include "stopwatch.hpp"

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

/// Processes events as the run would; a file stays open while its events follow each other.
class Sampler {
public:
  Sampler(const StillsOptions& options, const io::EventIndex& index,
          const std::optional<io::ReferenceGeometry>& reference)
      : options_(options)
      , index_(index)
      , reference_(reference)
      , processor_(squashing(options.still)) {}

  models::StillResult process(const io::Event& event) {
    open(event.source);
    const auto start = Clock::now();
    pipeline::StillInput input;
    input.source = reader_->source(event.frame);
    input.beam = adjusted_beam(reader_->beam(event.frame), options_);
    core::require(std::isfinite(input.beam.wavelength) && input.beam.wavelength > 0,
                  "frame {} of {} has the wavelength {} (it must be positive)", event.frame,
                  input.source.path, input.beam.wavelength);
    input.detector = adjusted_detector(reader_->detector_of(event.frame), input.beam, options_);
    reader_->read_into(event.frame, image_);
    const double read_seconds = seconds_since(start);
    input.spotfinder_mask = masked(options_.spotfinder_mask);
    input.integration_mask = masked(options_.integration_mask);
    auto result = processor_.process(input, image_);
    result.seconds[static_cast<std::size_t>(models::Step::Read)] = read_seconds;
    return result;
  }

private:
  static pipeline::StillParams squashing(pipeline::StillParams params) {
    params.squash_errors = true;
    return params;
  }

  void open(std::uint32_t source) {
    if (reader_ && open_source_ == source) return;
    reader_ = io::open_images(index_.sources[source].path, index_.sources[source].dataset,
                              options_.input.image_search());
    if (reference_) reader_ = io::replace_geometry(std::move(reader_), *reference_);
    open_source_ = source;
  }

  std::shared_ptr<const models::PixelMask> masked(const std::string& mask) const {
    if (mask.empty()) return nullptr;
    return io::combine_masks(image_.mask, io::read_lookup_mask(mask, *image_.layout));
  }

  const StillsOptions& options_;
  const io::EventIndex& index_;
  const std::optional<io::ReferenceGeometry>& reference_;
  pipeline::StillProcessor processor_;
  std::unique_ptr<io::ImageReader> reader_;
  std::uint32_t open_source_ = 0;
  models::Image image_;
};

std::string tag_of(const io::EventIndex& index, const io::Event& event) {
  const io::FrameSource& source = index.sources[event.source];
  return event_tag(source.path, source.frames > 1, event.frame);
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

double size_of(const std::string& file) { return static_cast<double>(fs::file_size(file)); }

/// Processes events into a shard, whose growth tells the size of the largest result.
void process_all(Sampler&& sampler, const std::vector<io::Event>& events,
                 const io::EventIndex& index, const CheckLimits& limits, const std::string& shard,
                 SampleOutcome& outcome, CheckReport& report) {
  const auto start = Clock::now();
  io::ShardWriter writer(shard, run_header(""));
  for (const io::Event& event : events) {
    if (outcome.summary.stills > 0 && seconds_since(start) > limits.sample_seconds) return;
    try {
      const double before = size_of(shard);
      const auto result = sampler.process(event);
      writer.append(result);
      outcome.summary.add(result);
      outcome.bytes_of_largest = std::max(outcome.bytes_of_largest, size_of(shard) - before);
      if (result.state == models::ExitState::SpotfindingException)
        report.doubt("{} {} ({})", tag_of(index, event), result.state_line(), result.message);
    } catch (const core::Error& error) {
      // The survey of files has said what it found; other frames of them are told here.
      report.doubt("{} would end as preprocess_exception ({})", tag_of(index, event), error.what());
    }
  }
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
  process_all(Sampler(options, index, reference), events, index, limits, shard, outcome, report);
  if (outcome.summary.stills == 0) return outcome;
  const double shard_bytes = size_of(shard);
  io::write_composites(shard, folder.path().string(), 0, composite_names(options.output));
  const double bytes = bytes_in(folder.path(), outcome.files_per_rank);
  outcome.bytes_per_image = bytes / static_cast<double>(outcome.summary.stills);
  outcome.bytes_of_largest *= bytes / shard_bytes;
  say(outcome, report);
  return outcome;
}

} // namespace kilobragg::programs
