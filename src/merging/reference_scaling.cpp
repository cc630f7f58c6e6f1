// Slopes through the origin against reference intensities.
#include "kilobragg/merging/reference_scaling.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::merging {

namespace {

double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) mean_x += x[i] / n, mean_y += y[i] / n;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - mean_x, dy = y[i] - mean_y;
    xx += dx * dx, yy += dy * dy, xy += dx * dy;
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

double weighted_slope(const std::vector<double>& observed, const std::vector<double>& reference,
                      const std::vector<double>& weight) {
  double numerator = 0, denominator = 0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    numerator += weight[i] * observed[i] * reference[i];
    denominator += weight[i] * observed[i] * observed[i];
  }
  return denominator > 0 ? numerator / denominator : 0;
}

} // namespace

const double* ReferenceTable::find(const AsuIndex& index) const {
  const models::Miller wanted = index.miller();
  const auto at = std::lower_bound(hkl.begin(), hkl.end(), wanted);
  if (at == hkl.end() || *at != wanted) return nullptr;
  return &intensity[static_cast<std::size_t>(at - hkl.begin())];
}

SlopeFit fit_slope(const std::vector<double>& observed, const std::vector<double>& sigma,
                   const std::vector<double>& reference, ScalingWeights weights) {
  SlopeFit fit;
  fit.pairs = observed.size();
  if (fit.pairs == 0) return fit;
  fit.correlation = pearson(observed, reference);
  std::vector<double> weight(observed.size(), 1.0);
  fit.slope = weighted_slope(observed, reference, weight);
  if (weights == ScalingWeights::Unit || !(fit.slope > 0)) return fit;
  // The reference on the scale of the observations, by the first, unweighted slope.
  for (std::size_t i = 0; i < observed.size(); ++i) {
    const double calculated = reference[i] / fit.slope;
    const double variance = weights == ScalingWeights::Icalc
                                ? calculated
                                : calculated * calculated + sigma[i] * sigma[i];
    weight[i] = variance > 0 ? 1 / variance : 0;
  }
  fit.slope = weighted_slope(observed, reference, weight);
  return fit;
}

ReferenceScalingCounts scale_to_reference(Observations& observations,
                                          const ReferenceTable& reference, ScalingWeights weights,
                                          double min_correlation) {
  ReferenceScalingCounts counts;
  std::vector<bool> keep;
  std::vector<double> observed, sigma, expected;
  for (LatticeRecord& lattice : observations.lattices) {
    observed.clear(), sigma.clear(), expected.clear();
    for (std::size_t i = lattice.begin; i < lattice.end; ++i) {
      const double* intensity = reference.find(observations.index[i]);
      if (intensity == nullptr) continue;
      observed.push_back(observations.intensity[i]);
      sigma.push_back(std::sqrt(double(observations.variance[i])));
      expected.push_back(*intensity);
    }
    const SlopeFit fit = fit_slope(observed, sigma, expected, weights);
    const bool low_signal = fit.pairs < 3;
    const bool low_correlation =
        !low_signal && (fit.correlation < min_correlation || !(fit.slope > 0));
    counts.low_signal += low_signal;
    counts.low_correlation += low_correlation;
    keep.push_back(!low_signal && !low_correlation);
    if (!keep.back()) {
      counts.observations += static_cast<std::int64_t>(lattice.size());
      continue;
    }
    lattice.log_scale = -std::log(fit.slope);
    lattice.correlation = fit.correlation;
    for (std::size_t i = lattice.begin; i < lattice.end; ++i) {
      observations.intensity[i] = static_cast<float>(observations.intensity[i] * fit.slope);
      observations.variance[i] =
          static_cast<float>(observations.variance[i] * fit.slope * fit.slope);
    }
  }
  observations.keep_lattices(keep);
  return counts;
}

} // namespace kilobragg::merging
