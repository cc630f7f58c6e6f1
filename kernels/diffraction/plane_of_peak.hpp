// A Bragg peak over the pixels of a plane, all channels of the beam at once: the inner loop of images.
#pragma once

#include "kernels/diffraction/lattice_factor.hpp"
#include "kernels/diffraction/spectrum.hpp"

namespace kilobragg::diffraction {

/// a0 + ax x + ay y + axx x^2 + axy x y + ayy y^2.
struct Quadratic {
  double a0, ax, ay, axx, axy, ayy;
};
/// b0 + bx x + by y.
struct Linear {
  double b0, bx, by;
};

/// The exponent of a peak for the points of a plane, as a function of their column x and row y (pixels):
/// with at = origin + x fast + y slow, g = 1 / |at| and M the inverse covariance, the coefficients of
/// SpectralPeak are
///     a = d M d = g (g A - 2 B) + k0 M k0,   b = d M q0 = g C - k0 M q0,   d = g at - k0,
/// with A = at M at quadratic, B = at M k0 and C = at M q0 linear in x and y, so that a point costs a
/// dozen operations beside g. (The cancellation leaves chi^2 good to 1e-8 for
/// blocks of 1000 angstrom, 1e-6 at 10 000, 3e-5 at 80 000.)
struct PlaneOfPeak {
  Quadratic a, r2; ///< A, |at|^2
  Linear b, c;
  double k0_m_k0, k0_m_q0, q0_m_q0;
};

/// One row of it.
struct LineOfPeak {
  double a0, a1, a2, r0, r1, r2, b0, b1, c0, c1, k0_m_k0, k0_m_q0, q0_m_q0;

  template <typename T>
  KOKKOS_FUNCTION SpectralPeak<T> at(const T& x) const {
    const T g = 1.0 / root(r0 + x * (r1 + x * r2));
    const T a = g * (g * (a0 + x * (a1 + x * a2)) - 2.0 * (b0 + x * b1)) + k0_m_k0;
    return spectral_peak<T>(a, g * (c0 + x * c1) - k0_m_q0, q0_m_q0, k0_m_k0);
  }
};

/// v M v over the plane, with the products M origin, M fast, M slow.
KOKKOS_FUNCTION inline Quadratic quadratic_over_plane(const Vec3& origin, const Vec3& fast,
                                                      const Vec3& slow, const Vec3& m_origin,
                                                      const Vec3& m_fast, const Vec3& m_slow) {
  return {dot(origin, m_origin), 2 * dot(origin, m_fast), 2 * dot(origin, m_slow),
          dot(fast, m_fast),     2 * dot(fast, m_slow),   dot(slow, m_slow)};
}

/// `k0` unit.
KOKKOS_FUNCTION inline PlaneOfPeak plane_of_peak(const PeakShape& peak, const Vec3& k0,
                                                 const Vec3& origin, const Vec3& fast,
                                                 const Vec3& slow) {
  const Mat3& m = peak.inverse_covariance;
  const Vec3 mk = m * k0, mq = m * peak.centre;
  return {quadratic_over_plane(origin, fast, slow, m * origin, m * fast, m * slow),
          quadratic_over_plane(origin, fast, slow, origin, fast, slow),
          {dot(origin, mk), dot(fast, mk), dot(slow, mk)},
          {dot(origin, mq), dot(fast, mq), dot(slow, mq)},
          dot(k0, mk),
          dot(k0, mq),
          dot(peak.centre, mq)};
}

/// The points x + dx of row y, x whole.
KOKKOS_FUNCTION inline LineOfPeak line_of_peak(const PlaneOfPeak& plane, double dx, double y) {
  const Quadratic &a = plane.a, &r = plane.r2;
  return {a.a0 + y * (a.ay + y * a.ayy) + dx * (a.ax + y * a.axy + dx * a.axx),
          a.ax + y * a.axy + 2 * dx * a.axx,
          a.axx,
          r.a0 + y * (r.ay + y * r.ayy) + dx * (r.ax + y * r.axy + dx * r.axx),
          r.ax + y * r.axy + 2 * dx * r.axx,
          r.axx,
          plane.b.b0 + y * plane.b.by + dx * plane.b.bx,
          plane.b.bx,
          plane.c.b0 + y * plane.c.by + dx * plane.c.bx,
          plane.c.bx,
          plane.k0_m_k0,
          plane.k0_m_q0,
          plane.q0_m_q0};
}

/// What a peak of height 1 gives the points: the sum over channels of weight times a Gaussian, or of the
/// weights of channels within a tophat.
template <bool tophat, typename T>
KOKKOS_FUNCTION inline T light_at(const LineOfPeak& line, const T& x, const SpectrumView& spectrum,
                                  const double* weight, const ChannelRange& channels,
                                  double chi2_max) {
  const SpectralPeak<T> peak = line.at(x);
  const ChannelRange near = channels_near(spectrum, channels, peak, chi2_max);
  if (near.empty()) return T{};
  if constexpr (tophat) {
    return count_channels(spectrum, weight, near, peak);
  } else {
    const SpectralMoments<1, T> moments = sum_channels<1>(spectrum, weight, near, peak);
    return exp_of(-0.5 * peak.least) * moments.sum[0];
  }
}

} // namespace kilobragg::diffraction
