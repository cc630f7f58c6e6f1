// Orientations of the blocks of a mosaic crystal, drawn one by one from a seed.
#pragma once

#include "kernels/diffraction/random.hpp"
#include "kernels/geometry/small_solve.hpp"

namespace kilobragg::diffraction {

/// nanoBragg's distribution: an axis of any direction, and the angle spread (1 - r^2)^(1/3) with r
/// uniform in (-1, 1): most blocks are nearly `spread` (rad) away, none beyond.
KOKKOS_FUNCTION inline Mat3 cap_rotation(RandomStream& random, double spread) {
  constexpr double pi = 3.141592653589793;
  const double turn = pi * random.uniform(-1, 1), z = random.uniform(-1, 1),
               r = random.uniform(-1, 1);
  const double across = std::sqrt(1 - z * z);
  return rotation_about({across * std::sin(turn), across * std::cos(turn), z},
                        spread * std::cbrt(1 - r * r));
}

/// Gaussian about each of the lattice's axes in the laboratory: `root` times a standard normal vector is
/// the rotation (rad), so that its covariance is root root^T. The closed form's counterpart.
KOKKOS_FUNCTION inline Mat3 gaussian_rotation(RandomStream& random, const Mat3& root) {
  const double x = random.normal(), y = random.normal(), z = random.normal();
  return rotation_by(root * Vec3{x, y, z});
}

} // namespace kilobragg::diffraction
