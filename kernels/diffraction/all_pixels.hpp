// Every pixel of a panel against every source and block: for shapes whose spots have no end.
#pragma once

#include "kernels/diffraction/crystal_shapes.hpp"
#include "kernels/diffraction/pixel_factors.hpp"
#include "kernels/diffraction/pixel_grid.hpp"

namespace kilobragg::diffraction {

/// |F|^2 of a box of indices; zero outside. Row-major, l fastest.
struct AmplitudeBox {
  const float* f_squared = nullptr;
  int first[3] = {0, 0, 0}, count[3] = {0, 0, 0};

  KOKKOS_FUNCTION double at(int h, int k, int l) const {
    h -= first[0], k -= first[1], l -= first[2];
    if (h < 0 || k < 0 || l < 0 || h >= count[0] || k >= count[1] || l >= count[2]) return 0;
    return static_cast<double>(f_squared[(h * count[1] + k) * count[2] + l]);
  }
  KOKKOS_FUNCTION double at(double h, double k, double l) const {
    return at(static_cast<int>(h), static_cast<int>(k), static_cast<int>(l));
  }
  Wide at(const Wide& h, const Wide& k, const Wide& l) const {
    Wide f2{};
    for (int i = 0; i < wide_count; ++i) f2[i] = at(h[i], k[i], l[i]);
    return f2;
  }
};

/// A mosaic block in one channel of the beam: Miller indices of the unit ray k are m k - offset,
/// m = (U A)^-1 / lambda, offset = m k0.
struct Probe {
  Mat3 m;
  Vec3 offset;
  double weight = 0; ///< of the channel, divided by the number of blocks
};

/// Sum over probes of weight |F|^2 |F_latt|^2 at the nearest lattice point, for the unit ray k.
template <CrystalShape shape, typename T>
KOKKOS_FUNCTION inline T sum_probes(const BlockShape& block, const Probe* probes, int count,
                                    const AmplitudeBox& amplitudes, const T& kx, const T& ky,
                                    const T& kz) {
  T sum{};
  for (int p = 0; p < count; ++p) {
    const Mat3& m = probes[p].m;
    const Vec3& o = probes[p].offset;
    const T h = m(0, 0) * kx + m(0, 1) * ky + m(0, 2) * kz - o.x;
    const T k = m(1, 0) * kx + m(1, 1) * ky + m(1, 2) * kz - o.y;
    const T l = m(2, 0) * kx + m(2, 1) * ky + m(2, 2) * kz - o.z;
    const T h0 = nearest(h), k0 = nearest(k), l0 = nearest(l);
    sum = sum + probes[p].weight * amplitudes.at(h0, k0, l0) *
                    lattice_factor_squared<shape>(block, h - h0, k - k0, l - l0);
  }
  return sum;
}

/// Share of photons that layer number `layer` of a sensor absorbs along a ray whose cosine with the
/// sensor's normal is `cosine`.
template <typename T>
KOKKOS_FUNCTION inline T layer_share(const PanelGrid& panel, int layer, const T& cosine) {
  const T depth = (-panel.mu * panel.layer_step) / cosine;
  return exp_of(layer * depth) - exp_of((layer + 1) * depth);
}

/// Mean over the points of pixel (x, y) of sum_probes, layers summed with their shares; x may be eight
/// neighbours at once.
template <CrystalShape shape, typename T>
KOKKOS_FUNCTION inline T pixel_sum(const PanelGrid& panel, const PointGrid& points, const T& x,
                                   double y, const BlockShape& block, const Probe* probes,
                                   int count, const AmplitudeBox& amplitudes) {
  const double per_point = 1.0 / (points.oversample * points.oversample);
  T total{};
  for (int layer = 0; layer < points.layers; ++layer) {
    const Vec3 plane = panel.origin + (layer * panel.layer_step) * panel.normal;
    T sum{};
    for (int j = 0; j < points.oversample; ++j) {
      const Vec3 row = plane + (y + point_offset(j, points.oversample)) * panel.slow;
      for (int i = 0; i < points.oversample; ++i) {
        const T column = x + point_offset(i, points.oversample);
        const T px = row.x + column * panel.fast.x, py = row.y + column * panel.fast.y,
                pz = row.z + column * panel.fast.z;
        const T per_length = 1.0 / root(px * px + py * py + pz * pz);
        sum = sum + sum_probes<shape>(block, probes, count, amplitudes, px * per_length,
                                      py * per_length, pz * per_length);
      }
    }
    if (points.layers > 1 && points.weigh_layers) {
      const Vec3 middle = panel.origin + (y + 0.5) * panel.slow;
      const T px = middle.x + (x + 0.5) * panel.fast.x, py = middle.y + (x + 0.5) * panel.fast.y,
              pz = middle.z + (x + 0.5) * panel.fast.z;
      const Vec3& n = panel.normal;
      const T cosine = (px * n.x + py * n.y + pz * n.z) / root(px * px + py * py + pz * pz);
      sum = sum * layer_share(panel, layer, cosine);
    }
    total = total + per_point * sum;
  }
  return total;
}

} // namespace kilobragg::diffraction
