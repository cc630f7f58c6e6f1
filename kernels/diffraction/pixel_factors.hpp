// What a pixel makes of a scattered ray: polarisation, solid angle, share absorbed in the sensor.
#pragma once

#include "kernels/diffraction/triple.hpp"

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
template <typename T>
struct PixelFactor {
  T value{};
  Triple<T> by_place, by_normal;
};

/// A pixel of `area` (mm^2) at x (mm) on a panel with unit normal `n` away from the sample.
template <typename T>
KOKKOS_FUNCTION inline PixelFactor<T> pixel_factor(const Polarisation& beam, const Triple<T>& x,
                                                   const Vec3& n, double area, double mu,
                                                   double thickness) {
  const T r2 = dot(x, x), per_r = 1.0 / root(r2), xn = dot(x, n);
  const Triple<T> k{x.x * per_r, x.y * per_r, x.z * per_r};
  const T ke = dot(k, beam.e), kn = dot(k, beam.n), u = xn * per_r;
  const T polarisation = beam.f * (1.0 - ke * ke) + (1 - beam.f) * (1.0 - kn * kn);
  const double depth = mu > 0 && thickness > 0 ? mu * thickness : 0;
  const T passed = depth > 0 ? exp_of(-depth / u) : T{}, captured = 1.0 - passed;
  const T by_cosine = -depth * passed / (u * u * captured); // d ln captured / du
  PixelFactor<T> factor;
  factor.value = polarisation * (area * u * per_r * per_r) * captured;
  Triple<T> by_ray = sum_of(Triple<T>{}, (-2 * beam.f) * ke / polarisation, beam.e);
  by_ray = sum_of(by_ray, (-2 * (1 - beam.f)) * kn / polarisation, beam.n);
  by_ray = sum_of(by_ray, by_cosine, n);
  const Triple<T> across = sum_of(by_ray, T{} - dot(by_ray, k), k);
  factor.by_place = sum_of(sum_of(Triple<T>{}, per_r, across), 1.0 / xn, n);
  factor.by_place = sum_of(factor.by_place, -3.0 * per_r, k);
  factor.by_normal = sum_of(sum_of(Triple<T>{}, 1.0 / xn, x), by_cosine, k);
  return factor;
}

} // namespace kilobragg::diffraction
