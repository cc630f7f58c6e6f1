// The order of the stages for one still, and which exit state each failure means.
#include "kilobragg/pipeline/process_still.hpp"

#include "model_integration.hpp"

#include "kilobragg/models/mapping.hpp"

#include <fmt/format.h>

#include <chrono>

namespace kilobragg::pipeline {
namespace {

using models::ExitState;
using models::StillResult;

/// Adds the time it lives to one step of a result.
class StepTimer {
public:
  StepTimer(StillResult& result, models::Step step)
      : seconds_(result.seconds[static_cast<std::size_t>(step)])
      , start_(std::chrono::steady_clock::now()) {}
  ~StepTimer() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  StepTimer(const StepTimer&) = delete;
  StepTimer& operator=(const StepTimer&) = delete;

private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_;
};

/// Gives an image another mask while it lives.
class MaskInPlace {
public:
  MaskInPlace(models::Image& image, const std::shared_ptr<const models::PixelMask>& mask)
      : image_(image)
      , own_(image.mask) {
    if (mask) image_.mask = mask;
  }
  ~MaskInPlace() { image_.mask = own_; }
  MaskInPlace(const MaskInPlace&) = delete;
  MaskInPlace& operator=(const MaskInPlace&) = delete;

private:
  models::Image& image_;
  std::shared_ptr<const models::PixelMask> own_;
};

void finish(StillResult& result, ExitState state, std::size_t count, std::string message = {}) {
  result.state = state;
  result.count = static_cast<int>(count);
  result.message = std::move(message);
}

/// Runs one stage; a failure becomes `failed` with the stage's own words, or goes on to the caller
/// if errors are not squashed. Returns whether the stage went through.
template <typename Stage>
bool attempt(StillResult& result, bool squash, ExitState failed, std::size_t count,
             const Stage& stage) {
  try {
    stage();
    return true;
  } catch (const std::exception& error) {
    if (!squash) throw;
    finish(result, failed, count, error.what());
    return false;
  }
}

/// Whether the hit finder lets the still pass.
bool is_hit(StillResult& result, const HitFinderParams& params) {
  if (!params.enable) return true;
  const auto n = static_cast<int>(result.spots.size());
  if (params.minimum_number_of_reflections && n < *params.minimum_number_of_reflections) {
    finish(result, ExitState::NotEnoughSpots, result.spots.size(),
           fmt::format("{} strong spots, {} needed", n, *params.minimum_number_of_reflections));
    return false;
  }
  if (params.maximum_number_of_reflections && n > *params.maximum_number_of_reflections) {
    finish(result, ExitState::TooManySpots, result.spots.size(),
           fmt::format("{} strong spots, at most {} allowed", n,
                       *params.maximum_number_of_reflections));
    return false;
  }
  return true;
}

std::size_t indexed_count(const StillResult& result) {
  std::size_t n = 0;
  for (const auto& found : result.lattices) n += found.lattice.spots.size();
  return n;
}

std::size_t integrated_count(const StillResult& result) {
  std::size_t n = 0;
  for (const auto& found : result.lattices) n += found.reflections.size();
  return n;
}

} // namespace

StillProcessor::StillProcessor(const StillParams& params)
    : params_(params)
    , finder_(params.spotfinder) {
  if (params_.find_spots && params_.index) indexer_.emplace(params_.indexing);
  if (params_.pixel_model.factors)
    model_ = std::make_unique<ModelIntegrator>(params_.pixel_model, params_.integration);
}

StillProcessor::~StillProcessor() = default;
StillProcessor::StillProcessor(StillProcessor&&) noexcept = default;

void StillProcessor::say(const std::string& message) const {
  if (listener_) listener_(message);
}

StillResult StillProcessor::process(const StillInput& input, models::Image& image,
                                    const StepListener& listener) {
  listener_ = listener;
  StillResult result;
  result.source = input.source;
  result.beam = input.beam;
  result.detector = input.detector;
  {
    const MaskInPlace mask(image, input.spotfinder_mask);
    if (!find_spots(result, image)) return result;
  }
  if (!params_.index) return result;
  if (!index(result)) return result;
  if (params_.refine && !refine(result)) return result;
  if (params_.integrate) {
    const MaskInPlace mask(image, input.integration_mask);
    integrate(result, image);
  }
  return result;
}

bool StillProcessor::find_spots(StillResult& result, const models::Image& image) {
  if (!params_.find_spots) {
    finish(result, ExitState::SpotfindingOk, 0);
    return false;
  }
  say("spotfind_start");
  const StepTimer timer(result, models::Step::Spotfind);
  const bool found =
      attempt(result, params_.squash_errors, ExitState::SpotfindingException, 0, [&] {
        result.spots = finder_.find(image, *result.detector, result.beam);
        models::map_spots(result.spots, *result.detector, result.beam);
      });
  if (!found) return false;
  finish(result, ExitState::SpotfindingOk, result.spots.size());
  if (!is_hit(result, params_.hit_finder)) return false;
  say(result.state_line());
  return true;
}

bool StillProcessor::index(StillResult& result) {
  say("index_start");
  const StepTimer timer(result, models::Step::Index);
  const std::size_t spots = result.spots.size();
  indexing::IndexingOutcome outcome;
  if (!attempt(result, params_.squash_errors, ExitState::IndexingFailed, spots,
               [&] { outcome = indexer_->index(result.spots, result.beam, *result.detector); }))
    return false;
  if (outcome.lattices.empty()) {
    finish(result, ExitState::IndexingFailed, spots, outcome.message);
    return false;
  }
  for (std::size_t i = 0; i < outcome.lattices.size(); ++i) {
    models::IntegratedLattice found;
    found.lattice = std::move(outcome.lattices[i]);
    found.identifier = models::experiment_identifier(result.source.content_id, result.source.frame,
                                                     static_cast<int>(i));
    result.lattices.push_back(std::move(found));
  }
  finish(result, ExitState::IndexOk, indexed_count(result));
  say(result.state_line());
  return true;
}

bool StillProcessor::refine(StillResult& result) {
  say("refine_start");
  const StepTimer timer(result, models::Step::Refine);
  const bool refined =
      attempt(result, params_.squash_errors, ExitState::RefineFailed, indexed_count(result), [&] {
        for (auto& found : result.lattices)
          refinement::refine_still(found.lattice, result.spots, result.beam, *result.detector,
                                   params_.indexing.refinement);
      });
  return refined;
}

void StillProcessor::integrate(StillResult& result, const models::Image& image) {
  say("integrate_start");
  const StepTimer timer(result, models::Step::Integrate);
  std::string why_not; // by the model
  const bool done = attempt(
      result, params_.squash_errors, ExitState::IntegrateFailed, indexed_count(result), [&] {
        if (model_) why_not = integrate_by_model(result, image);
        if (model_ && why_not.empty()) return;
        for (auto& found : result.lattices)
          found.reflections =
              integration::integrate_still(found.lattice, result.spots, image, result.beam,
                                           *result.detector, params_.integration);
      });
  if (done) finish(result, ExitState::IntegrateOk, integrated_count(result), why_not);
}

std::string StillProcessor::integrate_by_model(StillResult& result, const models::Image& image) {
  say("pixel_model_start");
  ModelIntegration done = model_->integrate(result, image);
  if (!done.failure.empty()) {
    say("pixel_model_failed");
    return "integrated without the pixel model: " + done.failure;
  }
  result.lattices = std::move(done.lattices);
  return {};
}

} // namespace kilobragg::pipeline
