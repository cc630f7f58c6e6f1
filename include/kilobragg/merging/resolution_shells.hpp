// Resolution shells of equal reciprocal volume, and how many indices each could hold.
#pragma once

#include "kilobragg/merging/observations.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::merging {

struct ShellParams {
  models::UnitCell cell; ///< the average cell of the merge
  models::SpaceGroup space_group;
  double d_min = 2; ///< angstrom
  std::optional<double> d_max;
  int n_bins = 10;
  bool merge_anomalous = false; ///< false: acentric indices count twice, as I(+) and I(-)
};

class ResolutionShells {
public:
  /// Throws core::Error unless 0 < d_min < d_max and n_bins >= 1.
  explicit ResolutionShells(const ShellParams& params);

  int count() const { return static_cast<int>(possible_.size()); }
  /// 1/d^2 of an index at the average cell.
  double inv_d2(const AsuIndex& index) const;
  /// 0 to count() - 1, or -1 outside the resolution range.
  int shell_of(const AsuIndex& index) const;
  std::int64_t possible(int shell) const { return possible_[static_cast<std::size_t>(shell)]; }
  /// Possible indices of a shell down to a finest 1/d^2 within it.
  std::int64_t possible_up_to(int shell, double inv_d2) const;
  std::int64_t total_possible() const;
  double d_low(int shell) const;  ///< angstrom; 0 where the range is open
  double d_high(int shell) const; ///< angstrom
  /// "  4.3089 -  3.4200"; an open end is -1.0000 as in cctbx's tables.
  std::string range(int shell) const;

private:
  int shell_at(double inv_d2) const;
  ShellParams params_;
  Mat3 b_matrix_;
  std::vector<double> limits_; ///< 1/d^2, count() + 1
  std::vector<std::int64_t> possible_;
  std::vector<std::vector<double>> possible_inv_d2_; ///< of each shell, one per index, sorted
};

} // namespace kilobragg::merging
