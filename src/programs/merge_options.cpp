// Declaring and checking the options of merge.
#include "merge_options.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace kilobragg::programs {

namespace {

using core::OptionSet;

constexpr int most_bins = 1000; // more would hold a handful of indices each

template <typename Enum>
void add_enum(OptionSet& set, const std::string& path, const std::vector<std::string>& choices,
              Enum& target, const std::string& help) {
  set.add_choice(
      path, choices, [&target](int i) { target = static_cast<Enum>(i); },
      [&target] { return static_cast<int>(target); }, help);
}

std::vector<std::string> words_of(const std::string& text) {
  std::string blanks = text;
  for (char& c : blanks)
    if (c == ',' || c == '+') c = ' ';
  std::istringstream in(blanks);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// Several of some words: "a b", "a,b" or, as DIALS shows them, "*a b *c" (the starred ones count).
void add_several(OptionSet& set, const std::string& path, const std::vector<std::string>& choices,
                 std::vector<std::string>& target, const std::string& help) {
  core::Option option;
  option.path = path;
  option.type = "choices";
  option.help = help;
  option.choices = choices;
  option.set = [&target, choices](const std::string& text) {
    std::vector<std::string> words = words_of(text);
    if (text.find('*') != std::string::npos) {
      std::erase_if(words, [](const std::string& word) { return word[0] != '*'; });
      for (std::string& word : words) word.erase(0, 1);
    }
    if (words.size() == 1 && words[0] == "None") words.clear();
    for (const std::string& word : words)
      core::require(std::find(choices.begin(), choices.end(), word) != choices.end(),
                    "'{}' is none of {}", word, fmt::join(choices, ", "));
    target = words;
  };
  option.show = [&target] {
    return target.empty() ? std::string("None") : fmt::format("{}", fmt::join(target, " "));
  };
  set.add(std::move(option));
}

void declare_input(OptionSet& set, MergeOptions& o) {
  set.add("input.path", o.paths,
          "Folder, file or glob of integrated experiments; may be given several times.");
  set.add("input.experiments_suffix", o.experiments_suffix,
          "How the names of experiment files in a folder end.");
  set.add("input.reflections_suffix", o.reflections_suffix,
          "How the names of their reflection files end.");
}

void declare_filters(OptionSet& set, MergeOptions& o) {
  add_several(set, "filter.algorithm", {"unit_cell", "n_obs", "resolution"}, o.filter_algorithms,
              "Which filters of whole lattices are on.");
  set.add(
      "filter.unit_cell.value.target_unit_cell", o.target_cell,
      "Cell that lattices must resemble; None = scaling.unit_cell, else that of the model, else "
      "the median of the experiments.");
  set.add("filter.unit_cell.value.target_space_group", o.target_space_group,
          "Lattices must have its Patterson group; None = the space group of the merge.");
  set.add("filter.unit_cell.value.relative_length_tolerance", o.filter.relative_length_tolerance,
          "Largest relative deviation of a cell length.");
  set.add("filter.unit_cell.value.absolute_angle_tolerance", o.filter.absolute_angle_tolerance,
          "Largest deviation of a cell angle (degrees).");
  set.add("filter.n_obs.min", o.filter.n_obs_min, "Fewest observations of a lattice.");
  set.add("filter.n_obs.max", o.filter.n_obs_max, "Most observations of a lattice.");
  set.add("filter.resolution.d_min", o.filter.resolution_d_min,
          "Lattices that do not reach this resolution (angstrom) are rejected.");
  set.add("filter.outlier.min_corr", o.min_correlation,
          "Lattices that correlate less with the reference, or without one with the average of the "
          "others, are rejected; -1 keeps all.");
  add_several(set, "select.algorithm", {"significance_filter"}, o.select_algorithms,
              "Which filters of observations are on.");
  set.add("select.significance_filter.n_bins", o.significance.n_bins, "Resolution shells.");
  set.add("select.significance_filter.min_ct", o.significance.min_count,
          "Fewest observations per shell, unless one shell holds all.");
  set.add("select.significance_filter.max_ct", o.significance.max_count,
          "Most observations per shell: more shells if there are more.");
  set.add("select.significance_filter.sigma", o.significance.sigma,
          "Shells are kept up to the first with a mean I/sigma not above this.");
}

void declare_scaling(OptionSet& set, MergeOptions& o) {
  set.add("scaling.model", o.model,
          "Reference: MTZ, or coordinates (pdb); None = lattices are scaled to their own "
          "average.");
  set.add("scaling.mtz.mtz_column_F", o.model_column,
          "Column of the model; None = the first of amplitudes, else of intensities.");
  set.add("scaling.unit_cell", o.unit_cell,
          "Cell of the sample; None = from model or experiments.");
  set.add("scaling.space_group", o.space_group,
          "Space group of the merge; None = from model or experiments.");
  add_enum(
      set, "scaling.algorithm", {"Auto", "mark0", "mark1", "self"}, o.algorithm,
      "mark0: slope to the model; mark1: none; self: scale and B to the average of the others, "
      "in cycles; Auto = mark0 with a model, else self.");
  add_enum(set, "scaling.weights", {"unit", "icalc", "icalc_sigma"}, o.scaling_weights,
           "Weights of mark0.");
  set.add("scaling.self.max_cycles", o.self.max_cycles, "Most cycles of self-scaling.");
  set.add("scaling.self.tolerance", o.self.tolerance,
          "Converged when no logarithm of a scale changes by more in a cycle.");
  set.add("scaling.self.b_sigma", o.self.b_sigma,
          "Expected spread of B between lattices (angstrom^2); 0 = one B for all.");
  set.add("scaling.resolution_scalar", o.resolution_scalar,
          "The model, and what self-scaling uses, reach to merging.d_min times this.");
  set.add("scaling.pdb.include_bulk_solvent", o.bulk_solvent,
          "Add bulk solvent to structure factors from coordinates.");
  set.add("scaling.pdb.k_sol", o.k_sol, "Density of bulk solvent (electrons per cubic angstrom).");
  set.add("scaling.pdb.b_sol", o.b_sol, "B of bulk solvent (angstrom^2).");
}

void declare_merging(OptionSet& set, MergeOptions& o) {
  set.add("merging.d_min", o.d_min, "High-resolution limit (angstrom); required.");
  set.add("merging.d_max", o.d_max, "Low-resolution limit (angstrom).");
  set.add("merging.minimum_multiplicity", o.minimum_multiplicity,
          "Indices measured less often are left out.");
  set.add("merging.merge_anomalous", o.merge_anomalous, "Treat Bijvoet mates as one index.");
  set.add(
      "merging.set_average_unit_cell", o.set_average_unit_cell,
      "Use the average cell of the lattices for statistics and output, not that of the sample.");
  add_enum(
      set, "merging.weights", {"Auto", "variance", "unit", "excitation"}, o.weights,
      "variance: 1/sigma^2; unit: equal; excitation: by nearness to the Ewald sphere; the last "
      "two take sigma from the scatter. Auto = excitation with self, else variance.");
  set.add("merging.nearness_width", o.nearness_width,
          "Width of the excitation weight, in rms excitation errors of the lattice.");
  set.add("modify.polarization.fraction", o.polarization_fraction,
          "Polarised fraction of the beam; None = as the beam model says (cctbx.xfel.merge: 1).");
}

void declare_output(OptionSet& set, MergeOptions& o) {
  set.add("statistics.n_bins", o.n_bins, "Resolution shells of the tables.");
  set.add("statistics.cciso.mtz_file", o.cciso_file,
          "Reference of the iso columns; None = the scaling model, if any.");
  set.add("statistics.cciso.mtz_column_F", o.cciso_column, "Its column.");
  set.add("statistics.truth.mtz_file", o.truth_file,
          "Known structure factors, of a simulation: prints CC and R1 to the truth.");
  set.add("statistics.truth.mtz_column_F", o.truth_column, "Its column.");
  set.add("output.prefix", o.prefix, "First part of the names of all files written.");
  set.add("output.output_dir", o.output_dir, "Folder for them; made if it does not exist.");
  set.add("output.title", o.title, "Title in the MTZ.");
}

/// What `read` cannot read of an option's text is said with the option's name.
template <typename Read>
void require_readable(const std::string& text, const char* option, const Read& read) {
  if (text.empty()) return;
  try {
    read(text);
  } catch (const core::Error& error) {
    core::fail("{}={} cannot be read ({})", option, text, error.what());
  }
}

void validate_symmetry(const MergeOptions& o) {
  const auto cell = [](const std::string& text) { models::UnitCell::parse(text); };
  const auto group = [](const std::string& text) { models::SpaceGroup{text}; };
  require_readable(o.unit_cell, "scaling.unit_cell", cell);
  require_readable(o.target_cell, "filter.unit_cell.value.target_unit_cell", cell);
  require_readable(o.space_group, "scaling.space_group", group);
  require_readable(o.target_space_group, "filter.unit_cell.value.target_space_group", group);
}

void validate_filters(const MergeOptions& o) {
  const merging::FilterParams& f = o.filter;
  core::require(
      f.relative_length_tolerance >= 0 && f.absolute_angle_tolerance >= 0,
      "filter.unit_cell.value.relative_length_tolerance={} or absolute_angle_tolerance={} "
      "rejects everything (neither may be below 0)",
      f.relative_length_tolerance, f.absolute_angle_tolerance);
  core::require(f.n_obs_min >= 0, "filter.n_obs.min={} is no count (must not be below 0)",
                f.n_obs_min);
  core::require(!f.n_obs_max || *f.n_obs_max >= f.n_obs_min,
                "filter.n_obs.max={} rejects everything (it is below filter.n_obs.min={})",
                f.n_obs_max.value_or(0), f.n_obs_min);
  core::require(f.resolution_d_min > 0, "filter.resolution.d_min={} (must be above 0)",
                f.resolution_d_min);
  core::require(o.min_correlation >= -1 && o.min_correlation <= 1,
                "filter.outlier.min_corr={} is no correlation (-1 to 1)", o.min_correlation);
  const merging::SignificanceParams& s = o.significance;
  core::require(s.n_bins >= 1 && s.n_bins <= most_bins,
                "select.significance_filter.n_bins={} (1 to {} are possible)", s.n_bins, most_bins);
  core::require(s.min_count >= 1,
                "select.significance_filter.min_ct={} makes shells without end (at least 1)",
                s.min_count);
  core::require(s.max_count >= s.min_count,
                "select.significance_filter.max_ct={} cannot be met (it is below min_ct={})",
                s.max_count, s.min_count);
}

void require_file(const std::string& path, const char* option) {
  core::require(path.empty() || std::filesystem::is_regular_file(path),
                "cannot read '{}' (option {}: no such file)", path, option);
}

} // namespace

ScalingAlgorithm MergeOptions::effective_algorithm() const {
  if (algorithm != ScalingAlgorithm::Auto) return algorithm;
  return model.empty() ? ScalingAlgorithm::Self : ScalingAlgorithm::Mark0;
}

merging::MergeWeights MergeOptions::effective_weights() const {
  switch (weights) {
  case WeightChoice::Variance:
    return merging::MergeWeights::Variance;
  case WeightChoice::Unit:
    return merging::MergeWeights::Unit;
  case WeightChoice::Excitation:
    return merging::MergeWeights::Excitation;
  case WeightChoice::Auto:
    break;
  }
  return effective_algorithm() == ScalingAlgorithm::Self ? merging::MergeWeights::Excitation
                                                         : merging::MergeWeights::Variance;
}

bool MergeOptions::uses_scatter() const {
  if (error_model != ErrorModel::Auto) return error_model == ErrorModel::Scatter;
  return effective_weights() != merging::MergeWeights::Variance;
}

bool MergeOptions::has_filter(const std::string& name) const {
  return std::find(filter_algorithms.begin(), filter_algorithms.end(), name) !=
         filter_algorithms.end();
}

bool MergeOptions::selects(const std::string& name) const {
  return std::find(select_algorithms.begin(), select_algorithms.end(), name) !=
         select_algorithms.end();
}

void declare(core::OptionSet& set, MergeOptions& options) {
  declare_input(set, options);
  declare_filters(set, options);
  declare_scaling(set, options);
  declare_merging(set, options);
  declare_output(set, options);
  declare(set, options.pixels);
}

void validate(const MergeOptions& o) {
  core::require(o.paths.empty() || o.pixels.shot_list.empty(),
                "input.path and input.exp_ref_spec='{}' are both given (the list names all that is "
                "merged) drop one?",
                o.pixels.shot_list);
  core::require(!o.paths.empty() || !o.pixels.shot_list.empty(),
                "nothing to merge (no input.path given); give the folder with the "
                "integrated files: input.path=FOLDER");
  core::require(o.d_min.has_value(), "no resolution limit (merging.d_min is not set); give one as "
                                     "merging.d_min=2.0");
  core::require(*o.d_min > 0 && (!o.d_max || *o.d_max > *o.d_min),
                "the resolution range is empty (merging.d_min={} must be above zero and below "
                "merging.d_max)",
                *o.d_min);
  core::require(o.n_bins >= 1 && o.n_bins <= most_bins,
                "statistics.n_bins={} makes no table (1 to {} are possible)", o.n_bins, most_bins);
  core::require(o.minimum_multiplicity >= 1, "merging.minimum_multiplicity={} (at least 1)",
                o.minimum_multiplicity);
  core::require(o.nearness_width > 0, "merging.nearness_width={} (must be above 0)",
                o.nearness_width);
  core::require(o.resolution_scalar >= 0.5 && o.resolution_scalar <= 2,
                "scaling.resolution_scalar={} is out of range (0.5 to 2 is possible)",
                o.resolution_scalar);
  core::require(o.self.max_cycles >= 1, "scaling.self.max_cycles={} (at least 1)",
                o.self.max_cycles);
  core::require(o.self.b_sigma >= 0, "scaling.self.b_sigma={} (must not be below 0)",
                o.self.b_sigma);
  core::require(
      o.effective_algorithm() != ScalingAlgorithm::Mark0 || !o.model.empty(),
      "scaling.algorithm=mark0 needs a reference (scaling.model is not set); give one, or "
      "scaling.algorithm=self");
  core::require(!o.prefix.empty() && o.prefix.find('/') == std::string::npos,
                "output.prefix='{}' is no part of a file name (folders go to output.output_dir)",
                o.prefix);
  if (o.polarization_fraction)
    core::require(*o.polarization_fraction >= 0 && *o.polarization_fraction <= 1,
                  "modify.polarization.fraction={} is no fraction (0 to 1)",
                  *o.polarization_fraction);
  validate_filters(o);
  validate_symmetry(o);
  validate(o.pixels);
  require_file(o.model, "scaling.model");
  require_file(o.cciso_file, "statistics.cciso.mtz_file");
  require_file(o.truth_file, "statistics.truth.mtz_file");
}

} // namespace kilobragg::programs
