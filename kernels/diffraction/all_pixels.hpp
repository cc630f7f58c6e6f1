// Every pixel of a panel against every source and block: for shapes whose spots have no end.
#pragma once

#include "kernels/diffraction/amplitude_grid.hpp"
#include "kernels/diffraction/crystal_shapes.hpp"
#include "kernels/diffraction/device_lane.hpp"
#include "kernels/diffraction/sensor_layers.hpp"

namespace kilobragg::diffraction {

/// |F|^2 of whole indices, each of a lane.
KOKKOS_FUNCTION inline double amplitude_at(const AmplitudeGridView& grid, const LayerMix& mix,
                                           double h, double k, double l) {
  return static_cast<double>(
      grid.value(static_cast<int>(h), static_cast<int>(k), static_cast<int>(l), mix));
}
inline Wide amplitude_at(const AmplitudeGridView& grid, const LayerMix& mix, const Wide& h,
                         const Wide& k, const Wide& l) {
  Wide f2{};
  for (int i = 0; i < wide_count; ++i) f2[i] = amplitude_at(grid, mix, h[i], k[i], l[i]);
  return f2;
}

/// A mosaic block in one channel of the beam: Miller indices of the unit ray k are m k - offset,
/// m = (U A)^-1 / lambda, offset = m k0.
struct Probe {
  Mat3 m;
  Vec3 offset;
  double weight = 0; ///< of the channel, divided by the number of blocks
  LayerMix mix;      ///< of the channel's energy
};

/// Sum over probes of weight |F|^2 |F_latt|^2 at the nearest lattice point, for the unit ray k.
template <CrystalShape shape, typename T>
KOKKOS_FUNCTION inline T sum_probes(const BlockShape& block, const Probe* probes, int count,
                                    const AmplitudeGridView& amplitudes, const T& kx, const T& ky,
                                    const T& kz) {
  T sum{};
  for (int p = 0; p < count; ++p) {
    const Mat3& m = probes[p].m;
    const Vec3& o = probes[p].offset;
    const T h = m(0, 0) * kx + m(0, 1) * ky + m(0, 2) * kz - o.x;
    const T k = m(1, 0) * kx + m(1, 1) * ky + m(1, 2) * kz - o.y;
    const T l = m(2, 0) * kx + m(2, 1) * ky + m(2, 2) * kz - o.z;
    const T h0 = nearest(h), k0 = nearest(k), l0 = nearest(l);
    sum = sum + probes[p].weight * amplitude_at(amplitudes, probes[p].mix, h0, k0, l0) *
                    lattice_factor_squared<shape>(block, h - h0, k - k0, l - l0);
  }
  return sum;
}

/// Mean over the points of pixel (x, y) of sum_probes, layers summed with their shares; x may be eight
/// neighbours at once.
template <CrystalShape shape, typename T>
KOKKOS_FUNCTION inline T pixel_sum(const PanelGrid& panel, const PointGrid& points, const T& x,
                                   int y, const BlockShape& block, const Probe* probes, int count,
                                   const AmplitudeGridView& amplitudes) {
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
    if (points.layers > 1 && points.weigh_layers)
      sum = sum * layer_share(panel, layer, cosine_with_normal(panel, x, y));
    total = total + per_point * sum;
  }
  return total;
}

/// Photons per unit of sum_probes, and the arrays that one launch over a panel reads.
struct AllPixelsInput {
  PanelGrid panel;
  PointGrid points;
  BlockShape block;
  const Probe* probes = nullptr;
  int probe_count = 0;
  AmplitudeGridView amplitudes;
  double per_f = 1;
  const float* factor = nullptr; ///< of the panel's first pixel
};

/// Adds to the pixels of a panel, one launch.
template <CrystalShape shape>
void light_all_pixels_of(const AllPixelsInput& in, float* photons) {
  using T = DeviceLane;
  const int groups = (in.panel.width + lanes<T> - 1) / lanes<T>;
  Kokkos::parallel_for(
      "light all pixels", Kokkos::RangePolicy<Device>(0, groups * in.panel.height),
      KOKKOS_LAMBDA(const int i) {
        const int x = i % groups * lanes<T>, y = i / groups;
        const T sum = pixel_sum<shape>(in.panel, in.points, counted_from<T>(x), y, in.block,
                                       in.probes, in.probe_count, in.amplitudes);
        const std::int64_t at = static_cast<std::int64_t>(y) * in.panel.width + x;
        for (int j = 0; j < lanes<T> && x + j < in.panel.width; ++j)
          photons[at + j] += static_cast<float>(in.per_f * lane(sum, j)) * in.factor[at + j];
      });
}

} // namespace kilobragg::diffraction
