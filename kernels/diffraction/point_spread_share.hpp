// Where the light of one photon goes: shares of Gaussian and fibre-coupled point spread in a pixel.
#pragma once

#include "kernels/function.hpp"

#include <cmath>

namespace kilobragg::diffraction {

/// Share between `low` and `high` along one axis of a Gaussian of unit sum about 0; all in one unit.
KOKKOS_FUNCTION inline double gaussian_share(double low, double high, double fwhm) {
  const double scale = 1.6651092223153954 / fwhm; // 2 sqrt(ln 2)
  // On one side of the peak the difference of two erfc keeps the digits that erf loses.
  if (low >= 0) return 0.5 * (std::erfc(scale * low) - std::erfc(scale * high));
  if (high <= 0) return 0.5 * (std::erfc(-scale * high) - std::erfc(-scale * low));
  return 0.5 * (std::erf(scale * high) - std::erf(scale * low));
}

/// Length g of a fibre-coupled point spread g / (2 pi) (g^2 + r^2)^(-3/2) of this width at half
/// height: 2 sqrt(2^(2/3) - 1) g = fwhm.
KOKKOS_FUNCTION constexpr double fibre_length(double fwhm) { return fwhm * 0.652383013252053; }

/// Integral of that point spread over the quadrant between (0, 0) and (x, y).
KOKKOS_FUNCTION inline double fibre_corner(double x, double y, double g) {
  return std::atan(x * y / (g * std::sqrt(g * g + x * x + y * y))) * 0.15915494309189535;
}

/// Share of a fibre-coupled point spread about (0, 0) in the rectangle [x0, x1] x [y0, y1].
KOKKOS_FUNCTION inline double fibre_share(double x0, double x1, double y0, double y1, double g) {
  return (fibre_corner(x1, y1, g) - fibre_corner(x1, y0, g)) -
         (fibre_corner(x0, y1, g) - fibre_corner(x0, y0, g));
}

} // namespace kilobragg::diffraction
