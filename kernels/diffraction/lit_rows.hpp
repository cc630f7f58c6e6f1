// Light of one Bragg peak in one channel, row of pixels after row: the inner loop of the spot renderer.
#pragma once

#include "kernels/diffraction/spot_kernel.hpp"
#include "kernels/diffraction/wide.hpp"

namespace kilobragg::diffraction {

/// a0 + ax x + ay y + axx x^2 + axy x y + ayy y^2.
struct Quadratic {
  double a0, ax, ay, axx, axy, ayy;
};

/// Squared distance of the points of a plane from a peak's centre in standard deviations, as a function
/// of their column x and row y (pixels): with at = origin + x fast + y slow, R = |at| and the wave vector
/// at / (lambda R),
///     chi2 = g (g A - B) + C,   g = 1 / (lambda R),   A = at M at,   B = 2 at M f,   C = f M f,
/// f = k0/lambda + q0 and M the inverse covariance. A and R^2 are quadratic in x and y, B is linear, so
/// that a point costs a dozen operations beside g. (In double precision the cancellation leaves chi2
/// good to 1e-8 at a thousand cells.)
struct PlaneOfChi2 {
  Quadratic a, r2; ///< A, (lambda R)^2
  double b0, bx, by, c;
};

/// One row of it.
struct LineOfChi2 {
  double a0, a1, a2, b0, b1, c, r0, r1, r2;

  template <typename T>
  KOKKOS_FUNCTION T at(const T& x) const {
    const T g = 1.0 / root(r0 + x * (r1 + x * r2));
    return g * (g * (a0 + x * (a1 + x * a2)) - (b0 + x * b1)) + c;
  }
};

/// v M v over the plane, with the products M origin, M fast, M slow.
KOKKOS_FUNCTION inline Quadratic quadratic_over_plane(const Vec3& origin, const Vec3& fast,
                                                      const Vec3& slow, const Vec3& m_origin,
                                                      const Vec3& m_fast, const Vec3& m_slow) {
  return {dot(origin, m_origin), 2 * dot(origin, m_fast), 2 * dot(origin, m_slow),
          dot(fast, m_fast),     2 * dot(fast, m_slow),   dot(slow, m_slow)};
}

KOKKOS_FUNCTION inline PlaneOfChi2 plane_of_chi2(const PeakShape& peak, const Channel& channel,
                                                 const Vec3& origin, const Vec3& fast,
                                                 const Vec3& slow) {
  const Mat3& m = peak.inverse_covariance;
  const Vec3 f = channel.s0 + peak.centre, mf = m * f;
  const double l = channel.wavelength;
  return {quadratic_over_plane(origin, fast, slow, m * origin, m * fast, m * slow),
          quadratic_over_plane(l * origin, l * fast, l * slow, l * origin, l * fast, l * slow),
          2 * dot(origin, mf),
          2 * dot(fast, mf),
          2 * dot(slow, mf),
          dot(f, mf)};
}

/// The points x + dx of row y, x whole.
KOKKOS_FUNCTION inline LineOfChi2 line_of_chi2(const PlaneOfChi2& plane, double dx, double y) {
  const Quadratic &a = plane.a, &r = plane.r2;
  return {a.a0 + y * (a.ay + y * a.ayy) + dx * (a.ax + y * a.axy + dx * a.axx),
          a.ax + y * a.axy + 2 * dx * a.axx,
          a.axx,
          plane.b0 + y * plane.by + dx * plane.bx,
          plane.bx,
          plane.c,
          r.a0 + y * (r.ay + y * r.ayy) + dx * (r.ax + y * r.axy + dx * r.axx),
          r.ax + y * r.axy + 2 * dx * r.axx,
          r.axx};
}

/// What a peak is worth at chi2: Gaussian, or a tophat within chi2 < 1.
template <bool tophat, typename T>
KOKKOS_FUNCTION inline T peak_height(const T& chi2) {
  if constexpr (tophat)
    return select(chi2 < 1.0, T{} + 1.0, T{});
  else
    return exp_of(-0.5 * chi2);
}

} // namespace kilobragg::diffraction
