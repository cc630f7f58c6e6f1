// Merged intensities to first amplitudes; refined amplitudes with their errors.
#include "pixel_table.hpp"

#include "kilobragg/pixelrefinement/shot_reflections.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kilobragg::programs {
namespace {

using pixelrefinement::FactorTable;

constexpr double unseen_sigma = 0.6; // of ln F of an index that was not measured: Wilson's is 0.64

void fill_unseen(FactorTable& table) {
  const std::vector<double> mean = pixelrefinement::mean_intensities(table);
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table.measured[i] != 0 && table.f[i] * table.f[i] > 0.1 * mean[i]) continue;
    if (table.measured[i] == 0 || !(table.f[i] > 0)) table.f[i] = std::sqrt(mean[i]);
    table.f[i] = std::max(table.f[i], std::sqrt(0.1 * mean[i]));
    table.sigma[i] = unseen_sigma;
  }
}

} // namespace

FactorTable first_table(const std::vector<merging::MergedIndex>& merged, const OutputFrame& frame,
                        double d_min, bool merge_anomalous) {
  FactorTable table =
      pixelrefinement::make_factor_table(frame.cell, frame.space_group, d_min, !merge_anomalous);
  constexpr double least_sigma = 0.03, most_sigma = 0.8;
  for (const merging::MergedIndex& m : merged) {
    const auto at = std::lower_bound(table.index.begin(), table.index.end(), m.index);
    if (at == table.index.end() || *at != m.index || m.all.n == 0) continue;
    const auto i = static_cast<std::size_t>(at - table.index.begin());
    table.measured[i] = 1;
    table.f[i] = std::sqrt(std::max(0.0, m.all.intensity));
    if (m.all.intensity > 0)
      table.sigma[i] = std::clamp(0.5 * m.all.sigma / m.all.intensity, least_sigma, most_sigma);
  }
  fill_unseen(table);
  return table;
}

FactorTable first_table(const FactorTable& known, const OutputFrame& frame, double d_min,
                        bool merge_anomalous) {
  FactorTable table =
      pixelrefinement::make_factor_table(frame.cell, frame.space_group, d_min, !merge_anomalous);
  for (std::size_t i = 0; i < table.size(); ++i) {
    models::Miller m = table.index[i].miller();
    if (table.index[i].minus != 0) m = {-m.h, -m.k, -m.l};
    const std::int32_t row = known.row_of(m);
    if (row < 0) continue;
    const auto k = static_cast<std::size_t>(row);
    table.f[i] = known.f[k];
    table.sigma[i] = known.sigma[k];
    table.measured[i] = known.measured[k];
  }
  fill_unseen(table);
  return table;
}

void take_factors(FactorTable& table, const pixelrefinement::FactorRefinement& refined,
                  const std::vector<double>& mean) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    table.measured[i] = refined.scores.segments[i] > 0 ? 1 : 0;
    table.f[i] = table.measured[i] != 0 ? std::exp(refined.x[i]) : std::sqrt(mean[i]);
    if (table.measured[i] == 0) table.sigma[i] = unseen_sigma;
  }
}

void set_sigmas(FactorTable& table, const pixelrefinement::FactorRefinement& refined,
                const std::vector<double>& variance, const std::vector<double>& model_variance) {
  constexpr double least_sigma = 1e-4;
  constexpr std::size_t per_shell = 500;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table.measured[i] != 0) order.push_back(i);
  const Mat3 b = table.cell.b_matrix();
  std::vector<double> inv_d2(table.size());
  for (const std::size_t i : order) {
    const models::Miller m = table.index[i].miller();
    inv_d2[i] = norm2(b * Vec3{double(m.h), double(m.k), double(m.l)});
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) { return inv_d2[x] < inv_d2[y]; });
  const std::size_t shells = std::max<std::size_t>(1, order.size() / per_shell);
  for (std::size_t s = 0; s < shells; ++s) {
    const std::size_t begin = s * order.size() / shells, end = (s + 1) * order.size() / shells;
    double scores = 0, expected = 0;
    for (std::size_t k = begin; k < end; ++k) {
      const std::size_t i = order[k];
      const auto n = double(refined.scores.segments[i]);
      if (n < 2) continue;
      scores += refined.scores.squares[i] * n / (n - 1) / refined.information[i];
      expected += 1 + model_variance[i] * refined.information[i];
    }
    const double phi = expected > 10 ? std::max(1.0, scores / expected) : 1;
    for (std::size_t k = begin; k < end; ++k) {
      const std::size_t i = order[k];
      table.sigma[i] = std::max(least_sigma, std::sqrt(phi * variance[i]));
    }
  }
}

} // namespace kilobragg::programs
