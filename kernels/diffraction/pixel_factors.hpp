// What a pixel makes of a scattered ray: polarisation, solid angle, share absorbed in the sensor.
#pragma once

#include "kernels/geometry/vec3.hpp"

namespace kilobragg::diffraction {

/// Classical electron radius squared (m^2).
inline constexpr double electron_radius_squared = 7.94079248018965e-30;

/// Kahn et al. (1982): fraction `f` of the beam polarised along e, the rest along n, both unit vectors
/// perpendicular to the beam; k the unit scattered ray. P = f (1 - (k e)^2) + (1 - f) (1 - (k n)^2),
/// which is (1 + cos^2 2theta - K cos 2psi sin^2 2theta) / 2 with K = 2 f - 1.
KOKKOS_FUNCTION constexpr double polarisation_factor(const Vec3& k, const Vec3& e, const Vec3& n,
                                                     double f) {
  const double ke = dot(k, e), kn = dot(k, n);
  return f * (1 - ke * ke) + (1 - f) * (1 - kn * kn);
}

/// Solid angle (sr) of a flat pixel of `area` (mm^2) at `x` (mm) on a plane with unit normal `n`:
/// area D / R^3 with D = |n x|.
KOKKOS_FUNCTION inline double solid_angle(const Vec3& x, const Vec3& n, double area) {
  const double r2 = norm2(x);
  return area * std::abs(dot(x, n)) / (r2 * std::sqrt(r2));
}

/// Share of photons absorbed in a sensor of `thickness` (mm) with attenuation `mu` (1/mm), met along
/// the unit ray k by a plane with normal n; 1 where no sensor is described (mu or thickness 0).
KOKKOS_FUNCTION inline double capture_fraction(const Vec3& k, const Vec3& n, double mu,
                                               double thickness) {
  if (mu <= 0 || thickness <= 0) return 1;
  return -std::expm1(-mu * thickness / std::abs(dot(k, n)));
}

/// The beam's polarisation: fraction `f` along e, the rest along n (unit vectors).
struct Polarisation {
  Vec3 e, n;
  double f = 0.5;
};

/// Polarisation, solid angle and capture of a pixel, and how the logarithm of their product changes
/// with the place x (per mm) and the panel's normal.
struct PixelFactor {
  double value = 0;
  Vec3 by_place, by_normal;
};

/// A pixel of `area` (mm^2) at x (mm) on a panel with unit normal `n` away from the sample.
KOKKOS_FUNCTION inline PixelFactor pixel_factor(const Polarisation& beam, const Vec3& x,
                                                const Vec3& n, double area, double mu,
                                                double thickness) {
  const double r = norm(x), xn = dot(x, n);
  const Vec3 k = x / r;
  const double p = polarisation_factor(k, beam.e, beam.n, beam.f);
  const double c = capture_fraction(k, n, mu, thickness), u = dot(k, n);
  const double passed = 1 - c, depth = mu > 0 && thickness > 0 ? mu * thickness : 0;
  const double by_cosine = -passed * depth / (u * u * c); // d ln c / du
  const Vec3 by_ray = (-2 * beam.f * dot(k, beam.e) / p) * beam.e -
                      (2 * (1 - beam.f) * dot(k, beam.n) / p) * beam.n + by_cosine * n;
  PixelFactor factor;
  factor.value = p * solid_angle(x, n, area) * c;
  factor.by_place = (1 / r) * (by_ray - dot(by_ray, k) * k) + (1 / xn) * n - (3 / r) * k;
  factor.by_normal = (1 / xn) * x + by_cosine * k;
  return factor;
}

} // namespace kilobragg::diffraction
