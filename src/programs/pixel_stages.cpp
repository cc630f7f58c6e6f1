// The stages of refinement against pixels: cutting shoeboxes, shots, predictions, structure factors.
#include "pixel_steps.hpp"
#include "pixel_table.hpp"
#include "stopwatch.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/numbers.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/pixelrefinement/first_model.hpp"
#include "kilobragg/pixelrefinement/placement.hpp"
#include "kilobragg/pixelrefinement/shot_image.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::programs {

using namespace pixelrefinement;

namespace {

void warn_of_rejected(const parallel::Communicator& communicator, const FactorTarget& target) {
  std::int64_t rejected = 0;
  for (const std::int64_t n : target.rejected()) rejected += n;
  rejected = communicator.all_sum(rejected);
  if (rejected > 0)
    core::log_warning("{} pixels take no part (value, background or model is no number)", rejected);
}

/// G, B and N of a held shot as stage 2 left them.
void move_shot(ShotModel& shot, const std::vector<double>& x, const FactorTarget& target,
               std::size_t held) {
  for (std::size_t l = 0; l < shot.lattices.size(); ++l) {
    diffraction::ShotLattice& lattice = shot.lattices[l];
    lattice.scale *= std::exp(x[target.scale_of(held, l)]);
    lattice.size = std::exp(x[target.size_of(held, l)]) * lattice.size;
  }
  shot.b_factor += x[target.b_of(held)];
}

/// Root mean square of the change of ln F in its new errors, over what was measured.
double shift_in_sigmas(const FactorTable& before, const FactorTable& now) {
  constexpr double most = 25; // an index that began far off does not decide
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (now.measured[i] == 0) continue;
    const double moved = std::log(now.f[i] / before.f[i]) / now.sigma[i];
    sum += std::min(moved * moved, most);
    count += 1;
  }
  return count > 0 ? std::sqrt(sum / count) : 0;
}

} // namespace

ShoeboxParams PixelRun::shoebox_params() const {
  ShoeboxParams params;
  params.gain = pixels_.gain;
  params.readout = pixels_.readout;
  params.left_out = pixels_.left_out;
  params.dark_rms = lookups_.noise;
  return params;
}

void PixelRun::cut(ShotRecord& shot, bool first) {
  try {
    const models::Image& image = images_.read(shot.model);
    const ShoeboxParams params = shoebox_params();
    if (first && !scale_to_image(shot.model, image, table_, sphere_, mean_, pixels_.predict_params,
                                 params, pixels_.stage1_params)) {
      shot.model.state = ShotState::NoPixels;
      return;
    }
    const auto spots = predict_shot(shot.model, sphere_, mean_, pixels_.predict_params);
    shot.pixels = cut_shoeboxes(image, *shot.model.detector, spots, shot.model.identifier, params);
  } catch (const core::Error& error) {
    problems_.push_back(no_pixels_text(shot.model, error.what()));
    if (first) shot.model.state = ShotState::NoPixels;
  }
}

void PixelRun::cut_first() {
  bool whole = true;
  for (const std::size_t i : in_order_of_images(shots_)) {
    ShotRecord& shot = shots_[i];
    if (progress_[i].cut > 0 || shot.model.state != ShotState::Fresh) continue;
    if (stop_signal() != 0) {
      whole = false;
      break;
    }
    cut(shot, true);
    progress_[i].cut = 1;
  }
  warn_of(communicator_, std::exchange(problems_, {}));
  if (communicator_.any(!whole)) {
    save(PixelStep::Cut, 1);
    end_early("while shoeboxes were cut");
  }
  keep_progress();
  shots_ = distribute_shots(communicator_, std::move(shots_));
  take_all_progress();
}

void PixelRun::log_cpu(const std::string& what, double start, const std::string& each,
                       std::int64_t mine) const {
  std::vector<double> seconds{cpu_seconds() - start};
  communicator_.all_sum(std::span(seconds));
  const std::int64_t all = std::max<std::int64_t>(1, communicator_.all_sum(mine));
  core::log_info("{}: {:.2f} CPU s, {:.4f} per {}", what, seconds[0], seconds[0] / double(all),
                 each);
}

void PixelRun::refine_together(const std::vector<std::size_t>& numbers) {
  std::vector<ShotToRefine> some;
  some.reserve(numbers.size());
  for (const std::size_t i : numbers) some.push_back({&shots_[i].model, &shots_[i].pixels});
  const std::vector<Stage1Result> results =
      refine_shots(some, table_, sphere_, pixels_.stage1_params);
  const ShoeboxParams params = shoebox_params();
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    const std::size_t i = numbers[k];
    ShotRecord& shot = shots_[i];
    results_[i] = results[k];
    if (is_refined(shot.model))
      fit_backgrounds(
          shot.pixels,
          model_image(shot.model, shot.pixels, table_, sphere_, pixels_.stage1_params).bragg,
          params);
    progress_[i].cut = progress_[i].refined = state_.cycle;
  }
}

void PixelRun::stage1() {
  bool whole = true;
  const int cycle = state_.cycle;
  const double start = cpu_seconds();
  const std::size_t most = pixels_.shots_per_launch > 0
                               ? static_cast<std::size_t>(pixels_.shots_per_launch)
                               : shots_that_fill_the_device();
  std::vector<std::size_t> together;
  for (const std::size_t i : in_order_of_images(shots_)) {
    ShotRecord& shot = shots_[i];
    if (progress_[i].refined == cycle || !takes_part(shot.model)) continue;
    if (stop_signal() != 0) {
      whole = false;
      break;
    }
    if (cycle > 1 && is_refined(shot.model)) cut(shot, false);
    together.push_back(i);
    if (together.size() >= most) refine_together(std::exchange(together, {}));
  }
  if (whole) refine_together(together); // those cut before a signal are cut again
  log_cpu("Stage 1, with shoeboxes and backgrounds", start, "shot", std::int64_t(shots_.size()));
  warn_of(communicator_, std::exchange(problems_, {}));
  if (!communicator_.any(!whole)) {
    give_up_misfits();
    return;
  }
  save(PixelStep::Stage1, cycle);
  end_early("in stage 1");
}

/// Shots that fit much worse than the others: bad pixels, a wrong lattice, another crystal.
void PixelRun::give_up_misfits() {
  std::vector<double> mine;
  for (std::size_t i = 0; i < shots_.size(); ++i)
    if (is_refined(shots_[i].model)) mine.push_back(results_[i].sigma_z);
  double usual = core::median(communicator_.gather(mine));
  communicator_.broadcast_value(usual);
  const double most = pixels_.max_sigma_z_ratio * std::max(1.0, usual);
  std::int64_t given_up = 0;
  for (std::size_t i = 0; i < shots_.size(); ++i) {
    if (!is_refined(shots_[i].model) || results_[i].sigma_z <= most) continue;
    shots_[i].model.state = ShotState::BadFit;
    ++given_up;
  }
  given_up = communicator_.all_sum(given_up);
  if (given_up > 0)
    core::log_info("{} shots with sigma-Z above {:.2f}, {} times the median, are given up",
                   given_up, most, pixels_.max_sigma_z_ratio);
}

void PixelRun::predict() {
  bool whole = true;
  for (const std::size_t i : in_order_of_images(shots_)) {
    if (!is_refined(shots_[i].model)) continue;
    if (stop_signal() != 0) {
      whole = false;
      break;
    }
    cut(shots_[i], false);
  }
  warn_of(communicator_, std::exchange(problems_, {}));
  if (!communicator_.any(!whole)) return;
  if (!pixels_.does_stage1())
    throw parallel::CommonError("stopped by a signal while shoeboxes were cut; those of before "
                                "stay, and --predict begins anew",
                                merge_stopped);
  save(PixelStep::Predict, state_.cycle);
  end_early("while shoeboxes were cut");
}

FactorRefinement PixelRun::refine_set(const std::string& set, FactorTarget& target,
                                      const FactorTable& table, const std::vector<HeldShot>& held,
                                      const std::vector<std::uint8_t>& on,
                                      std::vector<std::size_t>* bad) {
  Stage2Params params = pixels_.stage2_params;
  params.checkpoint = checkpoint(set);
  params.resume = pixels_.resume;
  // Shards alone are no state: what else a checkpoint must agree with goes in here.
  const std::string state = state_.serial > 0
                                ? digest_of(state_)
                                : problem_ + shot_set_ + options_that_matter(input_.options);
  params.digest = core::md5_hex(state + set);
  FactorRefinement refined;
  try { // reading and writing of checkpoints fails on all ranks alike
    refined = refine_factors(
        communicator_, target, table, mean_, held, on, params, [this] { return stopped(); }, bad);
  } catch (const core::Error& error) {
    throw parallel::CommonError(error.what(), merge_failed);
  }
  if (refined.end == FactorEnd::Stopped)
    end_early(set.empty() ? "in stage 2" : "while half sets were refined");
  return refined;
}

double PixelRun::stage2(bool last) {
  std::vector<ShotStream> streams;
  std::vector<HeldShot> held;
  std::vector<std::size_t> number;
  for (std::size_t i = 0; i < shots_.size(); ++i) {
    const ShotRecord& shot = shots_[i];
    if (!is_refined(shot.model)) continue;
    streams.push_back(make_stream(shot.model, shot.pixels, table_, sphere_, mean_, pixels_.stream));
    held.push_back({shot.model.identifier, shot.model.lattices.size(), shot.model.b_factor});
    number.push_back(i);
  }
  FactorTarget target(communicator_, streams, table_.size(),
                      {.likelihood = pixels_.stage1_params.target.likelihood,
                       .size_free = !pixels_.rules.size.fixed});
  streams = {};
  warn_of_rejected(communicator_, target);
  std::vector<std::size_t> bad;
  const double start = cpu_seconds();
  refinement_ =
      refine_set("", target, table_, held, std::vector<std::uint8_t>(held.size(), 1), &bad);
  log_cpu("Stage 2", start, "evaluation and rank",
          refinement_.iterations.empty() ? 0 : refinement_.iterations.back().evaluations);
  for (const std::size_t b : bad) shots_[number[b]].model.state = ShotState::NotFinite;
  if (refinement_.end == FactorEnd::Unusable)
    throw parallel::CommonError("no likelihood is finite at the start of stage 2 (structure "
                                "factors or pixels are not numbers)",
                                merge_failed);
  const FactorTable before = table_;
  take_factors(table_, refinement_, mean_);
  std::vector<ShotErrors> errors;
  std::vector<std::uint8_t> on;
  for (std::size_t h = 0; h < held.size(); ++h) {
    ShotRecord& shot = shots_[number[h]];
    move_shot(shot.model, refinement_.x, target, h);
    errors.push_back(
        factor_errors(shot.model, shot.pixels, table_, sphere_, pixels_.stage1_params));
    on.push_back(is_refined(shot.model) ? 1 : 0);
  }
  set_errors(table_, refinement_, errors, on);
  const double moved = shift_in_sigmas(before, table_);
  if (last || moved < pixels_.tolerance) refine_halves(target, held, on, errors);
  mean_ = mean_intensities(table_);
  return moved;
}

void PixelRun::set_errors(FactorTable& table, const FactorRefinement& refined,
                          const std::vector<ShotErrors>& errors,
                          const std::vector<std::uint8_t>& on) const {
  const std::vector<double> of_shots =
      model_variances(communicator_, errors, on, refined.information, table.size());
  set_sigmas(table, refined,
             energy_variances(communicator_, errors, on, refined.information, of_shots, table,
                              pixels_.stage2_params.priors.energy_sigma),
             of_shots);
}

/// Both half sets begin at the means of their shells, so that neither knows the other.
void PixelRun::refine_halves(FactorTarget& target, const std::vector<HeldShot>& held,
                             const std::vector<std::uint8_t>& whole,
                             const std::vector<ShotErrors>& errors) {
  FactorTable flat = table_;
  for (std::size_t i = 0; i < flat.size(); ++i) flat.f[i] = std::sqrt(mean_[i]);
  for (const auto half : {merging::HalfSet::Odd, merging::HalfSet::Even}) {
    std::vector<std::uint8_t> on;
    on.reserve(held.size());
    for (std::size_t h = 0; h < held.size(); ++h)
      on.push_back(whole[h] != 0 && merging::half_set(held[h].identifier) == half ? 1 : 0);
    const FactorRefinement refined =
        refine_set(half == merging::HalfSet::Odd ? "-odd" : "-even", target, flat, held, on);
    RefinedSet& result = half == merging::HalfSet::Odd ? odd_ : even_;
    result = {flat, refined.scores.pixels, flat.f};
    if (refined.end == FactorEnd::Unusable) continue;
    take_factors(result.table, refined, mean_);
    set_errors(result.table, refined, errors, on);
    core::log_info("Half set {}: {} after {} iterations",
                   half == merging::HalfSet::Odd ? "odd" : "even", word_of(refined.end),
                   refined.iterations.empty() ? 0 : refined.iterations.back().iteration);
  }
}

} // namespace kilobragg::programs
