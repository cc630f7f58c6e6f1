// Scattering that depends on the scattering angle alone: the angle of a ray, a profile by that angle.
#pragma once

#include "kernels/geometry/vec3.hpp"

#include <cstddef>

namespace kilobragg::diffraction {

/// sin(theta) of the unit ray k against the unit beam k0; half of |k - k0|, which keeps its digits at
/// small angles where 1 - k k0 loses them.
KOKKOS_FUNCTION inline double sin_theta(const Vec3& k, const Vec3& k0) {
  return 0.5 * norm(k - k0);
}

/// Values on a uniform grid that starts at 0, read by linear interpolation and held at the last.
struct RadialProfile {
  const double* values = nullptr;
  std::size_t size = 0;
  double per_step = 0; ///< grid points per unit of the argument

  KOKKOS_FUNCTION double operator()(double x) const {
    const double at = x * per_step;
    const auto i = static_cast<std::size_t>(at);
    if (i + 1 >= size) return values[size - 1];
    return values[i] + (at - static_cast<double>(i)) * (values[i + 1] - values[i]);
  }
};

} // namespace kilobragg::diffraction
