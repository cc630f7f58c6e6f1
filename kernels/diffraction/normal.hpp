// The normal distribution's quantile: one random word gives one normal deviate, without rejection.
#pragma once

#include "kernels/function.hpp"

#include <cmath>

namespace kilobragg::diffraction {

/// |p - 1/2| up to which the quantile is one fraction of polynomials.
inline constexpr double normal_central = 0.425;

/// The quantile at p = 1/2 + q, |q| <= normal_central.
KOKKOS_FUNCTION constexpr double normal_quantile_central(double q) {
  const double r = 0.180625 - q * q;
  return q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179) /
         (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
}

/// The quantile at p = 1/2 + q, |q| > normal_central, where `tail` is the smaller of p and 1 - p.
KOKKOS_FUNCTION inline double normal_quantile_tail(double q, double tail) {
  double r = std::sqrt(-std::log(tail)), x = 0;
  if (r <= 5) {
    r -= 1.6;
    x = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) /
        ((0.12021132975 * r + 0.73700164250) * r + 1.0);
  } else {
    r -= 5;
    x = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) /
        ((0.012258202635 * r + 0.24197894225) * r + 1.0);
  }
  return q < 0 ? -x : x;
}

/// x with P(normal < x) = p, 0 < p < 1, to 1e-6 (Wichura 1988, algorithm AS 241, PPND7). A fraction
/// of polynomials and, in the outer 15 %, a logarithm and a root.
KOKKOS_FUNCTION inline double normal_quantile(double p) {
  const double q = p - 0.5;
  return std::abs(q) <= normal_central ? normal_quantile_central(q)
                                       : normal_quantile_tail(q, q < 0 ? p : 1 - p);
}

} // namespace kilobragg::diffraction
