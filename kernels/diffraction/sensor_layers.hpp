// What each layer of a thick sensor absorbs.
#pragma once

#include "kernels/diffraction/pixel_grid.hpp"
#include "kernels/diffraction/wide.hpp"

namespace kilobragg::diffraction {

/// Share of photons that layer number `layer` of a sensor absorbs along a ray whose cosine with the
/// sensor's normal is `cosine`.
template <typename T>
KOKKOS_FUNCTION inline T layer_share(const PanelGrid& panel, int layer, const T& cosine) {
  const T depth = (-panel.mu * panel.layer_step) / cosine;
  return exp_of(layer * depth) - exp_of((layer + 1) * depth);
}

/// Of the rays to the middles of pixels with the panel's normal.
template <typename T>
KOKKOS_FUNCTION inline T cosine_with_normal(const PanelGrid& grid, const T& x, int y) {
  const Vec3 line = grid.origin + (y + 0.5) * grid.slow + 0.5 * grid.fast;
  const T px = line.x + x * grid.fast.x, py = line.y + x * grid.fast.y,
          pz = line.z + x * grid.fast.z;
  return dot(line, grid.normal) / root(px * px + py * py + pz * pz);
}

} // namespace kilobragg::diffraction
