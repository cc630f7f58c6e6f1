// Doubles and products of two added without rounding: fixed point, wide enough for any of them.
#pragma once

#include "kernels/function.hpp"

#include <cstdint>
#include <cstring>

namespace kilobragg {

/// A sum after Kulisch: limb i counts multiples of 2^(32 i - 2148), 2^-2148 being the square of the least
/// subnormal. A summand changes each limb by less than 2^32, and carries wait: 2^31 - 1 summands fit, or
/// 2^31 sums whose carries are done. Integers add in any order and placement to the same limbs.
inline constexpr int exact_digits = 133;
/// Behind the digits: how many summands were NaN, +infinity, -infinity.
inline constexpr int exact_nan = 133, exact_infinity = 134, exact_minus_infinity = 135;
inline constexpr int exact_limbs = 136;

/// (-1)^negative mantissa 2^(exponent - 1075); exponent 2047 = infinity (mantissa 2^52) or NaN.
struct DoubleParts {
  std::uint64_t mantissa = 0;
  int exponent = 0;
  bool negative = false;
};

KOKKOS_FUNCTION inline DoubleParts parts_of(double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const int field = static_cast<int>(bits >> 52 & 0x7ff);
  const std::uint64_t fraction = bits & 0xfffffffffffff;
  return {field == 0 ? fraction : fraction | std::uint64_t(1) << 52, field == 0 ? 1 : field,
          bits >> 63 != 0};
}

/// Adds +-(high 2^64 + low) 2^(position - 2148), high < 2^42.
template <typename Limbs>
KOKKOS_FUNCTION void add_integer(Limbs& limbs, int position, std::uint64_t low, std::uint64_t high,
                                 bool negative) {
  constexpr std::uint64_t mask = 0xffffffff;
  const std::uint64_t words[4] = {low & mask, low >> 32, high & mask, high >> 32};
  const int shift = position & 31;
  int limb = position >> 5;
  const std::int64_t sign =
      negative ? -1 : 0; // (x ^ sign) - sign: no branch on what chance decides
  std::uint64_t carried = 0;
  for (const std::uint64_t word : words) {
    const std::uint64_t moved = word << shift;
    const auto digit = static_cast<std::int64_t>((moved & mask) | carried);
    limbs[limb++] += (digit ^ sign) - sign;
    carried = moved >> 32;
  }
  const auto digit = static_cast<std::int64_t>(carried);
  limbs[limb] += (digit ^ sign) - sign;
}

/// Counts an infinity or NaN; `value` is one.
template <typename Limbs>
KOKKOS_FUNCTION void add_not_finite(Limbs& limbs, double value) {
  limbs[value > 0 ? exact_infinity : value < 0 ? exact_minus_infinity : exact_nan] += 1;
}

/// `limbs[i]` is a reference to limb i.
template <typename Limbs>
KOKKOS_FUNCTION void add_exactly(Limbs& limbs, double value) {
  const DoubleParts parts = parts_of(value);
  if (parts.exponent == 2047)
    add_not_finite(limbs, value);
  else
    add_integer(limbs, parts.exponent + 1073, parts.mantissa, 0, parts.negative);
}

/// Adds a b as the integer of 106 bits that it is.
template <typename Limbs>
KOKKOS_FUNCTION void add_product_exactly(Limbs& limbs, double a, double b) {
  const DoubleParts p = parts_of(a), q = parts_of(b);
  if (p.exponent == 2047 || q.exponent == 2047) {
    add_not_finite(limbs, a * b);
    return;
  }
  const std::uint64_t p0 = p.mantissa & 0xffffffff, p1 = p.mantissa >> 32;
  const std::uint64_t q0 = q.mantissa & 0xffffffff, q1 = q.mantissa >> 32;
  const std::uint64_t middle = p0 * q1 + p1 * q0 + (p0 * q0 >> 32);
  add_integer(limbs, p.exponent + q.exponent - 2, p.mantissa * q.mantissa, p1 * q1 + (middle >> 32),
              p.negative != q.negative);
}

} // namespace kilobragg
