// One event after the other, each failure its own exit state.
#include "still_worker.hpp"

#include "event_source.hpp"
#include "geometry_overrides.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/lookup_mask.hpp"

#include <chrono>
#include <cstring>

namespace kilobragg::programs {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double& step_seconds(models::StillResult& result, models::Step step) {
  return result.seconds[static_cast<std::size_t>(step)];
}

/// A gain in the detector model and another from the user would both be applied.
void require_one_gain(const models::Detector& detector, const StillsOptions& options) {
  const auto& gain = options.still.spotfinder.dispersion.gain;
  if (!gain || *gain == 1 || options.input.ignore_gain_mismatch) return;
  for (const auto& panel : detector.panels)
    core::require(panel.gain == 1,
                  "the detector's gain is {} and spotfinder.threshold.dispersion.gain={} too (both "
                  "would count) set input.ignore_gain_mismatch=True if that is meant?",
                  panel.gain, *gain);
}

std::string key_of(const io::FrameSource& source) {
  return source.expt + '\n' + source.path + '\n' + source.dataset;
}

} // namespace

ReaderCache::Open& ReaderCache::get(const io::FrameSource& source) {
  const std::string key = key_of(source);
  for (auto it = entries_.begin(); it != entries_.end(); ++it)
    if (it->key == key) {
      entries_.splice(entries_.begin(), entries_, it);
      return entries_.front();
    }
  auto reader = io::open_images(source.path, source.dataset);
  if (reference_) reader = io::replace_geometry(std::move(reader), *reference_);
  if (entries_.size() >= most_) entries_.pop_back();
  entries_.push_front({key, std::move(reader), nullptr});
  return entries_.front();
}

std::shared_ptr<const models::PixelMask> LookupMask::for_image(const models::Image& image) {
  if (path_.empty()) return nullptr;
  if (!joined_ || layout_ != image.layout || own_ != image.mask) {
    joined_ = io::combine_masks(image.mask, io::read_lookup_mask(path_, *image.layout));
    layout_ = image.layout;
    own_ = image.mask;
  }
  return joined_;
}

std::string BatchReport::pack() const {
  std::string bytes(sizeof summary, '\0');
  std::memcpy(bytes.data(), &summary, sizeof summary);
  for (const auto& line : lines) bytes += line + '\n';
  return bytes;
}

BatchReport BatchReport::unpack(const std::string& bytes) {
  BatchReport report;
  std::memcpy(&report.summary, bytes.data(), sizeof report.summary);
  for (std::size_t at = sizeof report.summary; at < bytes.size();) {
    const auto end = bytes.find('\n', at);
    report.lines.push_back(bytes.substr(at, end - at));
    at = end + 1;
  }
  return report;
}

std::string state_line(const std::string& tag, const models::StillResult& result) {
  std::string text = fmt::format("{} {}", tag, result.state_line());
  for (const auto& found : result.lattices)
    text +=
        fmt::format("  {} indexed, RMSD indexed (px) {:.3f}, cell {}", found.lattice.spots.size(),
                    found.lattice.rmsd_px, found.lattice.crystal.unit_cell().to_string());
  if (!result.message.empty()) {
    std::string message = result.message;
    for (auto& c : message)
      if (c == '\n') c = ' ';
    text += "  (" + message + ")";
  }
  return text;
}

StillWorker::StillWorker(const StillsOptions& options, const io::EventIndex& index,
                         std::optional<io::ReferenceGeometry> reference, StepLog& log, Shard shard)
    : options_(options)
    , index_(index)
    , log_(log)
    , readers_(std::move(reference))
    , processor_(options.still)
    , shard_(std::move(shard))
    , spotfinder_mask_(options.spotfinder_mask)
    , integration_mask_(options.integration_mask) {}

std::string StillWorker::close_shard() {
  if (!writer_) return "";
  writer_.reset();
  return shard_.path;
}

BatchReport StillWorker::work(std::int64_t first, std::int64_t count) {
  if (!writer_) writer_.emplace(shard_.path, shard_.run);
  BatchReport report;
  for (std::int64_t i = first; i < first + count; ++i) {
    const io::Event& event = index_.events[std::size_t(i)];
    models::StillResult result = process(event);
    const auto start = Clock::now();
    writer_->append(result);
    step_seconds(result, models::Step::Write) = seconds_since(start);
    log_.end(result);
    report.summary.add(result);
    report.lines.push_back(state_line(event_tag(index_, event), result));
    if (report_details_) report.lines.push_back(still_details(result));
  }
  return report;
}

models::StillResult StillWorker::process(const io::Event& event) {
  log_.begin(event_tag(index_, event));
  try {
    return read_and_process(event);
  } catch (const std::exception& error) {
    if (!options_.still.squash_errors) throw;
    models::StillResult result;
    result.source.path = index_.sources[event.source].path;
    result.source.dataset = index_.sources[event.source].dataset;
    result.source.frame = event.frame;
    result.state = models::ExitState::PreprocessException;
    result.message = error.what();
    return result;
  }
}

models::StillResult StillWorker::read_and_process(const io::Event& event) {
  if (const std::string* reason = failure_of(index_, event.source)) core::fail("{}", *reason);
  const auto start = Clock::now();
  auto& open = readers_.get(index_.sources[event.source]);
  if (!open.detector) open.detector = adjusted_detector(*open.reader);
  io::ImageReader& reader = *open.reader;
  pipeline::StillInput input;
  input.source = reader.source(event.frame);
  input.beam = reader.beam(event.frame);
  if (options_.geometry.wavelength) {
    input.beam.wavelength = *options_.geometry.wavelength;
    input.beam.spectrum = {};
  }
  input.detector = open.detector;
  reader.read_into(event.frame, image_);
  input.spotfinder_mask = spotfinder_mask_.for_image(image_);
  input.integration_mask = integration_mask_.for_image(image_);
  const double read_seconds = seconds_since(start);
  log_.step("data_loaded");
  auto result =
      processor_.process(input, image_, [this](const std::string& message) { log_.step(message); });
  step_seconds(result, models::Step::Read) = read_seconds;
  return result;
}

std::shared_ptr<const models::Detector>
StillWorker::adjusted_detector(const io::ImageReader& reader) {
  std::shared_ptr<const models::Detector> detector = reader.detector();
  if (options_.geometry.distance)
    detector = std::make_shared<const models::Detector>(
        at_distance(*detector, reader.beam(0), *options_.geometry.distance));
  require_one_gain(*detector, options_);
  return detector;
}

} // namespace kilobragg::programs
