// Rayleigh fit to the smallest residuals and the walk along it that finds where outliers begin.
#include "kilobragg/refinement/outliers.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace kilobragg::refinement {
namespace {

constexpr double fitted_fraction = 0.4;
constexpr double walk_end_mm = 1.0, walk_step_mm = 0.002;
constexpr std::size_t fewest = 4;

/// Rank (in sorted order) from which on lengths are outliers; n if there are none.
std::size_t first_outlier(std::span<const double> sorted, double scale) {
  const std::size_t n = sorted.size();
  const double deviation = scale * std::sqrt((4 - std::numbers::pi) / 2);
  const int steps = static_cast<int>(std::lround(walk_end_mm / walk_step_mm));
  for (int i = 0; i <= steps; ++i) {
    const double x = i * walk_step_mm;
    const double fitted = 1 - std::exp(-x * x / (2 * scale * scale));
    const auto rank = static_cast<std::size_t>(fitted * static_cast<double>(n));
    if (rank >= n) break;
    if (sorted[rank] - x >= deviation) return rank > 0 ? rank - 1 : 0;
  }
  return n;
}

} // namespace

double rayleigh_scale(std::span<const double> sorted) {
  const std::size_t n = sorted.size();
  const auto used = std::max<std::size_t>(
      2, static_cast<std::size_t>(std::lround(fitted_fraction * static_cast<double>(n))));
  const std::size_t last = std::min(used, n) - 1;
  const double reached = (static_cast<double>(last) + 0.5) / static_cast<double>(n);
  double log_scale = std::log(std::max(sorted[last], 1e-9) / std::sqrt(-2 * std::log1p(-reached)));
  for (int iteration = 0; iteration < 30; ++iteration) { // Gauss-Newton on the logarithm
    double slope = 0, curvature = 0;
    const double inverse = std::exp(-2 * log_scale);
    for (std::size_t i = 0; i <= last; ++i) {
      const double t = sorted[i] * sorted[i] * inverse;
      const double tail = std::exp(-0.5 * t);
      const double residual = (1 - tail) - static_cast<double>(i) / static_cast<double>(n);
      const double derivative = -t * tail;
      slope += residual * derivative;
      curvature += derivative * derivative;
    }
    if (!(curvature > 0)) break;
    const double step = std::clamp(-slope / curvature, -1.0, 1.0);
    log_scale += step;
    if (std::abs(step) < 1e-10) break;
  }
  return std::exp(log_scale);
}

std::vector<bool> sauter_poon_outliers(std::span<const double> lengths) {
  std::vector<bool> outlier(lengths.size(), false);
  if (lengths.size() < fewest) return outlier;
  std::vector<std::size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] < lengths[b]; });
  std::vector<double> sorted(lengths.size());
  for (std::size_t i = 0; i < order.size(); ++i) sorted[i] = lengths[order[i]];
  const std::size_t first = first_outlier(sorted, rayleigh_scale(sorted));
  for (std::size_t i = first; i < order.size(); ++i) outlier[order[i]] = true;
  return outlier;
}

void flag_outliers(models::Lattice& lattice, const models::SpotList& spots) {
  std::vector<double> lengths;
  std::vector<models::IndexedSpot*> judged;
  for (models::IndexedSpot& s : lattice.spots) {
    if ((s.flags & models::flag_centroid_outlier) != 0) continue;
    const models::PanelPoint& seen = spots.spots[s.spot].mm;
    lengths.push_back(std::hypot(s.mm_cal.x - seen.x, s.mm_cal.y - seen.y));
    judged.push_back(&s);
  }
  const std::vector<bool> outlier = sauter_poon_outliers(lengths);
  for (std::size_t i = 0; i < judged.size(); ++i)
    if (outlier[i]) judged[i]->flags |= models::flag_centroid_outlier;
}

} // namespace kilobragg::refinement
