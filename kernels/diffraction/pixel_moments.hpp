// What a pixel must keep of a Bragg peak so that its derivative to any parameter follows.
#pragma once

#include "kernels/diffraction/spot_kernel.hpp"
#include "kernels/diffraction/wide.hpp"

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

/// Which sums are wanted besides those of the crystal's parameters.
struct MomentKinds {
  bool place = false, wavelength = false;
};

/// The channel of a point: its wavelength before offset and scale, and its part of the photons.
struct MomentChannel {
  Channel channel;
  double nominal = 0; ///< lambda0 (angstrom)
  double weight = 0;
};

/// Adds the point x (mm) in one channel.
template <typename T>
KOKKOS_FUNCTION inline void add_point(const PeakShape& peak, const MomentChannel& in,
                                      const MomentKinds& kinds, const T& x, const T& y, const T& z,
                                      PixelMoments<T>& sums) {
  const double lambda = in.channel.wavelength;
  const Vec3& s0 = in.channel.s0;
  const T per_r = 1.0 / root(x * x + y * y + z * z);
  const T kx = x * per_r, ky = y * per_r, kz = z * per_r;
  const T qx = kx * (1 / lambda) - s0.x, qy = ky * (1 / lambda) - s0.y,
          qz = kz * (1 / lambda) - s0.z;
  const T dx = qx - peak.centre.x, dy = qy - peak.centre.y, dz = qz - peak.centre.z;
  const Mat3& m = peak.inverse_covariance;
  const T vx = m(0, 0) * dx + m(0, 1) * dy + m(0, 2) * dz;
  const T vy = m(1, 0) * dx + m(1, 1) * dy + m(1, 2) * dz;
  const T vz = m(2, 0) * dx + m(2, 1) * dy + m(2, 2) * dz;
  const T i = (in.weight * peak.height) * exp_of(-0.5 * (vx * dx + vy * dy + vz * dz));
  const T ix = i * vx, iy = i * vy, iz = i * vz;
  sums.value += i;
  sums.v[0] += ix;
  sums.v[1] += iy;
  sums.v[2] += iz;
  sums.vv[0] += ix * vx;
  sums.vv[1] += iy * vy;
  sums.vv[2] += iz * vz;
  sums.vv[3] += ix * vy;
  sums.vv[4] += ix * vz;
  sums.vv[5] += iy * vz;
  if (kinds.place) {
    const T along = kx * ix + ky * iy + kz * iz, per_length = per_r * (1 / lambda);
    const T tx = per_length * (along * kx - ix), ty = per_length * (along * ky - iy),
            tz = per_length * (along * kz - iz);
    sums.place[0] += tx;
    sums.place[1] += ty;
    sums.place[2] += tz;
    sums.torque[0] += y * tz - z * ty;
    sums.torque[1] += z * tx - x * tz;
    sums.torque[2] += x * ty - y * tx;
  }
  if (kinds.wavelength) {
    const T w = (ix * qx + iy * qy + iz * qz) * (1 / lambda);
    sums.wavelength += w;
    sums.wavelength_scale += in.nominal * w;
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
