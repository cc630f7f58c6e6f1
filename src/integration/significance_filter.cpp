// Mean I/sigma by resolution shell, and the cut that follows from it.
#include "significance_filter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::integration {
namespace {

double inverse_cube(double d) { return 1 / (d * d * d); }

} // namespace

void cut_insignificant(std::vector<models::IntegratedReflection>& reflections, int bins,
                       double cutoff) {
  if (reflections.empty() || bins < 1) return;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const auto& r : reflections) {
    low = std::min(low, inverse_cube(r.d));
    high = std::max(high, inverse_cube(r.d));
  }
  const auto shell = [&](const models::IntegratedReflection& r) {
    const double t = high > low ? (inverse_cube(r.d) - low) / (high - low) : 0;
    return std::min(static_cast<std::size_t>(t * bins), static_cast<std::size_t>(bins - 1));
  };
  std::vector<double> sum(static_cast<std::size_t>(bins)), count(static_cast<std::size_t>(bins));
  for (const auto& r : reflections)
    if (r.intensity > 0) {
      sum[shell(r)] += r.intensity / std::sqrt(r.variance);
      count[shell(r)] += 1;
    }
  std::size_t good = 0;
  while (good < sum.size() && count[good] > 0 && sum[good] / count[good] >= cutoff) ++good;
  std::erase_if(reflections, [&](const auto& r) { return shell(r) >= good; });
}

} // namespace kilobragg::integration
