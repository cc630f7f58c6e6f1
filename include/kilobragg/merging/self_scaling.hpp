// Scaling without a reference: every lattice against the average of the others, in cycles.
#pragma once

#include "kilobragg/merging/observations.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace kilobragg::merging {

struct SelfScalingParams {
  int max_cycles = 30;
  double tolerance = 1e-3; ///< converged: no lattice's ln G (or B/100) changes by more in a cycle
  double b_sigma = 5;      ///< how far B strays between lattices (angstrom^2); 0 = B stays 0
  double min_correlation = 0.1;
  std::size_t min_common = 3; ///< observations shared with other lattices; fewer: low signal
};

/// What the cycles need to know of all ranks; every member is called by all ranks together.
struct ScalingExchange {
  /// For every observation held here, given its scaled intensity, the nearness-weighted mean of
  /// its index over all *other* lattices; NaN where there is none.
  std::function<std::vector<float>(std::span<const float>)> means_of_others;
  std::function<double(double)> all_max;
  /// Mean over the values of all ranks, independent of how they are distributed.
  std::function<double(std::span<const double>)> mean;
};
/// The exchange of a process that holds all observations.
ScalingExchange exchange_alone(const Observations& observations);

struct SelfScalingResult {
  int cycles = 0;
  double last_change = 0; ///< largest change of ln G or B/100 in the last cycle
  bool converged = false;
  /// Rejected on this rank.
  std::int64_t low_signal = 0, low_correlation = 0, observations = 0;
};

/// Finds G and B of every lattice, rejects lattices that share too little with the others or do not
/// correlate with them, cycles again without these, then divides intensities and variances by the
/// scales. The geometric mean of G is one. `connect` is called once and again after rejections.
SelfScalingResult
self_scale(Observations& observations, const SelfScalingParams& params,
           const std::function<ScalingExchange(const Observations&)>& connect = exchange_alone);

/// I / (G exp(-B / (2 d^2))) of every observation with its lattice's present scale.
std::vector<float> scaled_intensities(const Observations& observations);

/// Half a cycle: new scales of the lattices held here from the means of the others. G is the ratio of
/// weighted norms, which unlike a regression is not pulled down by the scatter of partiality; B is
/// the slope of the same ratio over resolution, held towards zero by a normal prior of width
/// b_sigma. Sets log_scale, b_factor and correlation.
void update_scales(Observations& observations, std::span<const float> reference,
                   const SelfScalingParams& params);

} // namespace kilobragg::merging
