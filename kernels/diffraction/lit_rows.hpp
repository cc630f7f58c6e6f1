// Light of one Bragg peak in one channel, row of pixels after row: the inner loop of the spot renderer.
#pragma once

#include "kernels/diffraction/spot_kernel.hpp"
#include "kernels/diffraction/wide.hpp"

namespace kilobragg::diffraction {

/// Squared distance of the points of one line of a panel from a peak's centre in standard deviations,
/// as a function of the column x (pixels): with at = line + x fast, R = |at| and the wave vector
/// at / (lambda R),
///     chi2 = g (g A(x) - 2 B(x)) + C,   g = 1 / (lambda R),   A = at M at,   B = at M f,   C = f M f,
/// f = k0/lambda + q0 and M the inverse covariance. A and R^2 are quadratic in x, B is linear, so a
/// point costs a dozen operations beside g. (In double precision the cancellation leaves chi2 good to
/// 1e-8 at a thousand cells.)
struct LineOfChi2 {
  double a0, a1, a2; ///< A
  double b0, b1;     ///< 2 B
  double c;
  double r0, r1, r2; ///< (lambda R)^2

  template <typename T>
  KOKKOS_FUNCTION T at(const T& x) const {
    const T g = 1.0 / root(r0 + x * (r1 + x * r2));
    return g * (g * (a0 + x * (a1 + x * a2)) - (b0 + x * b1)) + c;
  }
};

KOKKOS_FUNCTION inline LineOfChi2 line_of_chi2(const PeakShape& peak, const Channel& channel,
                                               const Vec3& line, const Vec3& fast) {
  const Mat3& m = peak.inverse_covariance;
  const Vec3 f = channel.s0 + peak.centre, mf = m * f, m_fast = m * fast;
  const double lambda2 = channel.wavelength * channel.wavelength;
  return {quadratic_form(m, line), 2 * dot(line, m_fast),
          dot(fast, m_fast),       2 * dot(line, mf),
          2 * dot(fast, mf),       dot(f, mf),
          lambda2 * norm2(line),   2 * lambda2 * dot(line, fast),
          lambda2 * norm2(fast)};
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
