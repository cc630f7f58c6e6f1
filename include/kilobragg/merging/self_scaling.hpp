// Scaling without a reference: every lattice against the average of the others, in cycles.
#pragma once

#include "kilobragg/merging/observations.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace kilobragg::merging {

struct SelfScalingParams {
  int max_cycles = 20;
  double tolerance = 1e-3; ///< largest change of ln G (and of B/100) of a lattice when converged
  double b_sigma = 5;      ///< how far B strays between lattices (angstrom^2); 0 = B stays 0
  double min_correlation = 0.1;
  std::size_t min_common = 3; ///< observations that others share, below: low signal
};

/// I / (G exp(-B / (2 d^2))) of every observation with its lattice's present scale.
std::vector<float> scaled_intensities(const Observations& observations);

/// One cycle over the lattices held here. `reference[i]` is the average of the *other* lattices at the
/// index of observation i, NaN where there is none. G is the ratio of weighted norms, which unlike a
/// regression is not pulled down by the scatter that partiality gives; B the slope of the same
/// ratio over resolution, held to zero by a normal prior of width b_sigma. Sets log_scale,
/// b_factor and correlation. Returns each lattice's change.
std::vector<double> update_scales(Observations& observations, std::span<const float> reference,
                                  const SelfScalingParams& params);

/// Flags lattices to keep after convergence: enough in common, correlation above the limit.
struct SelfScalingCounts {
  std::int64_t low_signal = 0, low_correlation = 0, observations = 0;
};
std::vector<bool> scalable_lattices(const Observations& observations,
                                    std::span<const float> reference,
                                    const SelfScalingParams& params, SelfScalingCounts& counts);

/// Divides intensities and variances by the scales found.
void apply_scales(Observations& observations);

} // namespace kilobragg::merging
