// The cycles of refinement against pixels, on all ranks.
#include "pixel_run.hpp"

#include "factor_conversion.hpp"
#include "pixel_output.hpp"
#include "pixel_shots.hpp"
#include "pixel_table.hpp"
#include "stop_signals.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/hash.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/pixelrefinement/factor_errors.hpp"
#include "kilobragg/pixelrefinement/first_model.hpp"
#include "kilobragg/pixelrefinement/placement.hpp"
#include "kilobragg/pixelrefinement/shot_image.hpp"

#include <glob.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

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
  /// Shots from files of experiments, with first shoeboxes; or from shards.
  void first_shots();
  void load_shards();
  void save_shards();
  void spread();
  /// Cuts the shoeboxes of one shot; sets its state if that cannot be done.
  void cut(ShotRecord& shot, bool first);
  void cut_all(bool first);
  void stage1();
  /// Moves F, G and B; returns how far F moved, in its errors (rms).
  double stage2(bool last);
  void refine_halves(FactorTarget& target, const std::vector<HeldShot>& held);
  void log_cycle(int cycle, double moved);
  void require_shots();
  void write();
  bool stopped() const { return communicator_.any(stop_signal() != 0); }
  std::string path(const std::string& rest) const {
    return options_.output_dir + "/" + options_.prefix + rest;
  }
  ShoeboxParams shoebox_params() const;
  std::vector<double> model_errors(const FactorTable& table, const FactorRefinement& of) const;

  const Communicator& communicator_;
  const MergeOptions& options_;
  PixelOptions pixels_;
  const PixelInput& input_;
  const std::function<void(const std::string&)>& step_;
  ShotImages images_;
  std::optional<FactorTable> truth_;
  FactorTable table_, first_table_, odd_, even_;
  FactorSphere sphere_;
  std::vector<double> mean_;
  std::vector<ShotRecord> shots_; ///< of this rank
  std::vector<Stage1Result> results_;
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
  pixels_.stage2_params.checkpoint = path("_stage2.checkpoint");
  pixels_.stage2_params.resume = pixels_.resume;
}

void PixelRun::load_truth() {
  if (options_.truth_file.empty()) return;
  // Every rank reads the small file: its table holds symmetry, which does not travel as bytes.
  parallel::together(communicator_, merge_usage, [&] {
    truth_ = table_of(io::read_amplitudes_mtz(options_.truth_file, options_.truth_column));
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
    core::require(known.space_group.patterson() == input_.frame.space_group.patterson(),
                  "'{}' is in {} but the merge in {} (option pixels.start.mtz_file)",
                  pixels_.start_mtz, known.space_group.hm(), input_.frame.space_group.hm());
    new_table(first_table(known, input_.frame, d_min, options_.merge_anomalous));
  });
}

void PixelRun::new_table(FactorTable table) {
  table_ = std::move(table);
  first_table_ = table_;
  mean_ = mean_intensities(table_);
  sphere_ = expand_to_sphere(table_);
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
    core::log_warning("no pixels of {}: {}", shot.model.source.tag(), error.what());
    shot.model.state = ShotState::NoPixels;
  }
}

void PixelRun::cut_all(bool first) {
  for (ShotRecord& shot : shots_)
    if (first ? shot.model.state != ShotState::NoPixels : refined(shot.model)) cut(shot, first);
}

void PixelRun::first_shots() {
  std::vector<ShotModel> models;
  parallel::together(communicator_, merge_usage, [&] {
    models = make_shots(input_.loaded, input_.accepted, pixels_, images_);
  });
  for (ShotModel& model : models) shots_.push_back({std::move(model), {}});
  cut_all(true);
  spread();
}

void PixelRun::spread() { shots_ = distribute_shots(communicator_, std::move(shots_)); }

void PixelRun::save_shards() {
  parallel::together(communicator_, merge_failed, [&] {
    const std::string shard = path(fmt::format("_shots-{:04d}.shard", communicator_.rank()));
    std::error_code error;
    std::filesystem::remove(shard, error);
    if (shots_.empty()) return;
    ShotShardWriter writer(shard, "{}");
    for (const ShotRecord& shot : shots_) writer.append(shot);
  });
  // Shards of a run on more ranks would bring their shots twice.
  parallel::together(communicator_, merge_failed, [&] {
    if (!communicator_.is_root()) return;
    for (int rank = communicator_.size();; ++rank) {
      std::error_code error;
      if (!std::filesystem::remove(path(fmt::format("_shots-{:04d}.shard", rank)), error)) break;
    }
  });
  core::log_info("Wrote {}", path("_shots-*.shard"));
}

void PixelRun::load_shards() {
  parallel::together(communicator_, merge_usage, [&] {
    glob_t found{};
    std::vector<std::string> shards;
    if (glob(path("_shots-*.shard").c_str(), 0, nullptr, &found) == 0)
      shards.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    globfree(&found);
    core::require(!shards.empty(),
                  "no shoeboxes to go on with ({} are missing) run --stage1 first?",
                  path("_shots-*.shard"));
    DetectorPool pool;
    for (std::size_t i = 0; i < shards.size(); ++i) {
      if (static_cast<int>(i % std::size_t(communicator_.size())) != communicator_.rank()) continue;
      ShotShardReader reader(shards[i], pool);
      if (reader.torn())
        core::log_warning("'{}' ends in the middle of a shot; those before it are used", shards[i]);
      for (const ShotEntry& entry : reader.entries()) shots_.push_back(reader.read(entry));
    }
  });
  spread();
}

void PixelRun::require_shots() {
  std::int64_t usable = 0;
  for (const ShotRecord& shot : shots_) usable += shot.model.state != ShotState::NoPixels;
  const std::int64_t all = communicator_.all_sum(std::int64_t(shots_.size()));
  usable = communicator_.all_sum(usable);
  core::log_info("Shots: {}, with pixels: {}", all, usable);
  if (usable == 0)
    throw parallel::CommonError("no shot has pixels (images are missing or unlike their "
                                "experiments) are they somewhere else? (input.map, "
                                "input.search_path)",
                                merge_nothing_left);
}

void PixelRun::stage1() {
  results_.assign(shots_.size(), {});
  const ShoeboxParams params = shoebox_params();
  for (std::size_t i = 0; i < shots_.size(); ++i) {
    ShotRecord& shot = shots_[i];
    if (shot.model.state == ShotState::NoPixels) continue;
    results_[i] = refine_shot(shot.model, shot.pixels, table_, sphere_, pixels_.stage1_params);
    if (refined(shot.model))
      fit_backgrounds(
          shot.pixels,
          model_image(shot.model, shot.pixels, table_, sphere_, pixels_.stage1_params).bragg,
          params);
  }
}

std::vector<double> PixelRun::model_errors(const FactorTable& table,
                                           const FactorRefinement& of) const {
  return model_variances(communicator_, shots_, table, sphere_, of.information,
                         pixels_.stage1_params);
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
  Stage2Params stage2 = pixels_.stage2_params;
  stage2.digest = core::md5_hex(fmt::format("{} {} {} {}", input_.digest, table_.size(),
                                            cycles_.size(), stage2.priors.wilson));
  std::vector<std::size_t> bad;
  refinement_ = refine_factors(
      communicator_, target, table_, mean_, held, std::vector<std::uint8_t>(held.size(), 1), stage2,
      [this] { return stopped(); }, &bad);
  for (const std::size_t b : bad) shots_[number[b]].model.state = ShotState::NotFinite;
  if (refinement_.end == FactorEnd::Stopped)
    throw parallel::CommonError(
        fmt::format("stopped by a signal (stage 2 stands in '{}'); the same command with --resume "
                    "goes on",
                    stage2.checkpoint),
        merge_stopped);
  if (refinement_.end == FactorEnd::Unusable)
    throw parallel::CommonError("no likelihood is finite at the start of stage 2 (structure "
                                "factors or pixels are not numbers)",
                                merge_failed);
  const FactorTable before = table_;
  const std::vector<double> mean = mean_;
  take_factors(table_, refinement_, mean, model_errors(table_, refinement_));
  for (std::size_t h = 0; h < held.size(); ++h) {
    ShotModel& shot = shots_[number[h]].model;
    for (std::size_t l = 0; l < shot.lattices.size(); ++l)
      shot.lattices[l].scale *= std::exp(refinement_.x[target.scale_of(h, l)]);
    shot.b_factor += refinement_.x[target.b_of(h)];
  }
  if (last) refine_halves(target, held);
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
void PixelRun::refine_halves(FactorTarget& target, const std::vector<HeldShot>& held) {
  FactorTable flat = table_;
  for (std::size_t i = 0; i < flat.size(); ++i) flat.f[i] = std::sqrt(mean_[i]);
  Stage2Params params = pixels_.stage2_params;
  params.checkpoint.clear();
  for (const auto half : {merging::HalfSet::Odd, merging::HalfSet::Even}) {
    std::vector<std::uint8_t> on;
    for (const HeldShot& shot : held) on.push_back(merging::half_set(shot.identifier) == half);
    FactorTable& result = half == merging::HalfSet::Odd ? odd_ : even_;
    result = flat;
    const FactorRefinement refined = refine_factors(communicator_, target, flat, mean_, held, on,
                                                    params, [this] { return stopped(); });
    if (refined.end == FactorEnd::Stopped)
      throw parallel::CommonError("stopped by a signal while half sets were refined; the same "
                                  "command with --resume goes on",
                                  merge_stopped);
    if (refined.end == FactorEnd::Unusable) continue;
    take_factors(result, refined, mean_, model_errors(table_, refined));
    core::log_info("Half set {}: {} after {} iterations",
                   half == merging::HalfSet::Odd ? "odd" : "even", word_of(refined.end),
                   refined.iterations.empty() ? 0 : refined.iterations.back().iteration);
  }
}

void PixelRun::log_cycle(int cycle, double moved) {
  std::vector<double> mine;
  std::vector<std::int64_t> counts(6);
  for (std::size_t i = 0; i < shots_.size(); ++i) {
    const ShotRecord& shot = shots_[i];
    ++counts[0];
    if (!refined(shot.model)) continue;
    ++counts[1];
    counts[2] += static_cast<std::int64_t>(results_.empty() ? 0 : results_[i].boxes);
    counts[3] += static_cast<std::int64_t>(results_.empty() ? 0 : results_[i].pixels);
    counts[4] += static_cast<std::int64_t>(results_.empty() ? 0 : results_[i].outliers);
    counts[5] += results_.empty() ? 0 : results_[i].evaluations;
    if (!results_.empty()) mine.push_back(results_[i].sigma_z_known);
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

void PixelRun::run() {
  prepare_options();
  load_truth();
  step_("Refinement against pixels");
  make_table();
  const bool whole = pixels_.all, from_images = pixels_.does_stage1();
  if (from_images)
    first_shots();
  else
    load_shards();
  require_shots();
  const int cycles = whole ? pixels_.cycles : 1;
  for (int cycle = 0; cycle < cycles; ++cycle) {
    if (pixels_.does_stage1()) {
      step_(fmt::format("Stage 1: shots against their shoeboxes, cycle {}", cycle + 1));
      if (cycle > 0) cut_all(false);
      stage1();
    }
    if (pixels_.predict && !whole) {
      step_("Predict: shoeboxes of all that the refined shots excite");
      cut_all(false);
    }
    double moved = 0;
    if (pixels_.does_stage2()) {
      step_(fmt::format("Stage 2: structure factors against all pixels, cycle {}", cycle + 1));
      moved = stage2(cycle + 1 == cycles);
    }
    log_cycle(cycle + 1, moved);
    if (whole && moved < pixels_.tolerance && cycle + 1 < cycles) {
      core::log_info("Neither stage moves any more");
      stage2(true);
      break;
    }
    if (stopped()) throw parallel::CommonError("stopped by a signal between cycles", merge_stopped);
  }
  if (pixels_.does_stage1() || pixels_.predict) save_shards();
  write();
}

} // namespace

void run_pixel_refinement(const Communicator& communicator, const MergeOptions& options,
                          const PixelInput& input,
                          const std::function<void(const std::string&)>& step) {
  catch_stop_signals();
  PixelRun(communicator, options, input, step).run();
}

} // namespace kilobragg::programs
