// What of a detector is the same in every shot, private to the diffraction room.
#pragma once

#include "kernels/diffraction/tile_lists.hpp"

#include "kilobragg/diffraction/renderer.hpp"

#include <vector>

namespace kilobragg::diffraction {

/// A panel as kernels see it; its sensor is `layers` thick.
PanelGrid make_panel_grid(const models::Panel& panel, int layers);

/// All of them, with the cones of rays that hit them.
std::vector<PanelCone> make_panel_cones(const models::Detector& detector, int layers);

struct PixelTables {
  std::vector<PanelCone> panels;
  std::vector<std::size_t> offsets; ///< of each panel's first pixel
  std::size_t pixels = 0;
  std::vector<float> factor; ///< polarisation, solid angle (sr), capture unless layers have it;
                             ///< emptied once kernels have it
  std::vector<float> water;  ///< background of mean 1
};

/// Throws core::Error on a detector without pixels.
PixelTables make_pixel_tables(const models::Detector& detector, const models::Beam& beam,
                              const RenderParams& params);

/// The points at which these parameters evaluate a pixel.
PointGrid point_grid(const RenderParams& params);

} // namespace kilobragg::diffraction
