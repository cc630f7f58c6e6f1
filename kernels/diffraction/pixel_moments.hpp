// What a pixel must keep of a Bragg peak so that its derivative to any parameter follows.
#pragma once

#include "kernels/diffraction/lattice_factor.hpp"
#include "kernels/diffraction/spectrum.hpp"
#include "kernels/diffraction/triple.hpp"

namespace kilobragg::diffraction {

/// Of the points of a pixel that one reflection lights, I their intensity, q their scattering vector, x
/// their place (mm), dq = q - q0 and v = M dq with M the peak's inverse covariance:
/// d ln I = v dq0 + v v^T : dS' / 2 - v dq + d ln height. So these sums hold all derivatives of a
/// Gaussian peak, however many parameters there are.
template <typename T>
struct PixelMoments {
  T value{};            ///< sum of I
  T v[3] = {};          ///< of I v
  T vv[6] = {};         ///< of I v v^T: xx, yy, zz, xy, xz, yz
  T place[3] = {};      ///< of I t, t = d ln I / dx = -(v - k (k v)) / (lambda R)
  T torque[3] = {};     ///< of I x cross t
  T wavelength{};       ///< of I d ln I / d lambda = I v q / lambda
  T wavelength_scale{}; ///< of the same times lambda0, the wavelength before offset and scale
};

/// lambda = offset + scale lambda0.
struct WavelengthShift {
  double offset = 0, scale = 1;
};

/// Which sums are wanted: the intensity alone, those of the crystal's parameters, also those of the
/// panels', also those of the wavelength.
enum class MomentKind { Value, Crystal, Place, Wavelength };

/// What a peak needs at every point.
struct MomentPeak {
  Mat3 m;  ///< inverse covariance
  Vec3 q0; ///< centre
  Vec3 k0; ///< direction of the beam (unit)
  double photons = 0, chi2_max = 0;
  SpectrumView spectrum;
  const double* weight = nullptr; ///< of the spectrum's channels
  ChannelRange channels;
  WavelengthShift shift;
};

/// A ray past a peak: v = u M d - M q0 is linear in the wave number u.
template <typename T>
struct RayPastPeak {
  Triple<T> md;          ///< M d, d = k - k0
  Triple<T> v0;          ///< v at the nearest u: v = (u - centre) M d + v0
  SpectralPeak<T> along; ///< chi^2
};

/// chi^2 at the nearest point is taken from where the ray passes q0, not as c - b^2 / a: it is good to
/// 1e-13, as finite differences need.
template <typename T>
KOKKOS_FUNCTION inline RayPastPeak<T> ray_past_peak(const MomentPeak& peak, const Triple<T>& d) {
  RayPastPeak<T> ray;
  ray.md = product(peak.m, d);
  ray.along.a = dot(d, ray.md);
  const T u = dot(ray.md, peak.q0) / (ray.along.a + 1e-300);
  const Triple<T> miss{u * d.x - peak.q0.x, u * d.y - peak.q0.y, u * d.z - peak.q0.z};
  ray.along.centre = u;
  ray.v0 = product(peak.m, miss);
  ray.along.least = dot(miss, ray.v0);
  return ray;
}

/// Adds the point `x` (mm), all channels at once: four moments of the spectrum under the peak give all
/// sums.
template <MomentKind kind, typename T>
KOKKOS_FUNCTION inline void add_point(const MomentPeak& peak, const Triple<T>& x,
                                      PixelMoments<T>& sums) {
  const T per_r = 1.0 / root(dot(x, x));
  const Triple<T> k{x.x * per_r, x.y * per_r, x.z * per_r};
  const Triple<T> d{k.x - peak.k0.x, k.y - peak.k0.y, k.z - peak.k0.z};
  const RayPastPeak<T> ray = ray_past_peak(peak, d);
  const ChannelRange near = channels_near(peak.spectrum, peak.channels, ray.along, peak.chi2_max);
  if (near.empty()) return;
  constexpr int count = kind == MomentKind::Value ? 1 : kind == MomentKind::Wavelength ? 4 : 3;
  const auto spectral = sum_channels<count>(peak.spectrum, peak.weight, near, ray.along);
  const T height = peak.photons * exp_of(-0.5 * ray.along.least);
  const T s0 = height * spectral.sum[0];
  sums.value = sums.value + s0;
  if constexpr (kind != MomentKind::Value) {
    const T s1 = height * spectral.sum[1], s2 = height * spectral.sum[2];
    const Triple<T>&m = ray.md, &v0 = ray.v0;
    const Triple<T> v{s1 * m.x + s0 * v0.x, s1 * m.y + s0 * v0.y, s1 * m.z + s0 * v0.z};
    const Triple<T> wv{s2 * m.x + s1 * v0.x, s2 * m.y + s1 * v0.y, s2 * m.z + s1 * v0.z};
    sums.v[0] = sums.v[0] + v.x;
    sums.v[1] = sums.v[1] + v.y;
    sums.v[2] = sums.v[2] + v.z;
    sums.vv[0] = sums.vv[0] + wv.x * m.x + v.x * v0.x;
    sums.vv[1] = sums.vv[1] + wv.y * m.y + v.y * v0.y;
    sums.vv[2] = sums.vv[2] + wv.z * m.z + v.z * v0.z;
    sums.vv[3] = sums.vv[3] + wv.x * m.y + v.x * v0.y;
    sums.vv[4] = sums.vv[4] + wv.x * m.z + v.x * v0.z;
    sums.vv[5] = sums.vv[5] + wv.y * m.z + v.y * v0.z;
    const T& u = ray.along.centre;
    if constexpr (kind >= MomentKind::Place) {
      const Triple<T> uv{wv.x + u * v.x, wv.y + u * v.y, wv.z + u * v.z};
      const T forward = dot(k, uv);
      const T tx = per_r * (forward * k.x - uv.x), ty = per_r * (forward * k.y - uv.y),
              tz = per_r * (forward * k.z - uv.z);
      sums.place[0] = sums.place[0] + tx;
      sums.place[1] = sums.place[1] + ty;
      sums.place[2] = sums.place[2] + tz;
      sums.torque[0] = sums.torque[0] + x.y * tz - x.z * ty;
      sums.torque[1] = sums.torque[1] + x.z * tx - x.x * tz;
      sums.torque[2] = sums.torque[2] + x.x * ty - x.y * tx;
    }
    if constexpr (kind >= MomentKind::Wavelength) {
      // v q = u (u - centre) a, since d v0 = 0
      const T s3 = height * spectral.sum[3], &a = ray.along.a;
      const T once = a * (s2 + u * s1), twice = a * (s3 + u * (2.0 * s2 + u * s1));
      sums.wavelength = sums.wavelength + twice;
      sums.wavelength_scale =
          sums.wavelength_scale + (1 / peak.shift.scale) * (once - peak.shift.offset * twice);
    }
  }
}

/// How one parameter moves one peak: derivatives of its centre, of half its covariance, and of the
/// logarithm of its height.
struct PeakDirection {
  Vec3 centre;
  double half_covariance[6] = {}; ///< as PixelMoments::vv, the off-diagonal ones twice
  double log_height = 0;
};

/// d(intensity) of a pixel along it.
template <typename T>
KOKKOS_FUNCTION inline T along(const PixelMoments<T>& sums, const PeakDirection& d) {
  T result = sums.value * d.log_height + sums.v[0] * d.centre.x + sums.v[1] * d.centre.y +
             sums.v[2] * d.centre.z;
  for (int i = 0; i < 6; ++i) result = result + sums.vv[i] * d.half_covariance[i];
  return result;
}

KOKKOS_FUNCTION constexpr double trace_of_product(const Mat3& a, const Mat3& b) {
  double sum = 0;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) sum += a(i, j) * b(j, i);
  return sum;
}

/// How the crystal's matrices change with a parameter.
struct CrystalDirection {
  Mat3 a_matrix = {}, size = {}, rotation = {}; ///< of A, N, and the covariance of misorientation
  double log_scale = 0;
};

/// A crystal whose Gaussian peaks are derived: A, N and the covariance of misorientation (rad^2).
struct GaussCrystal {
  Mat3 a_matrix, size, rotation;
  double fudge = 1;
};

/// By the chain rule through S = A s A^T, s = (4 kappa N^T N)^-1, S' = S + J C J^T,
/// height = (det N)^2 sqrt(det S / det S').
KOKKOS_FUNCTION inline PeakDirection peak_direction(const GaussCrystal& crystal,
                                                    const PeakShape& peak, const Vec3& h,
                                                    const CrystalDirection& d) {
  const Mat3 &a = crystal.a_matrix, &n = crystal.size, &c = crystal.rotation;
  const Mat3 s = (1 / crystal.fudge) * lattice_covariance(n);
  const Mat3 n_dn = transpose(n) * d.size;
  const Mat3 ds = (-4 * gauss_kappa * crystal.fudge) * (s * ((n_dn + transpose(n_dn)) * s));
  const Mat3 da_sa = d.a_matrix * (s * transpose(a));
  const Mat3 d_lattice = da_sa + transpose(da_sa) + a * (ds * transpose(a));
  PeakDirection result;
  result.centre = d.a_matrix * h;
  const Mat3 j = rotation_jacobian(peak.centre);
  const Mat3 dj_cj = rotation_jacobian(result.centre) * (c * transpose(j));
  const Mat3 d_peak = d_lattice + dj_cj + transpose(dj_cj) + j * (d.rotation * transpose(j));
  for (int i = 0; i < 3; ++i) result.half_covariance[i] = 0.5 * d_peak(i, i);
  result.half_covariance[3] = d_peak(0, 1);
  result.half_covariance[4] = d_peak(0, 2);
  result.half_covariance[5] = d_peak(1, 2);
  const Mat3 lattice_inverse = inverse(a * (s * transpose(a)));
  result.log_height = d.log_scale + 2 * trace_of_product(inverse(n), d.size) +
                      0.5 * trace_of_product(lattice_inverse, d_lattice) -
                      0.5 * trace_of_product(peak.inverse_covariance, d_peak);
  return result;
}

} // namespace kilobragg::diffraction
