// Reads and processes one event after the other, each failure its own exit state.
#include "event_processor.hpp"

#include "geometry_overrides.hpp"
#include "library_gate.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/lookup_mask.hpp"

#include <chrono>
#include <cmath>
#include <filesystem>

namespace kilobragg::programs {
namespace {

using Clock = std::chrono::steady_clock;

/// Says that a frame is being read for as long as it lives.
class Reading {
public:
  explicit Reading(std::atomic<bool>& flag)
      : flag_(flag) {
    flag_ = true;
  }
  ~Reading() { flag_ = false; }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

private:
  std::atomic<bool>& flag_;
};

} // namespace

models::StillResult unread_still(const Task& task, models::ExitState state,
                                 const std::string& message) {
  models::StillResult still;
  still.source.path = std::filesystem::absolute(task.source->path).lexically_normal().string();
  still.source.dataset = task.source->dataset;
  still.source.frame = task.event.frame;
  still.state = state;
  still.message = message;
  return still;
}

EventProcessor::EventProcessor(const StillsOptions& options)
    : options_(options)
    , processor_(options.still) {}

TaskResult EventProcessor::process(const Task& task, std::atomic<bool>& reading,
                                   const std::function<void(const std::string&)>& step) {
  try {
    return read_and_process(task, reading, step);
  } catch (const std::exception& error) {
    if (!options_.still.squash_errors) throw;
    return {unread_still(task, models::ExitState::PreprocessException, error.what()), {}};
  }
}

EventProcessor::Open& EventProcessor::open(const std::shared_ptr<const SourceInfo>& info) {
  for (auto it = open_.begin(); it != open_.end(); ++it)
    if (it->info == info) {
      open_.splice(open_.begin(), open_, it);
      return open_.front();
    }
  if (!info->problem.empty()) core::fail("{}", info->problem);
  core::require(info->geometry->mask_problem.empty(), "{}", info->geometry->mask_problem);
  auto reader = io::open_described({info->geometry->description, info->description});
  if (open_.size() >= remembered_sources) open_.pop_back();
  open_.push_front({info, std::move(reader), nullptr, nullptr, {}});
  return open_.front();
}

std::shared_ptr<const models::Detector>
EventProcessor::detector_of(Open& open, const Task& task, const models::Beam& beam) const {
  auto own = open.reader->detector_of(task.event.frame);
  if (own != open.own || !(beam.direction == open.direction)) {
    open.adjusted = adjusted_detector(own, beam, options_);
    open.own = std::move(own);
    open.direction = beam.direction;
  }
  return open.adjusted;
}

models::Beam EventProcessor::beam_of(const Open& open, const Task& task) const {
  models::Beam beam = open.reader->beam(task.event.frame);
  const io::Shot& shot = task.event.shot;
  if (!std::isnan(shot.flux)) beam.flux = shot.flux;
  if (!std::isnan(shot.wavelength)) beam.wavelength = shot.wavelength;
  beam = adjusted_beam(std::move(beam), options_);
  core::require(std::isfinite(beam.wavelength) && beam.wavelength > 0,
                "frame {} of {} has the wavelength {} (it must be positive) give "
                "geometry.beam.wavelength?",
                task.event.frame, task.source->path, beam.wavelength);
  return beam;
}

std::shared_ptr<const models::PixelMask> EventProcessor::mask(JoinedMask& joined,
                                                              const SourceInfo& source,
                                                              const std::string& packed) const {
  if (packed.empty()) return nullptr;
  if (joined.geometry != source.geometry || joined.own != image_.mask) {
    const auto lookup = std::make_shared<const models::PixelMask>(io::unpack_mask(packed));
    core::require(lookup->size() == image_.layout->size,
                  "lookup.mask has {} pixels, {} has {} is it the mask of another detector?",
                  lookup->size(), source.path, image_.layout->size);
    joined = {source.geometry, image_.mask, io::combine_masks(image_.mask, lookup)};
  }
  return joined.joined;
}

TaskResult EventProcessor::read_and_process(const Task& task, std::atomic<bool>& reading,
                                            const std::function<void(const std::string&)>& step) {
  const auto start = Clock::now();
  pipeline::StillInput input;
  std::vector<io::FileRange> ranges = task.event.ranges;
  {
    const LibraryPass pass;
    const Reading now(reading);
    Open& source = open(task.source);
    input.source = source.reader->source(task.event.frame);
    input.beam = beam_of(source, task);
    input.detector = detector_of(source, task, input.beam);
    source.reader->read_at(task.event.frame, image_, ranges);
  }
  const auto& geometry = *task.source->geometry;
  input.spotfinder_mask = mask(spotfinder_mask_, *task.source, geometry.spotfinder_mask);
  input.integration_mask = mask(integration_mask_, *task.source, geometry.integration_mask);
  const double read_seconds = std::chrono::duration<double>(Clock::now() - start).count();
  step("data_loaded");
  TaskResult result{processor_.process(input, image_, step), std::move(ranges)};
  result.still.seconds[std::size_t(models::Step::Read)] = read_seconds;
  return result;
}

} // namespace kilobragg::programs
