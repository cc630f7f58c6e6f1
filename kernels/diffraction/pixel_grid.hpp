// Panels as kernels see them, and at which points of a pixel the model is evaluated.
#pragma once

#include "kernels/geometry/vec3.hpp"

namespace kilobragg::diffraction {

/// A panel as an affine map: centre of pixel (x, y) at origin + (x + 1/2) fast + (y + 1/2) slow (mm).
struct PanelGrid {
  Vec3 origin, fast, slow; ///< fast and slow have the length of one pixel (mm)
  Vec3 normal;             ///< unit, away from the sample
  int width = 0, height = 0;
  double mu = 0;         ///< attenuation of the sensor (1/mm), 0 = all is absorbed
  double layer_step = 0; ///< thickness of a layer of the sensor (mm)
  int layers = 1;        ///< of the sensor, the first at its surface
};

/// Points of a pixel: oversample^2 in each of `layers` planes, the first at the sensor's surface.
struct PointGrid {
  int oversample = 1, layers = 1;
  bool weigh_layers = true; ///< by the share of photons that each absorbs; else all count 1
};

/// Point (i, j) of oversample^2, in pixels from the corner of its pixel.
KOKKOS_FUNCTION constexpr double point_offset(int i, int oversample) {
  return (i + 0.5) / oversample;
}

} // namespace kilobragg::diffraction
