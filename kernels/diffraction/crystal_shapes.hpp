// How much a crystal of some shape scatters near a lattice point: the four shapes of nanoBragg.
#pragma once

#include "kernels/diffraction/wide.hpp"
#include "kernels/geometry/mat3.hpp"

namespace kilobragg::diffraction {

/// Shape of a mosaic block, or rather of its interference function.
enum class CrystalShape : int {
  Gauss,  ///< exp(-|N dh|^2 / 0.63): no side lobes
  Square, ///< parallelepiped of N cells: sin(pi N h) / sin(pi h) along each axis
  Round,  ///< ellipsoid: transform of a sphere
  Tophat, ///< constant within |N dh|^2 < 0.3969: the volume and the height of Square
};

/// Exponent of the Gaussian crystal shape: |F_latt| = det N exp(-kappa |N dh|^2). With fudge 1 the peak
/// has the volume and width of a parallelepiped crystal's (nanoBragg's gauss_xtal).
inline constexpr double gauss_kappa = 1.0 / 0.63;
/// Sphere against cube of the same edge and diameter: root of the ratio of their intensities.
inline constexpr double round_height = 0.723601254558268;
/// |N dh|^2 at the edge of a tophat spot: 0.63^2.
inline constexpr double tophat_radius2 = 0.63 * 0.63;

/// A block: its shape and size.
struct BlockShape {
  CrystalShape shape = CrystalShape::Gauss;
  Mat3 size = Mat3::identity(); ///< N, cells along a, b, c (symmetric; Square uses its diagonal)
  double fudge = 1;             ///< widens (< 1) or narrows (> 1) all shapes but Square
  double volume2 = 1;           ///< (det N)^2
};

KOKKOS_FUNCTION constexpr BlockShape make_block_shape(CrystalShape shape, const Mat3& size,
                                                      double fudge = 1) {
  const double volume = determinant(size);
  return {shape, size, fudge, volume * volume};
}

/// [sin(pi n d) / sin(pi d)]^2, n^2 at d = 0; |d| <= 1/2, n cells. For n that is no integer it goes on
/// from the nearest lattice point.
template <typename T>
KOKKOS_FUNCTION inline T interference(double n, const T& d) {
  const T turns = n * d, t = turns - nearest(turns);
  const T above = sin_pi(t), below = sin_pi(d), ratio = above / below;
  return select(below == 0.0, T{} + n * n, ratio * ratio);
}

/// [3 (sin x / x - cos x) / x^2]^2 with x = pi r, r >= 0: transform of a sphere, 1 at the centre.
template <typename T>
KOKKOS_FUNCTION inline T sphere_transform2(const T& r) {
  const T x = 3.141592653589793 * r, x2 = x * x, t = r - nearest(r);
  const T direct = 3.0 * (sin_pi(t) / x - cos_pi(t)) / x2;
  const T series = 1.0 - x2 * (0.1 - x2 * (1.0 / 280 - x2 * (1.0 / 15120)));
  const T value = select(x < 0.3, series, direct); // direct loses digits near the centre
  return value * value;
}

/// |N d|^2.
template <typename T>
KOKKOS_FUNCTION inline T radius2(const Mat3& n, const T& dx, const T& dy, const T& dz) {
  const T x = n(0, 0) * dx + n(0, 1) * dy + n(0, 2) * dz;
  const T y = n(1, 0) * dx + n(1, 1) * dy + n(1, 2) * dz;
  const T z = n(2, 0) * dx + n(2, 1) * dy + n(2, 2) * dz;
  return x * x + y * y + z * z;
}

/// |F_latt|^2 at a distance (dx, dy, dz), each within +-1/2, from the nearest lattice point.
template <CrystalShape shape, typename T>
KOKKOS_FUNCTION inline T lattice_factor_squared(const BlockShape& block, const T& dx, const T& dy,
                                                const T& dz) {
  if constexpr (shape == CrystalShape::Square) {
    T product = T{} + 1.0;
    const T d[3] = {dx, dy, dz};
    for (int i = 0; i < 3; ++i)
      if (block.size(i, i) > 1) product = product * interference(block.size(i, i), d[i]);
    return product;
  } else {
    const T r2 = block.fudge * radius2(block.size, dx, dy, dz);
    if constexpr (shape == CrystalShape::Gauss)
      return block.volume2 * exp_of(-2 * gauss_kappa * r2);
    else if constexpr (shape == CrystalShape::Round)
      return (block.volume2 * round_height * round_height) * sphere_transform2(root(r2));
    else
      return select(r2 < tophat_radius2, T{} + block.volume2, T{});
  }
}

} // namespace kilobragg::diffraction
