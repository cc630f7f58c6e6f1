// Filters by cell, space group, count and resolution, and the significance cut of each lattice.
#include "kilobragg/merging/filters.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::merging {

namespace {

bool similar_cell(const models::UnitCell& cell, const FilterParams& params) {
  const auto have = cell.parameters(), want = params.target_cell.parameters();
  for (std::size_t i = 0; i < 3; ++i) {
    // As a relative deviation of the larger to the smaller, so that order does not matter.
    const double ratio = std::min(have[i], want[i]) / std::max(have[i], want[i]);
    if (!(1 - ratio <= params.relative_length_tolerance)) return false;
    if (std::abs(have[i + 3] - want[i + 3]) > params.absolute_angle_tolerance) return false;
  }
  return true;
}

// Resolution limit of one lattice as 1/d^2: the outer edge of the last significant shell, which
// cctbx.xfel.merge reads back from its four printed decimals. Negative: no shell is significant.
double significant_limit(const Observations& observations, const LatticeRecord& lattice,
                         const std::vector<double>& inv_d2, const SignificanceParams& params) {
  const int n = static_cast<int>(lattice.size());
  const int bins =
      std::max({std::min(params.n_bins, n / params.min_count), n / params.max_count, 1});
  const auto [low, high] = std::minmax_element(inv_d2.begin(), inv_d2.end());
  // The outermost shells reach a little beyond the observations, as cctbx's do.
  const double volume_low = std::pow(*low * (1 - 1e-6), 1.5);
  const double volume_high = std::pow(*high * (1 + 1e-6), 1.5);
  const double step = (volume_high - volume_low) / bins;
  std::vector<double> sum(static_cast<std::size_t>(bins)), count(static_cast<std::size_t>(bins));
  for (std::size_t i = 0; i < inv_d2.size(); ++i) {
    const double position = step > 0 ? (std::pow(inv_d2[i], 1.5) - volume_low) / step : 0;
    const auto bin = static_cast<std::size_t>(std::clamp(static_cast<int>(position), 0, bins - 1));
    const std::size_t at = lattice.begin + i;
    sum[bin] += observations.intensity[at] / std::sqrt(double(observations.variance[at]));
    count[bin] += 1;
  }
  double limit = -1;
  for (int bin = 0; bin < bins; ++bin) {
    const auto b = static_cast<std::size_t>(bin);
    if (count[b] == 0) continue;
    if (!(sum[b] / count[b] > params.sigma)) break;
    const double d = std::pow(volume_low + step * (bin + 1), -1.0 / 3);
    const double printed = std::round(d * 1e4) / 1e4;
    limit = 1 / (printed * printed);
  }
  return limit;
}

} // namespace

Rejection check_lattice(const LatticeRecord& lattice, double finest_inv_d2,
                        const FilterParams& params) {
  if (params.unit_cell) {
    // Finding a Patterson group searches tables, so equal groups are not asked for it.
    if (!(lattice.space_group == params.target_space_group) &&
        !(lattice.space_group.patterson() == params.target_space_group.patterson()))
      return Rejection::SpaceGroup;
    if (!similar_cell(lattice.cell, params)) return Rejection::UnitCell;
  }
  if (params.n_obs) {
    const auto n = static_cast<std::int64_t>(lattice.size());
    if (n < params.n_obs_min || (params.n_obs_max && n > *params.n_obs_max))
      return Rejection::ObservationCount;
  }
  if (params.resolution && finest_inv_d2 * params.resolution_d_min * params.resolution_d_min < 1)
    return Rejection::Resolution;
  return Rejection::None;
}

FilterCounts filter_lattices(Observations& observations, const FilterParams& params) {
  FilterCounts counts;
  std::vector<bool> keep;
  keep.reserve(observations.lattices.size());
  for (const LatticeRecord& lattice : observations.lattices) {
    double finest = 0;
    for (std::size_t i = lattice.begin; i < lattice.end; ++i)
      finest = std::max(finest, double(observations.inv_d2[i]));
    const Rejection reason = check_lattice(lattice, finest, params);
    ++counts.lattices[static_cast<int>(reason)];
    keep.push_back(reason == Rejection::None);
    if (reason != Rejection::None) counts.observations += static_cast<std::int64_t>(lattice.size());
  }
  observations.keep_lattices(keep);
  return counts;
}

SignificanceCounts apply_significance_filter(Observations& observations,
                                             const SignificanceParams& params) {
  const Mat3 b = params.cell.b_matrix();
  std::vector<bool> keep_rows(observations.size()), keep_lattices;
  std::vector<double> inv_d2;
  SignificanceCounts counts;
  for (const LatticeRecord& lattice : observations.lattices) {
    inv_d2.clear();
    for (std::size_t i = lattice.begin; i < lattice.end; ++i) {
      const AsuIndex& hkl = observations.index[i];
      inv_d2.push_back(norm2(b * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)}));
    }
    const double limit =
        inv_d2.empty() ? -1 : significant_limit(observations, lattice, inv_d2, params);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < inv_d2.size(); ++i) {
      keep_rows[lattice.begin + i] = inv_d2[i] <= limit;
      kept += inv_d2[i] <= limit;
    }
    counts.observations += static_cast<std::int64_t>(lattice.size() - kept);
    counts.lattices += kept == 0;
    keep_lattices.push_back(kept > 0);
  }
  observations.keep_observations(keep_rows);
  observations.keep_lattices(keep_lattices);
  return counts;
}

} // namespace kilobragg::merging
