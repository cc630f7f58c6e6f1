// Histograms with round bins that hold what is outside of them as well.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace kilobragg::report {

/// Bins of equal width over [lo, hi); the last one includes hi.
struct Histogram {
  double lo = 0, hi = 1;
  std::vector<std::int64_t> counts;
  std::int64_t below = 0, above = 0; ///< beyond the bins; NaN counts nowhere
  double smallest = std::numeric_limits<double>::infinity(); ///< of what was added
  double largest = -std::numeric_limits<double>::infinity();

  double width() const { return (hi - lo) / static_cast<double>(counts.size()); }
  void add(double value);
  /// Everything that was added, what lies beyond the bins included.
  std::int64_t total() const;
};

/// Value at quantile `q` in [0, 1] of `sample`, which is sorted; linear between neighbours.
double sorted_quantile(const std::vector<double>& sample, double q);

/// An empty histogram of at most `most_bins` bins of round width whose edges are round numbers, from
/// the 0.5 % to the 99.5 % quantile of the sorted `sample`. With `whole` the bins are no narrower
/// than 1. A sample of one value gets bins around it.
Histogram round_histogram(const std::vector<double>& sample, int most_bins, bool whole = false);

/// Where the values lie.
struct Spread {
  std::int64_t count = 0;
  double median = 0, low = 0, high = 0; ///< 50 %, 16 %, 84 % quantiles
};
Spread spread_of(const std::vector<double>& sorted_sample, std::int64_t count);

} // namespace kilobragg::report
