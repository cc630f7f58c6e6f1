// Filling bins, and choosing them.
#include "kilobragg/report/histogram.hpp"

#include "kilobragg/report/axis.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kilobragg::report {

void Histogram::add(double value) {
  if (std::isnan(value)) return;
  smallest = std::min(smallest, value);
  largest = std::max(largest, value);
  if (value < lo) {
    ++below;
  } else if (value > hi) {
    ++above;
  } else {
    const auto bin = static_cast<std::size_t>((value - lo) / width());
    ++counts[std::min(bin, counts.size() - 1)];
  }
}

std::int64_t Histogram::total() const {
  return std::accumulate(counts.begin(), counts.end(), below + above);
}

double sorted_quantile(const std::vector<double>& sample, double q) {
  if (sample.empty()) return std::nan("");
  const double at = q * static_cast<double>(sample.size() - 1);
  const auto i = static_cast<std::size_t>(at);
  if (i + 1 >= sample.size()) return sample.back();
  return sample[i] + (at - static_cast<double>(i)) * (sample[i + 1] - sample[i]);
}

Histogram round_histogram(const std::vector<double>& sample, int most_bins, bool whole) {
  double lo = sample.empty() ? 0 : sorted_quantile(sample, 0.005);
  double hi = sample.empty() ? 1 : sorted_quantile(sample, 0.995);
  // One value: ten bins over a hundredth of it.
  if (!(hi - lo > 1e-9 * std::abs(hi))) {
    const double margin = hi == 0 ? 0.5 : 0.005 * std::abs(hi);
    lo -= margin;
    hi += margin;
  }
  double step = round_step((hi - lo) / most_bins);
  if (whole) step = std::max(step, 1.0);
  const auto bins = [&] { return std::floor(hi / step) + 1 - std::floor(lo / step); };
  while (bins() > most_bins) step = round_step(1.01 * step);
  Histogram histogram;
  histogram.lo = step * std::floor(lo / step);
  histogram.counts.resize(static_cast<std::size_t>(bins()));
  histogram.hi = histogram.lo + step * bins();
  return histogram;
}

Spread spread_of(const std::vector<double>& sorted_sample, std::int64_t count) {
  return {count, sorted_quantile(sorted_sample, 0.5), sorted_quantile(sorted_sample, 0.16),
          sorted_quantile(sorted_sample, 0.84)};
}

} // namespace kilobragg::report
