// Which lattices and observations take part in a merge, with a count for every reason against.
#pragma once

#include "kilobragg/merging/observations.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::merging {

/// filter.*; each group works only when switched on.
struct FilterParams {
  bool unit_cell = true;
  models::UnitCell target_cell;          ///< filter.unit_cell.value.target_unit_cell
  models::SpaceGroup target_space_group; ///< Patterson groups must agree
  double relative_length_tolerance = 0.1;
  double absolute_angle_tolerance = 2; ///< deg
  bool n_obs = false;
  int n_obs_min = 15;
  std::optional<int> n_obs_max;
  bool resolution = false;
  double resolution_d_min = 2; ///< lattices that do not reach it are rejected (angstrom)
};

enum class Rejection { None, UnitCell, SpaceGroup, ObservationCount, Resolution };

/// The first reason to reject `lattice`. `finest_inv_d2`: the largest 1/d^2 among its observations.
Rejection check_lattice(const LatticeRecord& lattice, double finest_inv_d2,
                        const FilterParams& params);

/// Applies check_lattice to all; counts[int(reason)] lattices were rejected.
struct FilterCounts {
  std::int64_t lattices[5] = {0, 0, 0, 0, 0};
  std::int64_t observations = 0; ///< of rejected lattices
};
FilterCounts filter_lattices(Observations& observations, const FilterParams& params);

/// select.significance_filter: per lattice, resolution shells of equal volume are kept outward up
/// to the first whose mean I/sigma is not above `sigma`.
struct SignificanceParams {
  bool enable = false;
  int n_bins = 12, min_count = 10, max_count = 50;
  double sigma = 0.5;
  models::UnitCell cell; ///< for resolutions
};
struct SignificanceCounts {
  std::int64_t lattices = 0, observations = 0;
};
SignificanceCounts apply_significance_filter(Observations& observations,
                                             const SignificanceParams& params);

} // namespace kilobragg::merging
