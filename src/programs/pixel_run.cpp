// The cycles of refinement against pixels, on all ranks.
#include "pixel_run.hpp"

#include "factor_conversion.hpp"
#include "pixel_output.hpp"
#include "pixel_shots.hpp"
#include "pixel_state.hpp"
#include "pixel_table.hpp"
#include "shot_store.hpp"
#include "stop_signals.hpp"
#include "stopwatch.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/pixelrefinement/factor_errors.hpp"
#include "kilobragg/pixelrefinement/first_model.hpp"
#include "kilobragg/pixelrefinement/placement.hpp"
#include "kilobragg/pixelrefinement/shot_image.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <utility>

namespace kilobragg::programs {
namespace {

using namespace pixelrefinement;
using parallel::Communicator;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

bool refined(const ShotModel& shot) {
  return shot.state == ShotState::Refined || shot.state == ShotState::Limit;
}

bool takes_part(const ShotModel& shot) {
  return shot.state != ShotState::NoPixels && shot.state != ShotState::Contradiction;
}

/// Amplitudes in another cell or group would be compared index by index with what they are not.
void require_same_crystal(const FactorTable& table, const std::string& file, const char* option,
                          const OutputFrame& frame) {
  constexpr double most_length = 0.05, most_angle = 3; // relative; degrees
  core::require(table.space_group.patterson() == frame.space_group.patterson(),
                "'{}' is in {} but the merge in {} (option {}; their Patterson groups differ)",
                file, table.space_group.hm(), frame.space_group.hm(), option);
  const auto theirs = table.cell.parameters(), ours = frame.cell.parameters();
  for (std::size_t i = 0; i < ours.size(); ++i)
    core::require(std::abs(theirs[i] - ours[i]) <= (i < 3 ? most_length * ours[i] : most_angle),
                  "'{}' has the cell {} but the merge {} (option {}) is it of this crystal?", file,
                  table.cell.to_string(), frame.cell.to_string(), option);
}

class PixelRun {
public:
  PixelRun(const Communicator& communicator, const MergeOptions& options, const PixelInput& input,
           const std::function<void(const std::string&)>& step)
      : communicator_(communicator)
      , options_(options)
      , pixels_(options.pixels)
      , input_(input)
      , step_(step)
      , images_({parse_maps(), options.pixels.search_path}) {}
  void run();

private:
  std::vector<std::pair<std::string, std::string>> parse_maps() const;
  void prepare_options();
  void load_truth();
  void make_table();
  void new_table(FactorTable table);
  /// Where to begin: with what a run before left, with shards of shots, or with files of experiments.
  void begin();
  bool resume();
  void new_shots();
  void load_shots(const std::string& stem);
  /// First shoeboxes of all shots, which then move to ranks by their pixels.
  void cut_first();
  /// Cuts the shoeboxes of one shot. Where that cannot be done a new one has no pixels, and others keep
  /// those that they have.
  void cut(ShotRecord& shot, bool first);
  void stage1();
  /// CPU time of all ranks since `start`, for the log. Collective.
  void log_cpu(const std::string& what, double start, const std::string& each,
               std::int64_t mine) const;
  void predict();
  /// Moves F, G and B; returns how far F moved, in its errors (rms).
  double stage2(bool last);
  /// All shots, or one of the half sets ("-odd", "-even"), with its own checkpoint.
  FactorRefinement refine_set(const std::string& set, FactorTarget& target,
                              const FactorTable& table, const std::vector<HeldShot>& held,
                              const std::vector<std::uint8_t>& on,
                              std::vector<std::size_t>* bad = nullptr);
  /// Stage 1, predict and stage 2, whatever is to be done of them; true if another cycle follows.
  bool cycle();
  /// Puts on disk that `step` of a cycle comes next, with everything it needs.
  void save(PixelStep step, int cycle);
  void keep_progress();
  void take_all_progress();
  /// Ends after a signal.
  [[noreturn]] void end_early(const std::string& where) const;
  void remove_state() const;
  std::string checkpoint(const std::string& of) const;
  /// `errors`: what each held shot's errors do to F.
  void refine_halves(FactorTarget& target, const std::vector<HeldShot>& held,
                     std::span<const std::vector<FactorError>> errors);
  void give_up_misfits();
  void log_cycle(int cycle, double moved);
  void require_shots();
  void require_refined();
  void write();
  bool stopped() const { return communicator_.any(stop_signal() != 0); }
  std::string path(const std::string& rest) const {
    return options_.output_dir + "/" + options_.prefix + rest;
  }
  ShoeboxParams shoebox_params() const;

  const Communicator& communicator_;
  const MergeOptions& options_;
  PixelOptions pixels_;
  const PixelInput& input_;
  const std::function<void(const std::string&)>& step_;
  ShotImages images_;
  std::optional<FactorTable> truth_;
  FactorTable table_, first_table_, odd_, even_;
  std::string problem_; ///< digest of the lattices and of the first table
  FactorSphere sphere_;
  std::vector<double> mean_;
  std::vector<ShotRecord> shots_; ///< of this rank
  std::vector<ShotProgress> progress_;
  std::vector<Stage1Result> results_;
  std::vector<std::string> problems_; ///< of images, to be said by the first rank
  PixelState state_;                  ///< what is or would be on disk, but for the table
  bool resumed_ = false;
  std::string shot_set_; ///< of the shards that were loaded
  FactorRefinement refinement_;
  std::vector<CycleFigures> cycles_;
};

std::vector<std::pair<std::string, std::string>> PixelRun::parse_maps() const {
  std::vector<std::pair<std::string, std::string>> maps;
  for (const std::string& text : options_.pixels.maps) maps.push_back(io::parse_path_map(text));
  return maps;
}

void PixelRun::prepare_options() {
  Likelihood likelihood = pixels_.readout > 0 ? Likelihood::Normal : Likelihood::Poisson;
  if (pixels_.likelihood == LikelihoodChoice::Normal) likelihood = Likelihood::Normal;
  if (pixels_.likelihood == LikelihoodChoice::Poisson) likelihood = Likelihood::Poisson;
  if (pixels_.likelihood == LikelihoodChoice::NoisyPoisson) likelihood = Likelihood::NoisyPoisson;
  pixels_.stage1_params.rules = pixels_.rules;
  pixels_.stage1_params.rules.size_elements =
      static_cast<diffraction::SymmetricElements>(pixels_.size_elements);
  pixels_.stage1_params.rules.spread_elements =
      static_cast<diffraction::SymmetricElements>(pixels_.spread_elements);
  pixels_.stage1_params.target.likelihood = likelihood;
  pixels_.stage1_params.target.oversample = pixels_.oversample;
  pixels_.stream.oversample = pixels_.oversample;
  pixels_.predict_params.oversample = pixels_.oversample;
}

void PixelRun::load_truth() {
  if (options_.truth_file.empty()) return;
  // Every rank reads the small file: its table holds symmetry, which does not travel as bytes.
  parallel::together(communicator_, merge_usage, [&] {
    truth_ = table_of(io::read_amplitudes_mtz(options_.truth_file, options_.truth_column));
    require_same_crystal(*truth_, options_.truth_file, "statistics.truth.mtz_file", input_.frame);
  });
}

void PixelRun::make_table() {
  const double d_min = *options_.d_min * options_.resolution_scalar;
  if (pixels_.start_mtz.empty()) {
    new_table(first_table(input_.merged, input_.frame, d_min, options_.merge_anomalous));
    return;
  }
  parallel::together(communicator_, merge_usage, [&] {
    const FactorTable known =
        table_of(io::read_amplitudes_mtz(pixels_.start_mtz, pixels_.start_column));
    require_same_crystal(known, pixels_.start_mtz, "pixels.start.mtz_file", input_.frame);
    new_table(first_table(known, input_.frame, d_min, options_.merge_anomalous));
  });
}

void PixelRun::new_table(FactorTable table) {
  table_ = std::move(table);
  first_table_ = table_;
  mean_ = mean_intensities(table_);
  sphere_ = expand_to_sphere(table_);
  const auto bytes = [](const std::vector<double>& v) { return std::as_bytes(std::span(v)); };
  problem_ = core::md5_hex(input_.digest + core::md5_hex(bytes(table_.f)) +
                           core::md5_hex(bytes(table_.sigma)));
  core::log_info("Structure factors: {} to {:.2f} A, {} of them measured by the merge",
                 table_.size(), *options_.d_min * options_.resolution_scalar,
                 std::count(table_.measured.begin(), table_.measured.end(), 1));
}

ShoeboxParams PixelRun::shoebox_params() const {
  ShoeboxParams params;
  params.gain = pixels_.gain;
  params.readout = pixels_.readout;
  params.left_out = pixels_.left_out;
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

void PixelRun::new_shots() {
  for (ShotModel& model :
       make_shots(communicator_, input_.loaded, input_.accepted, pixels_, images_))
    shots_.push_back({std::move(model), {}});
  progress_.assign(shots_.size(), {});
  results_.assign(shots_.size(), {});
}

void PixelRun::load_shots(const std::string& stem) {
  shots_ = read_shot_set(communicator_, stem, shot_set_);
  take_all_progress();
}

void PixelRun::keep_progress() {
  for (std::size_t i = 0; i < shots_.size(); ++i)
    shots_[i].caller = pack_progress(progress_[i], results_[i]);
}

void PixelRun::take_all_progress() {
  progress_.assign(shots_.size(), {});
  results_.assign(shots_.size(), {});
  parallel::together(communicator_, merge_usage, [&] {
    for (std::size_t i = 0; i < shots_.size(); ++i)
      progress_[i] = take_progress(shots_[i].caller, results_[i]);
  });
}

void PixelRun::save(PixelStep step, int cycle) {
  state_.options = input_.options;
  state_.problem = problem_;
  state_.step = step;
  state_.cycle = cycle;
  state_.f = table_.f;
  state_.sigma = table_.sigma;
  state_.measured = table_.measured;
  state_.mean = mean_;
  state_.cycles = cycles_;
  ++state_.serial;
  keep_progress();
  const std::string stem = fmt::format("_resume-{:04d}-", state_.serial);
  if (communicator_.is_root()) {
    if (state_.serial == 1) remove_state(); // of a run that nobody resumed
    remove_matching(path("_stage2"), "*.checkpoint");
  }
  write_shot_set(communicator_, path(stem), digest_of(state_), shots_);
  parallel::together(communicator_, merge_failed, [&] {
    if (communicator_.is_root()) write_pixel_state(state_, path("_pixels.state"));
  });
  if (!communicator_.is_root()) return;
  for (int old = 1; old < state_.serial; ++old)
    remove_matching(path(fmt::format("_resume-{:04d}-", old)), "*.shard");
}

void PixelRun::remove_state() const {
  remove_matching(path("_pixels.state"), "");
  remove_matching(path("_resume-"), "*.shard");
  remove_matching(path("_stage2"), "*.checkpoint");
}

std::string PixelRun::checkpoint(const std::string& of) const {
  const std::string serial = state_.serial > 0 ? fmt::format("-{:04d}", state_.serial) : "";
  return path("_stage2" + serial + of + ".checkpoint");
}

void PixelRun::end_early(const std::string& where) const {
  throw parallel::CommonError(
      fmt::format("stopped by a signal {}; the same command with --resume goes on", where),
      merge_stopped);
}

bool PixelRun::resume() {
  const std::string file = path("_pixels.state");
  if (!communicator_.any(communicator_.is_root() && std::filesystem::exists(file))) return false;
  parallel::together(communicator_, merge_usage, [&] {
    state_ = read_pixel_state(file);
    const auto lines = differing_merge_options(input_.options, state_.options);
    core::require(
        lines.empty(),
        "'{}' is of a run with other options ({}); give the same to go on, or run without "
        "--resume to begin anew",
        file, fmt::join(lines, "; "));
    core::require(state_.problem == problem_ && state_.f.size() == table_.size(),
                  "'{}' is of other lattices or other first structure factors (input.path, "
                  "pixels.start.mtz_file) run without --resume to begin anew?",
                  file);
  });
  table_.f = state_.f;
  table_.sigma = state_.sigma;
  table_.measured = state_.measured;
  mean_ = state_.mean;
  cycles_ = state_.cycles;
  load_shots(path(fmt::format("_resume-{:04d}-", state_.serial)));
  parallel::together(communicator_, merge_usage, [&] {
    core::require(shot_set_ == digest_of(state_),
                  "'{}' and {} do not belong together (were files "
                  "copied from elsewhere?) run without --resume to begin anew?",
                  file, path("_resume-*.shard"));
  });
  core::log_info("Going on with '{}': cycle {}, {} shots", file, state_.cycle,
                 communicator_.all_sum(std::int64_t(shots_.size())));
  return true;
}

void PixelRun::begin() {
  const bool from_images = pixels_.does_stage1();
  if (pixels_.resume && from_images) resumed_ = resume();
  if (resumed_) return;
  if (from_images) {
    new_shots();
  } else {
    load_shots(path("_shots-"));
    state_.step = PixelStep::Stage1;
  }
  if (!pixels_.resume || communicator_.any(communicator_.is_root() && !from_images &&
                                           std::filesystem::exists(checkpoint(""))))
    return;
  pixels_.resume = false;
  core::log_info("Nothing to resume: this run begins anew");
}

void PixelRun::require_shots() {
  std::int64_t usable = 0;
  for (const ShotRecord& shot : shots_) usable += takes_part(shot.model);
  const std::int64_t all = communicator_.all_sum(std::int64_t(shots_.size()));
  usable = communicator_.all_sum(usable);
  core::log_info("Shots: {}, with pixels: {}", all, usable);
  if (usable == 0)
    throw parallel::CommonError("no shot has pixels (images are missing, unlike their experiments "
                                "or without trusted pixels; the warnings above say more) are they "
                                "somewhere else? (input.map, input.search_path)",
                                merge_nothing_left);
}

void PixelRun::require_refined() {
  std::map<std::string, std::int64_t> counts;
  for (const ShotState state : all_shot_states) {
    std::int64_t mine = 0;
    for (const ShotRecord& shot : shots_) mine += shot.model.state == state;
    if (const auto all = communicator_.all_sum(mine); all > 0) counts[word_of(state)] = all;
  }
  if (counts.contains(word_of(ShotState::Refined)) || counts.contains(word_of(ShotState::Limit)))
    return;
  write();
  std::string reasons;
  for (const auto& [word, n] : counts)
    reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", n, word);
  throw parallel::CommonError(
      fmt::format("no shot could be refined ({}) are geometry, gain and spectra right? '{}' lists "
                  "the shots",
                  reasons, path("_shots.csv")),
      merge_nothing_left);
}

void PixelRun::log_cpu(const std::string& what, double start, const std::string& each,
                       std::int64_t mine) const {
  std::vector<double> seconds{cpu_seconds() - start};
  communicator_.all_sum(std::span(seconds));
  const std::int64_t all = std::max<std::int64_t>(1, communicator_.all_sum(mine));
  core::log_info("{}: {:.2f} CPU s, {:.4f} per {}", what, seconds[0], seconds[0] / double(all),
                 each);
}

void PixelRun::stage1() {
  bool whole = true;
  const int cycle = state_.cycle;
  const ShoeboxParams params = shoebox_params();
  const double start = cpu_seconds();
  for (const std::size_t i : in_order_of_images(shots_)) {
    ShotRecord& shot = shots_[i];
    if (progress_[i].refined == cycle || !takes_part(shot.model)) continue;
    if (stop_signal() != 0) {
      whole = false;
      break;
    }
    if (progress_[i].cut < cycle && refined(shot.model)) cut(shot, false);
    progress_[i].cut = cycle;
    results_[i] = refine_shot(shot.model, shot.pixels, table_, sphere_, pixels_.stage1_params);
    if (refined(shot.model))
      fit_backgrounds(
          shot.pixels,
          model_image(shot.model, shot.pixels, table_, sphere_, pixels_.stage1_params).bragg,
          params);
    progress_[i].refined = cycle;
  }
  log_cpu("Stage 1, with shoeboxes and backgrounds", start, "shot", std::int64_t(shots_.size()));
  warn_of(communicator_, std::exchange(problems_, {}));
  if (!communicator_.any(!whole)) {
    give_up_misfits();
    return;
  }
  save(PixelStep::Stage1, cycle);
  end_early("in stage 1");
}

void PixelRun::predict() {
  bool whole = true;
  for (const std::size_t i : in_order_of_images(shots_)) {
    if (!refined(shots_[i].model)) continue;
    if (stop_signal() != 0) {
      whole = false;
      break;
    }
    cut(shots_[i], false);
  }
  warn_of(communicator_, std::exchange(problems_, {}));
  if (!communicator_.any(!whole)) return;
  if (pixels_.does_stage1()) save(PixelStep::Stage1, state_.cycle);
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
                                : problem_ + shot_set_ + digest_of_options(input_.options);
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
    if (!refined(shot.model)) continue;
    streams.push_back(make_stream(shot.model, shot.pixels, table_, sphere_, mean_, pixels_.stream));
    held.push_back({shot.model.identifier, shot.model.lattices.size(), shot.model.b_factor});
    number.push_back(i);
  }
  FactorTargetParams params;
  params.likelihood = pixels_.stage1_params.target.likelihood;
  FactorTarget target(communicator_, streams, table_.size(), params);
  streams = {};
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
  const std::vector<double> mean = mean_;
  take_factors(table_, refinement_, mean);
  std::vector<std::vector<FactorError>> errors;
  std::vector<std::uint8_t> on;
  for (std::size_t h = 0; h < held.size(); ++h) {
    ShotRecord& shot = shots_[number[h]];
    for (std::size_t l = 0; l < shot.model.lattices.size(); ++l)
      shot.model.lattices[l].scale *= std::exp(refinement_.x[target.scale_of(h, l)]);
    shot.model.b_factor += refinement_.x[target.b_of(h)];
    errors.push_back(
        factor_errors(shot.model, shot.pixels, table_, sphere_, pixels_.stage1_params));
    on.push_back(refined(shot.model) ? 1 : 0);
  }
  if (last) refine_halves(target, held, errors);
  set_sigmas(table_, refinement_,
             model_variances(communicator_, errors, on, refinement_.information, table_.size()));
  mean_ = mean_intensities(table_);
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < table_.size(); ++i) {
    if (table_.measured[i] == 0) continue;
    const double moved = std::log(table_.f[i] / before.f[i]) / table_.sigma[i];
    sum += std::min(moved * moved, 25.0); // an index that began far off does not decide
    count += 1;
  }
  return count > 0 ? std::sqrt(sum / count) : 0;
}

/// Both half sets begin at the means of their shells, so that neither knows the other.
void PixelRun::refine_halves(FactorTarget& target, const std::vector<HeldShot>& held,
                             std::span<const std::vector<FactorError>> errors) {
  FactorTable flat = table_;
  for (std::size_t i = 0; i < flat.size(); ++i) flat.f[i] = std::sqrt(mean_[i]);
  for (const auto half : {merging::HalfSet::Odd, merging::HalfSet::Even}) {
    std::vector<std::uint8_t> on;
    on.reserve(held.size());
    for (const HeldShot& shot : held) on.push_back(merging::half_set(shot.identifier) == half);
    FactorTable& result = half == merging::HalfSet::Odd ? odd_ : even_;
    result = flat;
    const FactorRefinement refined =
        refine_set(half == merging::HalfSet::Odd ? "-odd" : "-even", target, flat, held, on);
    if (refined.end == FactorEnd::Unusable) continue;
    take_factors(result, refined, mean_);
    set_sigmas(result, refined,
               model_variances(communicator_, errors, on, refined.information, result.size()));
    core::log_info("Half set {}: {} after {} iterations",
                   half == merging::HalfSet::Odd ? "odd" : "even", word_of(refined.end),
                   refined.iterations.empty() ? 0 : refined.iterations.back().iteration);
  }
}

/// Shots that fit much worse than the others: bad pixels, a wrong lattice, another crystal.
void PixelRun::give_up_misfits() {
  std::vector<double> mine;
  for (std::size_t i = 0; i < shots_.size(); ++i)
    if (refined(shots_[i].model)) mine.push_back(results_[i].sigma_z);
  double usual = median(communicator_.gather(mine));
  communicator_.broadcast_value(usual);
  const double most = pixels_.max_sigma_z_ratio * std::max(1.0, usual);
  std::int64_t given_up = 0;
  for (std::size_t i = 0; i < shots_.size(); ++i) {
    if (!refined(shots_[i].model) || results_[i].sigma_z <= most) continue;
    shots_[i].model.state = ShotState::BadFit;
    ++given_up;
  }
  given_up = communicator_.all_sum(given_up);
  if (given_up > 0)
    core::log_info("{} shots with sigma-Z above {:.2f}, {} times the median, are given up",
                   given_up, most, pixels_.max_sigma_z_ratio);
}

void PixelRun::log_cycle(int cycle, double moved) {
  std::vector<double> mine;
  std::vector<std::int64_t> counts(6);
  for (std::size_t i = 0; i < shots_.size(); ++i) {
    const ShotRecord& shot = shots_[i];
    ++counts[0];
    if (!refined(shot.model)) continue;
    ++counts[1];
    counts[2] += static_cast<std::int64_t>(results_[i].boxes);
    counts[3] += static_cast<std::int64_t>(results_[i].pixels);
    counts[4] += static_cast<std::int64_t>(results_[i].outliers);
    counts[5] += results_[i].evaluations;
    mine.push_back(results_[i].sigma_z_known);
  }
  communicator_.all_sum(std::span(counts));
  const std::vector<double> sigma_z = communicator_.gather(mine);
  CycleFigures figures;
  figures.cycle = cycle;
  figures.shots = counts[0];
  figures.refined = counts[1];
  figures.boxes = counts[2];
  figures.pixels = counts[3];
  figures.outliers = counts[4];
  figures.evaluations = counts[5];
  figures.sigma_z = median(sigma_z);
  communicator_.broadcast_value(figures.sigma_z); // states must be the same everywhere
  figures.moved = moved;
  if (!refinement_.iterations.empty()) {
    figures.iterations = refinement_.iterations.back().iteration;
    figures.f = refinement_.iterations.back().f;
    figures.left_out = refinement_.iterations.back().left_out;
  }
  figures.end = word_of(refinement_.end);
  cycles_.push_back(figures);
  if (communicator_.is_root()) core::log_info("{}", cycle_text(figures));
}

void PixelRun::write() {
  const PixelResults results{
      options_, input_, table_,  first_table_,         odd_, even_, refinement_, cycles_, shots_,
      results_, truth_, sphere_, pixels_.stage1_params};
  write_pixel_results(communicator_, results);
}

bool PixelRun::cycle() {
  const bool fresh = state_.step == PixelStep::Stage1;
  const int cycle = state_.cycle;
  if (pixels_.does_stage1() && fresh) {
    step_(fmt::format("Stage 1: shots against their shoeboxes, cycle {}", cycle));
    stage1();
  }
  require_refined();
  if (pixels_.predict && !pixels_.all && fresh) {
    step_("Predict: shoeboxes of all that the refined shots excite");
    predict();
  }
  const bool last = !pixels_.all || cycle >= pixels_.cycles;
  double moved = 0;
  if (pixels_.does_stage2()) {
    if (pixels_.does_stage1() && fresh) save(PixelStep::Stage2, cycle);
    step_(fmt::format("Stage 2: structure factors against all pixels, cycle {}", cycle));
    moved = stage2(last);
  }
  log_cycle(cycle, moved);
  if (last) return false;
  if (moved < pixels_.tolerance) {
    save(PixelStep::Last, cycle);
    return false;
  }
  state_.step = PixelStep::Stage1;
  state_.cycle = cycle + 1;
  if (stopped()) {
    save(PixelStep::Stage1, cycle + 1);
    end_early("between cycles");
  }
  return true;
}

void PixelRun::run() {
  prepare_options();
  load_truth();
  step_("Refinement against pixels");
  make_table();
  begin();
  if (state_.step == PixelStep::Cut) {
    cut_first();
    state_.step = PixelStep::Stage1;
  }
  require_shots();
  while (state_.step != PixelStep::Last && cycle()) {
  }
  if (state_.step == PixelStep::Last) {
    step_("Neither stage moves any more: stage 2 once more, with half sets");
    stage2(true);
  }
  if (pixels_.does_stage1() || pixels_.predict) {
    keep_progress();
    write_shot_set(communicator_, path("_shots-"),
                   core::md5_hex(problem_ + shot_set_ + digest_of_options(input_.options)), shots_);
    core::log_info("Wrote {}", path("_shots-*.shard"));
  }
  write();
  if (!communicator_.is_root()) return;
  remove_state();
  remove_matching(path("_"), "*.part*"); // of processes that were killed
}

} // namespace

void run_pixel_refinement(const Communicator& communicator, const MergeOptions& options,
                          const PixelInput& input,
                          const std::function<void(const std::string&)>& step) {
  catch_stop_signals();
  PixelRun(communicator, options, input, step).run();
}

} // namespace kilobragg::programs
