// Scaling each lattice to reference intensities: the slope through the origin (mark0 of cctbx.xfel.merge).
#pragma once

#include "kilobragg/merging/observations.hpp"

#include <cstdint>
#include <vector>

namespace kilobragg::merging {

/// Intensities by index, sorted, Bijvoet mates alike.
struct ReferenceTable {
  std::vector<models::Miller> hkl;
  std::vector<double> intensity;
  const double* find(const AsuIndex& index) const;
};

enum class ScalingWeights { Unit, Icalc, IcalcSigma };

struct ReferenceScalingCounts {
  std::int64_t low_signal = 0, low_correlation = 0, observations = 0;
};

/// The slope m that minimises sum w (I_ref - m I_obs)^2 and the correlation of the two.
struct SlopeFit {
  std::size_t pairs = 0;
  double slope = 0, correlation = 0;
};
SlopeFit fit_slope(const std::vector<double>& observed, const std::vector<double>& sigma,
                   const std::vector<double>& reference, ScalingWeights weights);

/// Scales every lattice (intensities times m, log_scale = -ln m); lattices with fewer than three
/// common indices (low signal), a correlation below `min_correlation` or a slope that is not
/// positive (low correlation) are removed.
ReferenceScalingCounts scale_to_reference(Observations& observations,
                                          const ReferenceTable& reference, ScalingWeights weights,
                                          double min_correlation);

} // namespace kilobragg::merging
