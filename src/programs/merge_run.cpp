// The steps of merge, one after the other on all ranks.
#include "merge_run.hpp"

#include "merge_exchange.hpp"
#include "merge_input.hpp"
#include "merge_output.hpp"
#include "merge_report.hpp"
#include "merge_sample.hpp"
#include "pixel_run.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/merging/filters.hpp"
#include "kilobragg/parallel/together.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

namespace kilobragg::programs {

namespace {

using merging::Observations;
using parallel::Communicator;

// Tables and files are made of each half and of all.
constexpr std::pair<const char*, merging::SetChoice> output_sets[] = {
    {"odd", merging::SetChoice::Odd},
    {"even", merging::SetChoice::Even},
    {"all", merging::SetChoice::All}};

void put(core::ByteWriter& writer, const FilePair& pair) {
  writer.put_text(pair.experiments);
  writer.put_text(pair.reflections);
  writer.put(pair.whole);
  writer.put(static_cast<std::uint64_t>(pair.spectra.size()));
  for (const auto& [number, path] : pair.spectra) {
    writer.put(number);
    writer.put_text(path);
  }
}

FilePair get_pair(core::ByteReader& reader) {
  FilePair pair{reader.get_text(), {}};
  pair.reflections = reader.get_text();
  pair.whole = reader.get<bool>();
  for (auto left = reader.get<std::uint64_t>(); left > 0; --left) {
    const int number = reader.get<int>();
    pair.spectra[number] = reader.get_text();
  }
  return pair;
}

// What the first rank needs to know of a lattice at the end.
struct LatticeSummary {
  std::uint32_t number;
  models::UnitCell cell;
  double wavelength, log_scale, b_factor, correlation;
};

class MergeRun {
public:
  MergeRun(const Communicator& communicator, const MergeOptions& options, std::string phil)
      : communicator_(communicator)
      , options_(options) {
    facts_.options_phil = std::move(phil);
    facts_.ranks = communicator.size();
  }
  void run();

private:
  std::vector<FilePair> find_all_pairs();
  void require_reachable(const std::vector<LoadedExperiments>& loaded) const;
  void load_references();
  void read();
  void filter();
  void select();
  void scale();
  void scale_to_model();
  void scale_to_average();
  /// Of either way of scaling: lattices that had too little signal, or agreed with nothing.
  template <typename Counts>
  void log_unscalable(const Counts& counts, const std::string& compared_with);
  void drop_beyond(double d_min);
  void merge_observations();
  /// Tables and files, on the first rank. Returns why nothing is left to write, if so.
  std::string finish(const std::vector<LatticeSummary>& lattices,
                     std::vector<merging::MergedIndex>& merged, OutputFrame& frame);
  void refine_pixels(std::vector<merging::MergedIndex> merged, OutputFrame frame);
  merging::ResolutionShells make_shells(const OutputFrame& frame) const;
  std::string why_nothing_is_left(const std::vector<merging::MergedIndex>& merged,
                                  const merging::ResolutionShells& shells) const;
  void add_scatter(std::vector<merging::MergedIndex>& merged,
                   const merging::ResolutionShells& shells);
  void report_intensities(const std::vector<merging::MergedIndex>& merged,
                          const merging::ResolutionShells& shells);
  void write_files(const std::vector<merging::MergedIndex>& merged,
                   const merging::ResolutionShells& shells, const OutputFrame& frame,
                   const merging::AgreementTable& agreement);
  OutputFrame output_frame(const std::vector<LatticeSummary>& lattices) const;
  std::vector<std::string> history() const;
  std::vector<LatticeSummary> gather_lattices(const LatticeNumbers& numbers) const;

  /// Adds up over ranks and keeps under `name` for the JSON.
  std::int64_t count(const std::string& name, std::int64_t mine);
  void log_totals();
  std::string rejections() const;
  /// Runs what fails because of options or inputs on one rank or all, and fails on all.
  void inputs(const std::function<void()>& work) const {
    parallel::together(communicator_, merge_usage, work);
  }
  void step(const std::string& title);

  const Communicator& communicator_;
  const MergeOptions& options_;
  RunFacts facts_;
  Sample sample_;
  std::optional<Reference> model_, cciso_, truth_;
  std::vector<LoadedExperiments> loaded_; ///< given back after reading unless pixels are refined
  Observations observations_;
  std::string input_digest_;
  int step_ = 0;
};

std::int64_t MergeRun::count(const std::string& name, std::int64_t mine) {
  const std::int64_t total = communicator_.all_sum(mine);
  facts_.counts[name] = total;
  return total;
}

void MergeRun::step(const std::string& title) { core::log_info("\nSTEP {}: {}", ++step_, title); }

std::string MergeRun::rejections() const {
  std::string reasons;
  for (const auto& [name, n] : facts_.counts)
    if (n > 0) reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", n, name);
  return reasons;
}

void MergeRun::log_totals() {
  const auto lattices = communicator_.all_sum(std::int64_t(observations_.lattices.size()));
  const auto rows = communicator_.all_sum(std::int64_t(observations_.size()));
  core::log_info("Experiments: {}\nReflections: {}", lattices, rows);
  if (lattices > 0 && rows > 0) return;
  throw parallel::CommonError(
      fmt::format("no {} is left to merge ({}); are the cell, the space group, the resolution and "
                  "the filters those of this sample?",
                  lattices > 0 ? "reflection" : "lattice", rejections()),
      merge_nothing_left);
}

std::vector<FilePair> MergeRun::find_all_pairs() {
  std::string listed;
  inputs([&] {
    if (!communicator_.is_root()) return;
    core::ByteWriter writer;
    for (const FilePair& pair : find_pairs(options_)) put(writer, pair);
    listed = writer.take();
  });
  communicator_.broadcast(listed);
  std::vector<FilePair> pairs;
  for (core::ByteReader reader(listed); !reader.at_end();) {
    pairs.push_back(get_pair(reader));
    facts_.files.push_back(pairs.back().experiments);
  }
  return pairs;
}

// Beyond half the wavelength nothing diffracts, and indices without end would be listed.
void MergeRun::require_reachable(const std::vector<LoadedExperiments>& loaded) const {
  double shortest = std::numeric_limits<double>::max();
  for (const LoadedExperiments& file : loaded)
    file.for_each_taken([&](const models::Experiment& experiment) {
      if (experiment.beam.wavelength > 0) shortest = std::min(shortest, experiment.beam.wavelength);
    });
  communicator_.all_min(std::span<double>(&shortest, 1));
  inputs([&] {
    core::require(shortest == std::numeric_limits<double>::max() || *options_.d_min >= shortest / 2,
                  "merging.d_min={} cannot be reached (nothing finer than {:.3f} A, half of the "
                  "shortest wavelength, diffracts) is it in angstrom?",
                  *options_.d_min, shortest / 2);
  });
}

void MergeRun::load_references() {
  const auto load = [&](const std::string& file, const std::string& column, double d_min) {
    return file.empty()
               ? std::nullopt
               : std::optional(load_reference(communicator_, file, column, options_, d_min));
  };
  model_ =
      load(options_.model, options_.model_column, *options_.d_min * options_.resolution_scalar);
  cciso_ = load(options_.cciso_file, options_.cciso_column, *options_.d_min);
  truth_ = load(options_.truth_file, options_.truth_column, *options_.d_min);
}

void MergeRun::read() {
  step("Read experiments and data");
  const std::vector<FilePair> pairs = find_all_pairs();
  std::vector<LoadedExperiments>& loaded = loaded_;
  inputs([&] {
    loaded = load_experiments(share_of(pairs, communicator_.rank(), communicator_.size()),
                              options_.pixels.any());
  });
  require_reachable(loaded);
  load_references();
  inputs([&] { sample_ = decide_sample(communicator_, options_, loaded, model_); });
  merging::ConversionParams conversion;
  conversion.space_group = sample_.space_group;
  conversion.merge_anomalous = options_.merge_anomalous;
  conversion.polarization_fraction = options_.polarization_fraction;
  conversion.nearness_width = options_.nearness_width;
  merging::ConversionCounts counts;
  inputs([&] { counts = load_observations(loaded, conversion, observations_); });
  core::log_info("Files: {}", pairs.size());
  core::log_info("Unit cell {} from {}\nSpace group {} from {}", sample_.cell.to_string(),
                 sample_.cell_source, sample_.space_group.hm(), sample_.group_source);
  count("experiments read", std::int64_t(observations_.lattices.size()));
  count("reflections read", counts.taken + counts.no_variance + counts.absent);
  core::log_info("Total reflections rejected because of no variance: {}",
                 count("reflections without variance", counts.no_variance));
  core::log_info("Total reflections rejected because of systematic absence: {}",
                 count("reflections systematically absent", counts.absent));
  log_totals();
  if (!options_.pixels.any()) loaded_ = {};
}

void MergeRun::filter() {
  step("Filter experiments");
  merging::FilterParams params = options_.filter;
  params.unit_cell = options_.has_filter("unit_cell");
  params.n_obs = options_.has_filter("n_obs");
  params.resolution = options_.has_filter("resolution");
  params.target_cell =
      options_.target_cell.empty() ? sample_.cell : models::UnitCell::parse(options_.target_cell);
  params.target_space_group = options_.target_space_group.empty()
                                  ? sample_.space_group
                                  : models::SpaceGroup(options_.target_space_group);
  const merging::FilterCounts counts = merging::filter_lattices(observations_, params);
  const auto rejected = [&](merging::Rejection reason, const std::string& name) {
    const auto total =
        count("experiments rejected because of " + name, counts.lattices[static_cast<int>(reason)]);
    core::log_info("Total experiments rejected because of {}: {}", name, total);
  };
  rejected(merging::Rejection::UnitCell, "unit cell dimensions");
  rejected(merging::Rejection::SpaceGroup, "space group");
  rejected(merging::Rejection::ObservationCount, "n_obs");
  rejected(merging::Rejection::Resolution, "resolution");
  core::log_info("Total reflections rejected because of rejected experiments: {}",
                 count("reflections of filtered experiments", counts.observations));
  log_totals();
}

void MergeRun::select() {
  if (!options_.selects("significance_filter")) return;
  step("Filter reflections");
  merging::SignificanceParams params = options_.significance;
  params.cell = sample_.cell;
  const auto counts = merging::apply_significance_filter(observations_, params);
  core::log_info("Total reflections rejected because of significance: {}",
                 count("reflections rejected because of significance", counts.observations));
  core::log_info("Total experiments rejected because of significance: {}",
                 count("experiments rejected because of significance", counts.lattices));
  log_totals();
}

template <typename Counts>
void MergeRun::log_unscalable(const Counts& counts, const std::string& compared_with) {
  core::log_info("Experiments rejected because of low signal: {}",
                 count("experiments rejected because of low signal", counts.low_signal));
  core::log_info("Experiments rejected because of low correlation with {}: {}", compared_with,
                 count("experiments rejected because of low correlation", counts.low_correlation));
  core::log_info("Reflections rejected because of rejected experiments: {}",
                 count("reflections of unscalable experiments", counts.observations));
}

void MergeRun::scale_to_model() {
  const auto counts = merging::scale_to_reference(
      observations_, model_->table, options_.scaling_weights, options_.min_correlation);
  log_unscalable(counts, "reference");
}

void MergeRun::scale_to_average() {
  drop_beyond(*options_.d_min * options_.resolution_scalar);
  merging::SelfScalingParams params = options_.self;
  params.min_correlation = options_.min_correlation;
  const auto result =
      merging::self_scale(observations_, params, [this](const Observations& observations) {
        return scaling_exchange(communicator_, observations);
      });
  log_unscalable(result, "the others");
  if (!result.converged)
    core::log_warning("scaling stopped after {} cycles with changes of {:.2g} (more may help: "
                      "scaling.self.max_cycles)",
                      result.cycles, result.last_change);
  core::log_info("Scales converged in {} cycles, last change {:.1e}", result.cycles,
                 result.last_change);
  facts_.scaling["cycles"] = result.cycles;
  facts_.scaling["last_change"] = result.last_change;
}

void MergeRun::drop_beyond(double d_min) {
  std::vector<bool> keep(observations_.size());
  std::int64_t dropped = 0;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    keep[i] = observations_.inv_d2[i] * d_min * d_min <= 1;
    dropped += !keep[i];
  }
  observations_.keep_observations(keep);
  core::log_info("Reflections beyond {:.2f} A: {}", d_min,
                 count("reflections beyond the resolution limit", dropped));
}

void MergeRun::scale() {
  step("Scaling");
  switch (options_.effective_algorithm()) {
  case ScalingAlgorithm::Mark0:
    core::log_info("To {}", options_.model);
    scale_to_model();
    break;
  case ScalingAlgorithm::Self:
    core::log_info("Every lattice to the average of the others");
    scale_to_average();
    break;
  default:
    core::log_info("No scaling was done");
  }
  log_totals();
}

std::vector<LatticeSummary> MergeRun::gather_lattices(const LatticeNumbers& numbers) const {
  std::vector<LatticeSummary> mine;
  for (std::size_t n = 0; n < observations_.lattices.size(); ++n) {
    const merging::LatticeRecord& l = observations_.lattices[n];
    mine.push_back({numbers.mine[n], l.cell, l.wavelength, l.log_scale, l.b_factor, l.correlation});
  }
  std::vector<LatticeSummary> all = communicator_.gather(mine);
  std::sort(all.begin(), all.end(),
            [](const LatticeSummary& a, const LatticeSummary& b) { return a.number < b.number; });
  return all;
}

void MergeRun::merge_observations() {
  step("Group and merge observations of each index");
  const LatticeNumbers numbers = number_lattices(communicator_, observations_);
  std::vector<LatticeSummary> lattices = gather_lattices(numbers);
  input_digest_ = numbers.digest;
  std::vector<merging::MergedIndex> merged;
  {
    const ExchangePlan plan(communicator_, observations_, numbers);
    const auto take = [&](std::vector<float>& column) {
      std::vector<float> owned = plan.to_owners(column);
      std::vector<float>().swap(column);
      return owned;
    };
    const std::vector<float> nearness = take(observations_.nearness);
    const std::vector<float> variance = take(observations_.variance);
    const std::vector<float> intensity = take(observations_.intensity);
    merged = merging::merge_groups(plan.groups(), intensity, variance, nearness, numbers.half,
                                   options_.effective_weights());
  }
  merged = communicator_.gather(merged);
  std::sort(merged.begin(), merged.end(),
            [](const merging::MergedIndex& a, const merging::MergedIndex& b) {
              return a.index < b.index;
            });
  std::string nothing_left;
  OutputFrame frame;
  parallel::together(communicator_, merge_failed, [&] {
    if (communicator_.is_root()) nothing_left = finish(lattices, merged, frame);
  });
  communicator_.broadcast(nothing_left);
  if (!nothing_left.empty()) throw parallel::CommonError(nothing_left, merge_nothing_left);
  if (options_.pixels.any()) refine_pixels(std::move(merged), frame);
}

void MergeRun::refine_pixels(std::vector<merging::MergedIndex> merged, OutputFrame frame) {
  communicator_.broadcast(merged);
  communicator_.broadcast_value(frame.cell);
  communicator_.broadcast_value(frame.wavelength);
  frame.space_group = sample_.space_group;
  PixelInput input{merged, frame,         make_shells(frame), loaded_,
                   {},     input_digest_, facts_.options_phil};
  for (const merging::LatticeRecord& lattice : observations_.lattices)
    input.accepted.insert(lattice.identifier);
  run_pixel_refinement(communicator_, options_, input,
                       [this](const std::string& title) { step(title); });
}

void MergeRun::add_scatter(std::vector<merging::MergedIndex>& merged,
                           const merging::ResolutionShells& shells) {
  if (!options_.uses_scatter()) return;
  const auto rho =
      merging::add_scatter(merged, shells.count(),
                           [&](const merging::AsuIndex& index) { return shells.shell_of(index); });
  core::log_info("Relative scatter of observations beyond counting, by shell: {:.2f}",
                 fmt::join(rho, " "));
  facts_.scaling["relative_scatter_first_shell"] = rho.front();
  facts_.scaling["relative_scatter_last_shell"] = rho.back();
}

OutputFrame MergeRun::output_frame(const std::vector<LatticeSummary>& lattices) const {
  OutputFrame frame;
  std::vector<models::UnitCell> cells;
  double wavelength = 0, scale = 0, correlation = 0, square = 0;
  for (const LatticeSummary& l : lattices) {
    cells.push_back(l.cell);
    wavelength += l.wavelength;
    scale += std::exp(-l.log_scale);
    correlation += l.correlation;
  }
  const auto n = static_cast<double>(lattices.size());
  for (const LatticeSummary& l : lattices)
    square += (l.correlation - correlation / n) * (l.correlation - correlation / n);
  if (options_.effective_algorithm() != ScalingAlgorithm::Mark1) {
    core::log_info("Average experiment scale factor: {:.6f}", scale / n);
    core::log_info("Average experiment correlation: {:.6f} +/- {:.6f}", correlation / n,
                   std::sqrt(square / std::max(1.0, n - 1)));
  }
  const merging::CellStatistics statistics = merging::cell_statistics(cells);
  core::log_info("\nUnit cells\n{}", cell_text(statistics, sample_.cell));
  frame.cell = options_.set_average_unit_cell ? sample_.space_group.constrain(statistics.mean)
                                              : sample_.cell;
  frame.space_group = sample_.space_group;
  frame.wavelength = wavelength / n;
  frame.history = history();
  core::log_info("Unit cell of the merge: {}\nAverage wavelength: {:.6f} A", frame.cell.to_string(),
                 frame.wavelength);
  return frame;
}

std::vector<std::string> MergeRun::history() const {
  std::vector<std::string> facts{"From KiloBragg merge " + core::version()};
  facts.push_back(fmt::format("{} lattices, identifiers {}", facts_.counts.at("experiments merged"),
                              input_digest_));
  const char* algorithms[] = {"Auto", "mark0", "mark1", "self"};
  facts.push_back(
      fmt::format("d_min {} scaling {} weights {} minimum_multiplicity {}", *options_.d_min,
                  algorithms[static_cast<int>(options_.effective_algorithm())],
                  static_cast<int>(options_.effective_weights()), options_.minimum_multiplicity));
  for (const auto& [name, n] : facts_.counts)
    if (n > 0 && name.find("rejected") != std::string::npos)
      facts.push_back(fmt::format("{} {}", n, name));
  return history_lines(facts);
}

void MergeRun::report_intensities(const std::vector<merging::MergedIndex>& merged,
                                  const merging::ResolutionShells& shells) {
  for (const auto& [name, choice] : output_sets) {
    const auto table =
        merging::intensity_table(merged, shells, choice, options_.minimum_multiplicity);
    core::log_info("\nIntensity statistics ({} accepted experiments)\n\n{}\n{}", name,
                   sign_counts_text(table), intensity_table_text(table, shells));
  }
}

void MergeRun::write_files(const std::vector<merging::MergedIndex>& merged,
                           const merging::ResolutionShells& shells, const OutputFrame& frame,
                           const merging::AgreementTable& agreement) {
  for (const auto& [name, choice] : output_sets) {
    const std::string path = mtz_path(options_, name);
    const auto n = write_set(merged, shells, choice, frame, options_, path);
    facts_.counts[std::string("indices written, ") + name] = n;
    core::log_info("Wrote {} ({} indices)", path, n);
  }
  write_run_json(facts_, frame, shells,
                 merging::intensity_table(merged, shells, merging::SetChoice::All,
                                          options_.minimum_multiplicity),
                 agreement, options_.output_dir + "/" + options_.prefix + ".json");
}

merging::ResolutionShells MergeRun::make_shells(const OutputFrame& frame) const {
  merging::ShellParams params;
  params.cell = frame.cell;
  params.space_group = frame.space_group;
  params.d_min = *options_.d_min;
  params.d_max = options_.d_max;
  params.n_bins = options_.n_bins;
  params.merge_anomalous = options_.merge_anomalous;
  return merging::ResolutionShells(params);
}

std::string MergeRun::why_nothing_is_left(const std::vector<merging::MergedIndex>& merged,
                                          const merging::ResolutionShells& shells) const {
  std::int64_t in_range = 0, most = 0;
  for (const merging::MergedIndex& m : merged)
    if (shells.shell_of(m.index) >= 0) {
      ++in_range;
      most = std::max<std::int64_t>(most, m.all.n);
    }
  if (most >= options_.minimum_multiplicity) return {};
  if (in_range == 0)
    return fmt::format(
        "no reflection is left to merge (none of {} indices lies within merging.d_min"
        " and merging.d_max; {}); is the resolution range right?",
        merged.size(), rejections());
  return fmt::format(
      "no reflection is left to merge (merging.minimum_multiplicity={}, and the most "
      "often observed of {} indices has {}; {}); lower it, or add images",
      options_.minimum_multiplicity, in_range, most, rejections());
}

std::string MergeRun::finish(const std::vector<LatticeSummary>& lattices,
                             std::vector<merging::MergedIndex>& merged, OutputFrame& frame) {
  facts_.counts["experiments merged"] = static_cast<std::int64_t>(lattices.size());
  frame = output_frame(lattices);
  const merging::ResolutionShells shells = make_shells(frame);
  if (std::string why = why_nothing_is_left(merged, shells); !why.empty()) return why;
  step("Statistics");
  add_scatter(merged, shells);
  report_intensities(merged, shells);
  const merging::ReferenceTable* iso =
      cciso_ ? &cciso_->table : (model_ ? &model_->table : nullptr);
  const auto agreement =
      merging::agreement_table(merged, shells, iso, options_.minimum_multiplicity);
  core::log_info("\nTable of scaling results\n\n{}", agreement_table_text(agreement, shells));
  if (truth_) {
    const auto truth =
        merging::agreement_with_truth(merged, shells, truth_->table, options_.minimum_multiplicity);
    facts_.truth = {{"cc", truth.cc},
                    {"r1", truth.r1},
                    {"common", double(truth.common)},
                    {"completeness", truth.completeness}};
    core::log_info("\n{}", truth_text(truth, *options_.d_min, options_.minimum_multiplicity));
  }
  step("Write merged intensities");
  write_files(merged, shells, frame, agreement);
  return {};
}

void MergeRun::run() {
  const auto start = std::chrono::steady_clock::now();
  read();
  filter();
  select();
  scale();
  merge_observations();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  core::log_info("\nDone in {:.2f} s on {} rank{}", seconds, communicator_.size(),
                 communicator_.size() == 1 ? "" : "s");
  core::flush_log();
}

} // namespace

void run_merge(const Communicator& communicator, const MergeOptions& options,
               const std::string& phil) {
  MergeRun(communicator, options, phil).run();
}

} // namespace kilobragg::programs
