// Options of merge, under the phil paths of cctbx.xfel.merge.
#pragma once

#include "pixel_options.hpp"

#include "kilobragg/core/options.hpp"
#include "kilobragg/merging/filters.hpp"
#include "kilobragg/merging/index_groups.hpp"
#include "kilobragg/merging/reference_scaling.hpp"
#include "kilobragg/merging/self_scaling.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Exit statuses, as --help explains.
enum MergeStatus : int {
  merge_ok = 0,
  merge_failed = 1,
  merge_usage = 2,
  merge_nothing_left = 3,
  merge_stopped = 75 /* EX_TEMPFAIL: run again with --resume */
};

enum class ScalingAlgorithm { Auto, Mark0, Mark1, Self };
enum class ErrorModel { Auto, None, Scatter };
enum class WeightChoice { Auto, Variance, Unit, Excitation };

struct MergeOptions {
  // input
  std::vector<std::string> paths;
  std::string experiments_suffix = "_integrated.expt", reflections_suffix = "_integrated.refl";
  // filter, select
  std::vector<std::string> filter_algorithms{"unit_cell"}, select_algorithms;
  std::string target_cell, target_space_group;
  merging::FilterParams filter;
  double min_correlation = 0.1;
  merging::SignificanceParams significance;
  // scaling
  std::string model, model_column, unit_cell, space_group;
  ScalingAlgorithm algorithm = ScalingAlgorithm::Auto;
  merging::ScalingWeights scaling_weights = merging::ScalingWeights::Unit;
  merging::SelfScalingParams self;
  double resolution_scalar = 0.969;
  bool bulk_solvent = true;
  double k_sol = 0.35, b_sol = 46;
  // merging
  std::optional<double> d_min, d_max;
  int minimum_multiplicity = 2;
  bool merge_anomalous = false, set_average_unit_cell = true;
  WeightChoice weights = WeightChoice::Auto;
  ErrorModel error_model = ErrorModel::Auto;
  double nearness_width = 0.7;
  std::optional<double> polarization_fraction;
  // statistics
  int n_bins = 10;
  std::string cciso_file, cciso_column, truth_file, truth_column;
  // refinement against pixels
  PixelOptions pixels;
  // output
  std::string prefix = "iobs", output_dir = ".", title;

  /// What Auto stands for: mark0 with a model, else self; variance with mark0 and mark1, excitation
  /// with self; scatter with weights that are not variances.
  ScalingAlgorithm effective_algorithm() const;
  merging::MergeWeights effective_weights() const;
  bool uses_scatter() const;
  bool has_filter(const std::string& name) const;
  bool selects(const std::string& name) const;
};

void declare(core::OptionSet& set, MergeOptions& options);

/// What can be known to be wrong before any file is read. Throws core::Error.
void validate(const MergeOptions& options);

} // namespace kilobragg::programs
