// Shells of equal volume in reciprocal space and the indices that each can hold.
#include "kilobragg/merging/resolution_shells.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kilobragg::merging {

namespace {

constexpr double open_d_max = 100000; // angstrom; where no low-resolution limit is given

double inv_d2_of(const Mat3& b, const models::Miller& hkl) {
  return norm2(b * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)});
}

} // namespace

ResolutionShells::ResolutionShells(const ShellParams& params)
    : params_(params)
    , b_matrix_(params.cell.b_matrix()) {
  const double d_max = params.d_max.value_or(open_d_max);
  core::require(params.d_min > 0 && params.d_min < d_max,
                "resolution range {} to {} angstrom is empty (merging.d_min must be above zero and "
                "below merging.d_max)",
                d_max, params.d_min);
  core::require(params.n_bins >= 1, "statistics.n_bins={} (at least one shell is needed)",
                params.n_bins);
  const double low = std::pow(d_max, -3), high = std::pow(params.d_min, -3);
  for (int i = 0; i <= params.n_bins; ++i)
    limits_.push_back(std::pow(low + (high - low) * i / params.n_bins, 2.0 / 3));
  limits_.back() = 1 / (params.d_min * params.d_min);
  possible_.assign(static_cast<std::size_t>(params.n_bins), 0);
  possible_inv_d2_.resize(possible_.size());
  for (const models::Miller& hkl :
       params.space_group.unique_indices(params.cell, params.d_min, d_max)) {
    const double x = inv_d2_of(b_matrix_, hkl);
    const int shell = shell_at(x);
    if (shell < 0) continue;
    const bool twice = !params.merge_anomalous && !params.space_group.is_centric(hkl);
    for (int mate = 0; mate <= int(twice); ++mate) {
      ++possible_[static_cast<std::size_t>(shell)];
      possible_inv_d2_[static_cast<std::size_t>(shell)].push_back(x);
    }
  }
  for (auto& values : possible_inv_d2_) std::sort(values.begin(), values.end());
}

int ResolutionShells::shell_at(double x) const {
  const double slack = 1e-9 * limits_.back(); // an index exactly at d_min belongs to the last shell
  if (x < limits_.front() - slack || x > limits_.back() + slack) return -1;
  const auto above = std::upper_bound(limits_.begin() + 1, limits_.end() - 1, x);
  return static_cast<int>(above - limits_.begin()) - 1;
}

double ResolutionShells::inv_d2(const AsuIndex& index) const {
  return inv_d2_of(b_matrix_, index.miller());
}

int ResolutionShells::shell_of(const AsuIndex& index) const { return shell_at(inv_d2(index)); }

std::int64_t ResolutionShells::possible_up_to(int shell, double x) const {
  const auto& values = possible_inv_d2_[static_cast<std::size_t>(shell)];
  return std::upper_bound(values.begin(), values.end(), x * (1 + 1e-9)) - values.begin();
}

std::int64_t ResolutionShells::total_possible() const {
  return std::accumulate(possible_.begin(), possible_.end(), std::int64_t{0});
}

double ResolutionShells::d_low(int shell) const {
  if (shell == 0 && !params_.d_max) return 0;
  return 1 / std::sqrt(limits_[static_cast<std::size_t>(shell)]);
}

double ResolutionShells::d_high(int shell) const {
  return 1 / std::sqrt(limits_[static_cast<std::size_t>(shell) + 1]);
}

std::string ResolutionShells::range(int shell) const {
  const double low = d_low(shell);
  return fmt::format("{:7.4f} - {:7.4f}", low > 0 ? low : -1.0, d_high(shell));
}

} // namespace kilobragg::merging
