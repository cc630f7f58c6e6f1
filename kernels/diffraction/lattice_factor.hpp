// Shape of a Bragg peak: Gaussian lattice factor, and how mosaic spread widens it in closed form.
#pragma once

#include "kernels/diffraction/crystal_shapes.hpp"

namespace kilobragg::diffraction {

/// |F_latt|^2 = (det N)^2 exp(-2 kappa |N dh|^2): `size` is N, cells along a, b, c (symmetric),
/// `dh` the distance from the nearest lattice point in Miller index units.
KOKKOS_FUNCTION inline double gauss_lattice_factor_squared(const Mat3& size, const Vec3& dh) {
  return lattice_factor_squared<CrystalShape::Gauss>(make_block_shape(CrystalShape::Gauss, size),
                                                     dh.x, dh.y, dh.z);
}

/// The same peak as a Gaussian in dh: covariance (4 kappa N^T N)^-1.
KOKKOS_FUNCTION inline Mat3 lattice_covariance(const Mat3& size) {
  return (1 / (4 * gauss_kappa)) * inverse(transpose(size) * size);
}

/// What stands for the covariance of a tophat: dh^T S^-1 dh = 1 at its edge.
KOKKOS_FUNCTION inline Mat3 tophat_covariance(const Mat3& size) {
  return tophat_radius2 * inverse(transpose(size) * size);
}

/// Covariance in reciprocal space (1/angstrom^2) of a covariance in Miller index units; A maps h to q.
KOKKOS_FUNCTION inline Mat3 to_reciprocal_space(const Mat3& a_matrix, const Mat3& covariance) {
  return a_matrix * covariance * transpose(a_matrix);
}

/// J with J w = w x q: how q moves with a small rotation w.
KOKKOS_FUNCTION constexpr Mat3 rotation_jacobian(const Vec3& q) {
  return {{0, q.z, -q.y, -q.z, 0, q.x, q.y, -q.x, 0}};
}

/// Covariance that small rotations w of the lattice (mean 0, covariance `rotation`, rad^2) give the
/// point q: to first order q moves by w x q = J w, so J C J^T.
KOKKOS_FUNCTION inline Mat3 mosaic_covariance(const Vec3& q, const Mat3& rotation) {
  const Mat3 j = rotation_jacobian(q);
  return j * rotation * transpose(j);
}

/// A peak averaged over mosaic blocks: height * exp(-(q - centre)^T inverse_covariance (q - centre) / 2).
struct PeakShape {
  Vec3 centre;             ///< A h (1/angstrom)
  Mat3 covariance;         ///< 1/angstrom^2
  Mat3 inverse_covariance; ///< angstrom^2
  double height = 0;       ///< mean |F_latt|^2 at the centre
};

/// What all peaks of one crystal share.
struct LatticeShape {
  Mat3 covariance;    ///< of the peak without mosaic spread, in q (1/angstrom^2)
  Mat3 rotation;      ///< covariance of the misorientation of blocks (rad^2)
  double volume2 = 0; ///< (det N)^2
  double det = 0;     ///< determinant of `covariance`
};

/// Of a Gaussian or tophat block (the others have no end); `rotation` only of a Gaussian one.
KOKKOS_FUNCTION inline LatticeShape
make_lattice_shape(const Mat3& a_matrix, const BlockShape& block, const Mat3& rotation) {
  LatticeShape shape;
  const Mat3 covariance = block.shape == CrystalShape::Tophat ? tophat_covariance(block.size)
                                                              : lattice_covariance(block.size);
  shape.covariance = to_reciprocal_space(a_matrix, (1 / block.fudge) * covariance);
  shape.rotation = rotation;
  shape.volume2 = block.volume2;
  shape.det = determinant(shape.covariance);
  return shape;
}

/// Mean over Gaussian misorientations of a Gaussian peak: the covariances add, and the height falls
/// by sqrt(det S / det S') so that the integral over q stays.
KOKKOS_FUNCTION inline PeakShape make_peak_shape(const LatticeShape& lattice, const Vec3& q) {
  PeakShape peak;
  peak.centre = q;
  peak.covariance = lattice.covariance + mosaic_covariance(q, lattice.rotation);
  peak.inverse_covariance = inverse(peak.covariance);
  peak.height = lattice.volume2 * std::sqrt(lattice.det / determinant(peak.covariance));
  return peak;
}

/// d^T M d for a symmetric M.
KOKKOS_FUNCTION constexpr double quadratic_form(const Mat3& m, const Vec3& d) {
  return m(0, 0) * d.x * d.x + m(1, 1) * d.y * d.y + m(2, 2) * d.z * d.z +
         2 * (m(0, 1) * d.x * d.y + m(0, 2) * d.x * d.z + m(1, 2) * d.y * d.z);
}

/// Mean |F_latt|^2 at q (1/angstrom).
KOKKOS_FUNCTION inline double peak_value(const PeakShape& peak, const Vec3& q) {
  return peak.height * std::exp(-0.5 * quadratic_form(peak.inverse_covariance, q - peak.centre));
}

} // namespace kilobragg::diffraction
