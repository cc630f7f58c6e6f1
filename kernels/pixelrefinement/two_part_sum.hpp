// Sums in fixed point whose range and resolution both go beyond those of a double: any order, the same bits.
#pragma once

#include "kernels/function.hpp"

#include <cmath>
#include <cstdint>

namespace kilobragg::pixelrefinement {

/// How many addends a sum may have: `scale` = 2^k with k = 61 - log2(count), rounded up, and addends up to
/// `largest` = 2^60 / count, so that neither part overflows.
struct SumRange {
  double scale = 1, largest = 0;
};
inline SumRange sum_range(std::int64_t count) {
  const int bits = std::ilogb(static_cast<double>(count < 1 ? 1 : count)) + 1;
  return {std::ldexp(1.0, 61 - bits), std::ldexp(1.0, 60 - bits < 50 ? 60 - bits : 50)};
}

/// whole + fraction / scale. An addend is split into the nearest whole number and what remains, which is
/// exact, and the remainder is cut at 1 / scale: with 2^32 addends at 2e-9, with 2^17 at 6e-14.
struct TwoPartSum {
  std::int64_t whole = 0, fraction = 0;

  /// Takes |value| <= largest; anything else, and NaN, is not added and gives false.
  KOKKOS_FUNCTION bool add(double value, const SumRange& range) {
    if (!(std::fabs(value) <= range.largest)) return false;
    const double rounded = std::floor(value + 0.5);
    whole += static_cast<std::int64_t>(rounded);
    fraction += static_cast<std::int64_t>((value - rounded) * range.scale);
    return true;
  }
  KOKKOS_FUNCTION void add(const TwoPartSum& other) {
    whole += other.whole;
    fraction += other.fraction;
  }
  KOKKOS_FUNCTION TwoPartSum minus(const TwoPartSum& other) const {
    return {whole - other.whole, fraction - other.fraction};
  }
  KOKKOS_FUNCTION double value(const SumRange& range) const {
    return static_cast<double>(whole) + static_cast<double>(fraction) / range.scale;
  }
};

} // namespace kilobragg::pixelrefinement
