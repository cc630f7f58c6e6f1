// Small functions of numbers that stand in many formulas: squares and medians.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace kilobragg::core {

constexpr double squared(double v) { return v * v; }

/// The middle one of the values by size, the upper one of two; NaN for none.
inline double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

} // namespace kilobragg::core
