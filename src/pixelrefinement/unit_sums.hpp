// Sums over shots and ranks of what is at most 1, in fixed point: any order, the same bits.
#pragma once

#include "kilobragg/parallel/fixed_point_sum.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace kilobragg::pixelrefinement {

inline constexpr double unit_steps = 1099511627776.0; // 2^40 per unit

/// What lies beyond -1 and 1 counts as these; NaN does not count.
inline void add_unit(std::int64_t& sum, double part) {
  if (!std::isnan(part)) sum += parallel::to_fixed_point(std::clamp(part, -1.0, 1.0), unit_steps);
}

inline double unit_sum(std::int64_t sum) { return static_cast<double>(sum) / unit_steps; }

} // namespace kilobragg::pixelrefinement
