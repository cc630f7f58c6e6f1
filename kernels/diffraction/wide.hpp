// Eight doubles at once for the formulas of the forward model, and the functions that they need.
#pragma once

#include "kernels/function.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace kilobragg::diffraction {

/// Eight doubles, through the compiler's vector extensions: two registers with AVX2, one with AVX-512.
typedef double Wide __attribute__((vector_size(64)));
typedef std::int64_t WideMask __attribute__((vector_size(64)));
inline constexpr int wide_count = 8;

/// The bits of a T as integers, lane by lane.
template <typename T>
using BitsOf = std::conditional_t<std::is_same_v<T, Wide>, WideMask, std::int64_t>;
template <typename T>
KOKKOS_FUNCTION inline BitsOf<T> bits_of(const T& v) {
  BitsOf<T> bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
}
template <typename T>
KOKKOS_FUNCTION inline T number_of_bits(const BitsOf<T>& bits) {
  T v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

/// How many numbers a T holds: eight or one.
template <typename T>
inline constexpr int lanes = 1;
template <>
inline constexpr int lanes<Wide> = wide_count;

/// x, x + 1, ... in the lanes.
template <typename T>
KOKKOS_FUNCTION inline T counted_from(double x) {
  if constexpr (lanes<T> == 1)
    return x;
  else
    return T{0, 1, 2, 3, 4, 5, 6, 7} + x;
}

KOKKOS_FUNCTION inline double lane(double v, int) { return v; }
inline double lane(const Wide& v, int i) { return v[i]; }

KOKKOS_FUNCTION inline void set_lane(double& v, int, double value) { v = value; }
inline void set_lane(Wide& v, int i, double value) { v[i] = value; }

/// Numbers one after the other into the lanes: far faster than lane by lane.
KOKKOS_FUNCTION inline void fill_lanes(const double* from, double& v) { v = *from; }
inline void fill_lanes(const double* from, Wide& v) { std::memcpy(&v, from, sizeof v); }

// The formulas are templates over T = double (GPUs, tests, single points) or Wide (CPUs). What they
// call has the same name for both.

KOKKOS_FUNCTION inline double root(double v) { return std::sqrt(v); }
inline Wide root(const Wide& v) {
  Wide r{};
  for (int i = 0; i < wide_count; ++i) r[i] = std::sqrt(v[i]);
  return r;
}

KOKKOS_FUNCTION inline double select(bool mask, double yes, double no) { return mask ? yes : no; }
inline Wide select(const WideMask& mask, const Wide& yes, const Wide& no) {
  return mask ? yes : no;
}
inline Wide select(const WideMask& mask, const Wide& yes, double no) {
  return mask ? yes : Wide{} + no;
}

KOKKOS_FUNCTION inline double smaller(double a, double b) { return a < b ? a : b; }
inline Wide smaller(const Wide& a, double b) { return a < b ? a : Wide{} + b; }
inline Wide smaller(const Wide& a, const Wide& b) { return a < b ? a : b; }
KOKKOS_FUNCTION inline double larger(double a, double b) { return a > b ? a : b; }
inline Wide larger(const Wide& a, const Wide& b) { return a > b ? a : b; }

/// All lanes joined by an operation, always in the same order.
template <typename V, typename Join>
inline auto join_lanes(const V& v, const Join& join) {
  const V half = join(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  const V quarter = join(half, __builtin_shufflevector(half, half, 2, 3, 0, 1, 6, 7, 4, 5));
  return join(quarter, __builtin_shufflevector(quarter, quarter, 1, 0, 3, 2, 5, 4, 7, 6))[0];
}
KOKKOS_FUNCTION inline double sum_of_lanes(double v) { return v; }
KOKKOS_FUNCTION inline std::int64_t sum_of_lanes(std::int64_t v) { return v; }
KOKKOS_FUNCTION inline double product_of_lanes(double v) { return v; }
inline double sum_of_lanes(const Wide& v) {
  return join_lanes(v, [](const Wide& a, const Wide& b) { return a + b; });
}
inline std::int64_t sum_of_lanes(const WideMask& v) {
  return join_lanes(v, [](const WideMask& a, const WideMask& b) { return a + b; });
}
inline double product_of_lanes(const Wide& v) {
  return join_lanes(v, [](const Wide& a, const Wide& b) { return a * b; });
}

/// The least lane.
KOKKOS_FUNCTION inline double least(double v) { return v; }
inline double least(const Wide& v) {
  const Wide half = smaller(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  const Wide quarter = smaller(half, __builtin_shufflevector(half, half, 2, 3, 0, 1, 6, 7, 4, 5));
  return quarter[0] < quarter[1] ? quarter[0] : quarter[1];
}

/// Nearest integer, halves to even, for |v| < 2^51: adding 1.5 2^52 leaves no fraction bits.
template <typename T>
KOKKOS_FUNCTION inline T nearest(const T& v) {
  constexpr double shift = 6755399441055744.0;
  return (v + shift) - shift;
}

/// e^x for -700 < x < 700, and zero below; relative error 2e-15. x = n ln 2 + r, |r| <= ln 2 / 2.
inline Wide exp_of(const Wide& x) {
  constexpr double log2e = 1.4426950408889634, ln2_high = 0.693147180369123816490,
                   ln2_low = 1.90821492927058770002e-10, shift = 6755399441055744.0;
  const Wide shifted = x * log2e + shift, n = shifted - shift;
  const Wide r = (x - n * ln2_high) - n * ln2_low;
  // Taylor's series in pairs and fours, which do not wait for each other.
  const Wide r2 = r * r, r4 = r2 * r2;
  const Wide low = (r + 1.0) + (r * (1.0 / 6) + 0.5) * r2;
  const Wide middle = (r * (1.0 / 120) + 1.0 / 24) + (r * (1.0 / 5040) + 1.0 / 720) * r2;
  const Wide high =
      (r * (1.0 / 362880) + 1.0 / 40320) + (r * (1.0 / 39916800) + 1.0 / 3628800) * r2;
  const Wide p = low + r4 * (middle + r4 * high);
  // The low bits of `shifted` hold n: moved to the exponent they make 2^n.
  WideMask bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 1023) << 52;
  Wide power;
  std::memcpy(&power, &bits, sizeof power);
  return select(x > -700.0, p * power, 0.0);
}
KOKKOS_FUNCTION inline double exp_of(double x) { return std::exp(x); }

/// ln x for normal x > 0; relative error 5e-16. x = 2^n y, y between sqrt(1/2) and sqrt(2),
/// ln y = 2 artanh((y - 1) / (y + 1)) by its series to the 19th power.
inline Wide log_of(const Wide& x) {
  constexpr double ln2_high = 0.693147180369123816490, ln2_low = 1.90821492927058770002e-10,
                   shift = 6755399441055744.0;
  constexpr std::int64_t root_half = 0x3fe6a09e667f3bcd, shift_bits = 0x4338000000000000;
  const WideMask bits = bits_of(x), exponent = (bits - root_half) >> 52;
  const Wide n = number_of_bits<Wide>(exponent + shift_bits) - shift;
  const Wide y = number_of_bits<Wide>(bits - (exponent << 52));
  const Wide s = (y - 1.0) / (y + 1.0), z = s * s, z2 = z * z, z4 = z2 * z2;
  const Wide low = (z * (2.0 / 5) + 2.0 / 3) + (z * (2.0 / 9) + 2.0 / 7) * z2;
  const Wide high = (z * (2.0 / 13) + 2.0 / 11) + (z * (2.0 / 17) + 2.0 / 15) * z2;
  const Wide series = low + z4 * (high + z4 * (2.0 / 19));
  return n * ln2_high + (2.0 * s + (s * z * series + n * ln2_low));
}
KOKKOS_FUNCTION inline double log_of(double x) { return std::log(x); }

/// sin(pi r) for |r| <= 1/2; relative error 7e-10, an order of ten thousand below what is asked of pixels.
template <typename T>
KOKKOS_FUNCTION inline T sin_pi(const T& r) {
  const T x = 3.141592653589793 * r, s = x * x;
  T p = s * (1.0 / 6227020800) - 1.0 / 39916800;
  p = p * s + 1.0 / 362880;
  p = p * s - 1.0 / 5040;
  p = p * s + 1.0 / 120;
  p = p * s - 1.0 / 6;
  return x + x * s * p;
}

/// cos(pi r) for |r| <= 1/2; absolute error 7e-11.
template <typename T>
KOKKOS_FUNCTION inline T cos_pi(const T& r) {
  const T x = 3.141592653589793 * r, s = x * x;
  T p = s * (-1.0 / 87178291200) + 1.0 / 479001600;
  p = p * s - 1.0 / 3628800;
  p = p * s + 1.0 / 40320;
  p = p * s - 1.0 / 720;
  p = p * s + 1.0 / 24;
  p = p * s - 0.5;
  return p * s + 1.0;
}

} // namespace kilobragg::diffraction
