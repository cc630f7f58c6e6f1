// Kabsch's local frame on the sphere of directions about one diffracted ray.
#pragma once

#include "kernels/geometry/vec3.hpp"

namespace kilobragg {

/// Coordinates (eps1, eps2) of a direction v: eps_i = e_i . (v/|v| - direction) = e_i . v/|v|, in rad
/// for small angles (Kabsch 2010, Acta Cryst. D66, 133, section 2.3).
struct KabschFrame {
  Vec3 e1, e2, direction; ///< orthonormal; direction = unit(s1)

  /// Unit vector at (eps1, eps2), eps1^2 + eps2^2 < 1.
  KOKKOS_FUNCTION Vec3 ray(double eps1, double eps2) const {
    return eps1 * e1 + eps2 * e2 + std::sqrt(1 - eps1 * eps1 - eps2 * eps2) * direction;
  }
};

KOKKOS_FUNCTION inline KabschFrame kabsch_frame(const Vec3& s1, const Vec3& s0) {
  const Vec3 e1 = unit(cross(s1, s0));
  return {e1, unit(cross(s1, e1)), unit(s1)};
}

} // namespace kilobragg
