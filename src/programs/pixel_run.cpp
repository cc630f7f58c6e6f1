// The order of refinement against pixels: what it begins with, its cycles, what it leaves.
#include "pixel_run.hpp"

#include "factor_conversion.hpp"
#include "merge_sample.hpp"
#include "photon_energies.hpp"
#include "pixel_steps.hpp"
#include "pixel_table.hpp"
#include "shot_store.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/numbers.hpp"
#include "kilobragg/parallel/together.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

namespace kilobragg::programs {

using namespace pixelrefinement;

namespace {

/// The first rank reads, all get it.
FactorTable shared_factors(const parallel::Communicator& communicator, const std::string& path,
                           const std::string& column, const std::string& option,
                           const MergeOptions& options, const OutputFrame& frame) {
  FactorTable table;
  if (std::filesystem::path(path).extension() != ".mtz") { // coordinates: mates are one
    const Reference reference = load_reference(communicator, path, column, options,
                                               *options.d_min * options.resolution_scalar);
    io::ReferenceAmplitudes amplitudes;
    amplitudes.cell = reference.cell;
    amplitudes.space_group = reference.space_group;
    amplitudes.hkl = reference.table.hkl;
    for (const double intensity : reference.table.intensity)
      amplitudes.plus.push_back(std::sqrt(std::max(0.0, intensity)));
    amplitudes.sigma_plus.resize(amplitudes.plus.size());
    table = table_of(amplitudes);
  } else {
    std::string hall;
    parallel::together(communicator, merge_usage, [&] {
      if (!communicator.is_root()) return;
      table = table_of(io::read_amplitudes_mtz(path, column));
      hall = table.space_group.hall();
    });
    communicator.broadcast(hall);
    table.space_group = models::SpaceGroup(hall);
    communicator.broadcast_value(table.cell);
    communicator.broadcast_value(table.bijvoet_apart);
    communicator.broadcast(table.index);
    for (auto* column_of : {&table.f, &table.sigma}) communicator.broadcast(*column_of);
    communicator.broadcast(table.measured);
  }
  parallel::together(communicator, merge_usage, [&] {
    require_crystal(table, path, option, frame.cell, frame.space_group, "the merge");
  });
  return table;
}

} // namespace

std::vector<std::pair<std::string, std::string>> PixelRun::parse_maps() const {
  std::vector<std::pair<std::string, std::string>> maps;
  for (const std::string& text : options_.pixels.maps) maps.push_back(io::parse_path_map(text));
  return maps;
}

void PixelRun::prepare_options() {
  const bool silent = lookups_.noise.empty() && pixels_.readout == 0;
  Likelihood likelihood = usual_likelihood(silent);
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
  if (!options_.truth_file.empty())
    truth_ = shared_factors(communicator_, options_.truth_file, options_.truth_column,
                            "statistics.truth.mtz_file", options_, input_.frame);
}

void PixelRun::make_table() {
  const double d_min = *options_.d_min * options_.resolution_scalar;
  if (pixels_.start_mtz.empty()) {
    new_table(first_table(input_.merged, input_.frame, d_min, options_.merge_anomalous));
    return;
  }
  const FactorTable known = shared_factors(communicator_, pixels_.start_mtz, pixels_.start_column,
                                           "pixels.start.mtz_file", options_, input_.frame);
  parallel::together(communicator_, merge_usage, [&] {
    new_table(first_table(known, input_.frame, d_min, options_.merge_anomalous));
  });
}

void PixelRun::new_table(const FactorTable& table) {
  table_ = with_energies(table, parse_energies(pixels_.energies, "pixels.energies"));
  first_table_ = table_;
  mean_ = mean_intensities(table_);
  sphere_ = expand_to_sphere(table_);
  const auto bytes = [](const std::vector<double>& v) { return std::as_bytes(std::span(v)); };
  problem_ = core::md5_hex(input_.digest + core::md5_hex(bytes(table_.f)) +
                           core::md5_hex(bytes(table_.sigma)));
  core::log_info("Structure factors: {} to {:.2f} A, {} of them measured by the merge",
                 table.size(), *options_.d_min * options_.resolution_scalar,
                 std::count(table.measured.begin(), table.measured.end(), 1));
  if (table_.layers() > 1)
    core::log_info("  at {} photon energies each: {} eV", table_.layers(), pixels_.energies);
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

void PixelRun::log_cycle(int cycle, double moved) {
  std::vector<double> mine;
  std::vector<std::int64_t> counts(6);
  for (std::size_t i = 0; i < shots_.size(); ++i) {
    const ShotRecord& shot = shots_[i];
    ++counts[0];
    if (!is_refined(shot.model)) continue;
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
  figures.sigma_z = core::median(sigma_z);
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
  const RefinedSet all{table_, refinement_.scores.pixels, first_table_.f};
  const PixelResults results{
      options_, input_, all,      odd_,   even_,   first_table_,         refinement_,
      cycles_,  shots_, results_, truth_, sphere_, pixels_.stage1_params};
  write_pixel_results(communicator_, results);
}

bool PixelRun::cycle() {
  const int cycle = state_.cycle;
  if (state_.step == PixelStep::Stage1) {
    if (pixels_.does_stage1()) {
      step_(fmt::format("Stage 1: shots against their shoeboxes, cycle {}", cycle));
      stage1();
    }
    state_.step = PixelStep::Predict;
  }
  require_refined();
  if (state_.step == PixelStep::Predict) {
    if (pixels_.predict) {
      step_("Predict: shoeboxes of all that the refined shots excite");
      predict();
    }
    if (pixels_.does_stage2() && pixels_.does_stage1()) save(PixelStep::Stage2, cycle);
  }
  double moved = 0;
  bool last = !pixels_.all || cycle >= pixels_.cycles;
  if (pixels_.does_stage2()) {
    step_(fmt::format("Stage 2: structure factors against all pixels, cycle {}", cycle));
    moved = stage2(last);
    last = last || moved < pixels_.tolerance;
  }
  log_cycle(cycle, moved);
  if (last) return false;
  state_.step = PixelStep::Stage1;
  state_.cycle = cycle + 1;
  if (stopped()) {
    save(PixelStep::Stage1, cycle + 1);
    end_early("between cycles");
  }
  return true;
}

void PixelRun::run() {
  lookups_ = load_lookups(communicator_, pixels_);
  images_.set_mask(lookups_.mask);
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
  while (cycle()) {
  }
  if (pixels_.does_stage1() || pixels_.predict) {
    keep_progress();
    write_shot_set(communicator_, path("_shots-"),
                   core::md5_hex(problem_ + shot_set_ + options_that_matter(input_.options)),
                   shots_);
    core::log_info("Wrote {}", path("_shots-*.shard"));
  }
  write();
  if (communicator_.is_root()) remove_state();
}

void run_pixel_refinement(const parallel::Communicator& communicator, const MergeOptions& options,
                          const PixelInput& input,
                          const std::function<void(const std::string&)>& step) {
  catch_stop_signals();
  PixelRun(communicator, options, input, step).run();
}

} // namespace kilobragg::programs
