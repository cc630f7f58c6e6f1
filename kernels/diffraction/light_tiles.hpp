// Lights the pixels of images, tile by tile.
#pragma once

#include "kernels/diffraction/plane_of_peak.hpp"
#include "kernels/diffraction/sensor_layers.hpp"
#include "kernels/diffraction/tile_lists.hpp"

namespace kilobragg::diffraction {

/// What lighting reads, arrays on the device.
struct LightInput {
  LitInput lit;
  const PlaneOfPeak* planes = nullptr; ///< [place][layer]
  const float* factor = nullptr;
  PointGrid points;
};

/// What one place gives the pixels from column x of row y on, before their factor.
template <bool tophat, typename T>
KOKKOS_FUNCTION inline T light_of_place(const LightInput& in, std::int32_t entry, const T& x,
                                        int y) {
  const SpotPlace& place = in.lit.places[entry];
  const SpotPeak& peak = in.lit.peaks[place.peak];
  const SpectrumView& spectrum = in.lit.spectra[peak.shot].view;
  const double* weight = in.lit.weight_of(place.peak);
  const int n = in.points.oversample;
  T total{};
  for (int layer = 0; layer < in.points.layers; ++layer) {
    const PlaneOfPeak& plane = in.planes[entry * in.points.layers + layer];
    T sum{};
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < n; ++i)
        sum =
            sum + light_at<tophat>(line_of_peak(plane, point_offset(i, n), y + point_offset(j, n)),
                                   x, spectrum, weight, peak.channels, peak.chi2_max);
    if (in.points.layers > 1 && in.points.weigh_layers) {
      const PanelGrid& grid = in.lit.panels[in.lit.windows[place.window].panel].grid;
      sum = sum * layer_share(grid, layer, cosine_with_normal(grid, x, y));
    }
    total = total + sum;
  }
  return (peak.photons / (n * n)) * total;
}

/// Adds to `photons` what the places of a tile give one group of its pixels.
template <bool tophat, typename T>
KOKKOS_FUNCTION inline void light_group(const LightInput& in, const Window& window,
                                        std::int32_t tile, int group, float* photons) {
  const auto [x, y] = pixel_of_group(window, tile, group);
  if (x >= window.box.x1 || y >= window.box.y1) return;
  const T columns = counted_from<T>(x);
  T sum{};
  for (std::int32_t e = in.lit.first[tile]; e < in.lit.next[tile]; ++e) {
    const std::int32_t entry = in.lit.entries[e];
    if (!reaches<T>(in.lit.places[entry].box, x, y)) continue;
    sum = sum + light_of_place<tophat>(in, entry, columns, y);
  }
  const int width = window.box.x1 - window.box.x0;
  const std::int64_t at =
      static_cast<std::int64_t>(y - window.box.y0) * width + (x - window.box.x0);
  const int count = window.box.x1 - x < lanes<T> ? window.box.x1 - x : lanes<T>;
  for (int i = 0; i < count; ++i)
    photons[window.first_pixel + at + i] +=
        static_cast<float>(lane(sum, i)) * in.factor[window.first_factor + at + i];
}

/// The exponents of all places over their panels.
inline void set_planes(const LightInput& in, std::int32_t places,
                       const DeviceArray<PlaneOfPeak>& planes) {
  const int layers = in.points.layers;
  Kokkos::parallel_for(
      "set planes", Kokkos::RangePolicy<Device>(0, places * layers),
      KOKKOS_LAMBDA(const std::int32_t i) {
        const SpotPlace& place = in.lit.places[i / layers];
        const SpotPeak& peak = in.lit.peaks[place.peak];
        const PanelGrid& grid = in.lit.panels[in.lit.windows[place.window].panel].grid;
        planes(i) = plane_of_peak(peak.shape, peak.k0,
                                  grid.origin + (i % layers * grid.layer_step) * grid.normal,
                                  grid.fast, grid.slow);
      });
}

/// One launch over the lit tiles of all windows; `tile_window` gives the window of each tile.
template <bool tophat>
void light_tiles(const LightInput& in, const TileLists& tiles,
                 const DeviceArray<std::int32_t>& tile_window, float* photons) {
  const auto lit = tiles.lit;
  Kokkos::parallel_for(
      "light tiles", DeviceRange(0, std::int64_t(tiles.lit_count) * tile_groups),
      KOKKOS_LAMBDA(const std::int64_t i) {
        const std::int32_t tile = lit(i / tile_groups);
        light_group<tophat, DeviceLane>(in, in.lit.windows[tile_window(tile)], tile,
                                        int(i % tile_groups), photons);
      });
}

} // namespace kilobragg::diffraction
