// What of a detector is the same in every shot, private to the diffraction room.
#pragma once

#include "kernels/diffraction/pixel_grid.hpp"

#include "kilobragg/diffraction/renderer.hpp"

#include <vector>

namespace kilobragg::diffraction {

/// A panel, where its pixels start in an image, and the cone of rays that hit it.
struct PlacedPanel {
  PanelGrid grid;
  std::size_t offset = 0;
  Vec3 middle;           ///< unit
  double cos_radius = 0; ///< of the cone about `middle`
};

/// As kernels see it; its sensor is `layers` thick.
PanelGrid make_panel_grid(const models::Panel& panel, int layers);

struct PixelTables {
  std::vector<PlacedPanel> panels;
  std::size_t pixels = 0;
  std::vector<float> factor; ///< polarisation, solid angle (sr), capture unless layers have it
  std::vector<float> water;  ///< background of mean 1
};

/// Throws core::Error on a detector without pixels.
PixelTables make_pixel_tables(const models::Detector& detector, const models::Beam& beam,
                              const RenderParams& params);

/// The points at which these parameters evaluate a pixel.
PointGrid point_grid(const RenderParams& params);

} // namespace kilobragg::diffraction
