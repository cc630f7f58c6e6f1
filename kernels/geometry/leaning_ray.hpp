// The ray of a still reflection whose scattering angle follows delta-psi, with derivatives.
#pragma once

#include "kernels/geometry/stills_prediction.hpp"

namespace kilobragg {

/// stills_ray() turns q onto the sphere of the mean wavelength, as if mosaic blocks did all of it. In a
/// beam of finite bandwidth a point off that sphere diffracts mostly with the wavelength that suits
/// it, at Bragg angle theta + delta_psi. The scattering angle then changes by `lean` times delta_psi:
/// 0 where mosaic blocks do it all, 2 where wavelengths do.
/// delta_psi itself stays that of stills_ray(). lean is held fixed in the derivatives.
KOKKOS_FUNCTION inline StillsRayDerivatives leaning_ray_derivatives(const Vec3& q, const Vec3& s0,
                                                                    double lean) {
  StillsRayDerivatives result = stills_ray_derivatives(q, s0);
  if (!result.ray.valid || lean == 0) return result;
  const StillsPlane p = stills_plane(q, s0);
  const double length = 1.0 / p.wavelength;
  const double two_theta =
      std::atan2(p.on_aside, length + p.on_along) + lean * result.ray.delta_psi;
  const double c = length * std::cos(two_theta), s = length * std::sin(two_theta);
  const Vec3 forward = c * p.across - s * p.beam; // d s1 / d two_theta
  const Vec3 normal = cross(p.across, p.beam);
  const double cos_theta = p.on_aside / norm(q); // of the angle on the sphere
  const Vec3 angle_dq = (p.wavelength / (cos_theta * norm(q))) * q + lean * result.ddelta_psi_dq;
  result.ray.s1 = c * p.beam + s * p.across;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      result.ds1_dq(i, j) = forward[i] * angle_dq[j] + (s / p.aside) * normal[i] * normal[j];
  return result;
}

/// The ray alone.
KOKKOS_FUNCTION inline StillsRay leaning_ray(const Vec3& q, const Vec3& s0, double lean) {
  const StillsPlane p = stills_plane(q, s0);
  if (!p.valid) return {};
  StillsRay ray = stills_ray(p, s0);
  if (lean == 0) return ray;
  const double length = 1.0 / p.wavelength;
  const double two_theta = std::atan2(p.on_aside, length + p.on_along) + lean * ray.delta_psi;
  ray.s1 = length * (std::cos(two_theta) * p.beam + std::sin(two_theta) * p.across);
  return ray;
}

} // namespace kilobragg
