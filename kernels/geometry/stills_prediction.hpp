// Where a still reflection's ray leaves: the index rotated onto the Ewald sphere, with derivatives.
#pragma once

#include "kernels/geometry/mat3.hpp"

namespace kilobragg {

/// The ray of one reflection of a still. q is turned by the least angle that brings it onto the
/// Ewald sphere, about the axis perpendicular to q and the beam (Sauter et al. 2014, section 2).
struct StillsRay {
  Vec3 s1;              ///< diffracted vector, length |s0| (1/angstrom)
  double delta_psi = 0; ///< that angle (rad), signed as in DIALS: positive for q inside the sphere
  /// False where no such rotation exists: q = 0, q along the beam, or |q| >= 2 |s0|. The rest of the
  /// struct then means nothing.
  bool valid = false;
};

/// A ray and how it changes with q; chain with dq/dp of whatever parameter p moves q.
struct StillsRayDerivatives {
  StillsRay ray;
  Mat3 ds1_dq;        ///< ds1_dq(i, j) = d s1_i / d q_j (dimensionless)
  Vec3 ddelta_psi_dq; ///< rad * angstrom
};

/// q in the plane that it spans with the beam: along the beam, across it, and after the rotation.
struct StillsPlane {
  Vec3 beam, across;   ///< unit(s0) and the unit vector of q's part across the beam
  double along = 0;    ///< q . beam
  double aside = 0;    ///< q . across > 0
  double on_along = 0; ///< the rotated q along the beam, = -q^2 / (2 |s0|)
  double on_aside = 0; ///< the rotated q across the beam, > 0
  double wavelength = 0;
  bool valid = false;
};

/// Splits q for incident vector s0.
KOKKOS_FUNCTION inline StillsPlane stills_plane(const Vec3& q, const Vec3& s0) {
  StillsPlane plane;
  plane.wavelength = 1.0 / norm(s0);
  plane.beam = s0 * plane.wavelength;
  plane.along = dot(q, plane.beam);
  const Vec3 aside = q - plane.along * plane.beam;
  plane.aside = norm(aside);
  const double qq = norm2(q);
  plane.on_along = -0.5 * qq * plane.wavelength;
  const double on_aside_squared = qq - plane.on_along * plane.on_along;
  plane.valid = plane.aside > 1e-12 * std::sqrt(qq) && on_aside_squared > 0;
  if (!plane.valid) return plane;
  plane.across = aside / plane.aside;
  plane.on_aside = std::sqrt(on_aside_squared);
  return plane;
}

/// The ray in a split plane; the plane must be valid.
KOKKOS_FUNCTION inline StillsRay stills_ray(const StillsPlane& p, const Vec3& s0) {
  StillsRay ray;
  ray.s1 = s0 + p.on_along * p.beam + p.on_aside * p.across;
  // Angle from q to its rotated self, as one arctangent of sine and cosine (both times q^2).
  ray.delta_psi = std::atan2(p.on_along * p.aside - p.on_aside * p.along,
                             p.on_along * p.along + p.on_aside * p.aside);
  ray.valid = true;
  return ray;
}

/// The ray of q = A h for incident vector s0 (both 1/angstrom).
KOKKOS_FUNCTION inline StillsRay stills_ray(const Vec3& q, const Vec3& s0) {
  const StillsPlane plane = stills_plane(q, s0);
  return plane.valid ? stills_ray(plane, s0) : StillsRay{};
}

/// The ray with its analytic derivatives with respect to q.
KOKKOS_FUNCTION inline StillsRayDerivatives stills_ray_derivatives(const Vec3& q, const Vec3& s0) {
  StillsRayDerivatives result;
  const StillsPlane p = stills_plane(q, s0);
  if (!p.valid) return result;
  result.ray = stills_ray(p, s0);
  const Vec3 normal = cross(p.across, p.beam);
  // The radius in the plane follows |q|, the plane itself turns about the beam with q . normal.
  const Vec3 radial =
      -p.wavelength * p.beam + ((1.0 + p.wavelength * p.on_along) / p.on_aside) * p.across;
  const double turn = p.on_aside / p.aside;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      result.ds1_dq(i, j) = radial[i] * q[j] + turn * normal[i] * normal[j];
  result.ddelta_psi_dq =
      (-0.5 * p.wavelength / p.on_aside) * q - (p.aside * p.beam - p.along * p.across) / norm2(q);
  return result;
}

} // namespace kilobragg
