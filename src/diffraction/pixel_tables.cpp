// Polarisation, solid angle, absorption and water of every pixel.
#include "pixel_tables.hpp"

#include "water.hpp"

#include "kernels/diffraction/pixel_factors.hpp"
#include "kernels/diffraction/sensor_layers.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {

PanelGrid make_panel_grid(const models::Panel& panel, int layers) {
  PanelGrid grid;
  grid.origin = panel.frame.origin;
  grid.fast = panel.pixel_size[0] * panel.frame.fast;
  grid.slow = panel.pixel_size[1] * panel.frame.slow;
  grid.normal = unit(panel.normal());
  if (dot(grid.normal, grid.origin) < 0) grid.normal = -grid.normal;
  grid.width = panel.image_size[0];
  grid.height = panel.image_size[1];
  grid.mu = panel.mu;
  grid.layer_step = panel.thickness / layers;
  grid.layers = layers;
  return grid;
}

std::vector<PanelCone> make_panel_cones(const models::Detector& detector, int layers) {
  std::vector<PanelCone> cones;
  for (const auto& panel : detector.panels) {
    const PanelGrid grid = make_panel_grid(panel, layers);
    const auto at = [&](double x, double y) {
      return unit(grid.origin + x * grid.fast + y * grid.slow);
    };
    PanelCone cone{grid, at(grid.width / 2.0, grid.height / 2.0), 1};
    for (const double x : {0, grid.width})
      for (const double y : {0, grid.height})
        cone.cos_radius = std::min(cone.cos_radius, dot(cone.middle, at(x, y)));
    cones.push_back(cone);
  }
  return cones;
}

namespace {

/// Calls visit(index, panel, x, y) for every pixel.
template <typename Visit>
void for_each_pixel(const std::vector<PanelCone>& panels, const Visit& visit) {
  std::size_t index = 0;
  for (const PanelCone& panel : panels)
    for (int y = 0; y < panel.grid.height; ++y)
      for (int x = 0; x < panel.grid.width; ++x) visit(index++, panel.grid, x, y);
}

/// Share of photons that all layers of a pixel absorb.
double captured_by_all(const PanelGrid& panel, const RenderParams& params, const Vec3& at) {
  return capture_fraction(unit(at), panel.normal, panel.mu, panel.layer_step * params.layers);
}

/// The same of peaks, 1 where `params` weighs their layers one by one.
double captured(const PanelGrid& panel, const RenderParams& params, const Vec3& at) {
  if (panel.mu <= 0 || panel.layer_step <= 0) return 1;
  if (params.layers == 1) return captured_by_all(panel, params, at);
  if (params.factors == FactorPoint::Centre) return 1;
  const int last = params.layers - 1;
  const Vec3 hit = at + (last * panel.layer_step) * panel.normal;
  return layer_share(panel, last, dot(unit(hit), panel.normal));
}

} // namespace

PixelTables make_pixel_tables(const models::Detector& detector, const models::Beam& beam,
                              const RenderParams& params) {
  PixelTables tables;
  tables.panels = make_panel_cones(detector, params.layers);
  for (const auto& panel : detector.panels) {
    tables.offsets.push_back(tables.pixels);
    tables.pixels += static_cast<std::size_t>(panel.image_size[0]) *
                     static_cast<std::size_t>(panel.image_size[1]);
  }
  core::require(tables.pixels > 0, "detector has no pixels (nothing to render on)");
  tables.factor.resize(tables.pixels);
  tables.water.resize(tables.pixels);
  const Vec3 k0 = -unit(beam.direction), n = unit(beam.polarization_normal), e = cross(n, k0);
  const double point =
      params.factors == FactorPoint::Centre ? 0.5 : point_offset(0, params.oversample);
  double sum = 0;
  for_each_pixel(tables.panels, [&](std::size_t index, const PanelGrid& panel, int x, int y) {
    const Vec3 at = panel.origin + (x + point) * panel.fast + (y + point) * panel.slow;
    const Vec3 k = unit(at);
    const double scattered = polarisation_factor(k, e, n, beam.polarization_fraction) *
                             solid_angle(at, panel.normal, norm(panel.fast) * norm(panel.slow));
    const double share = captured(panel, params, at);
    const double of_water = params.layers == 1 ? share : captured_by_all(panel, params, at);
    const double stol = std::sqrt(std::max(0.0, (1 - dot(k, k0)) / 2)) / beam.wavelength;
    tables.factor[index] = static_cast<float>(scattered * share);
    tables.water[index] = static_cast<float>(scattered * of_water * water_f_squared(stol));
    sum += static_cast<double>(tables.water[index]);
  });
  const auto scale = static_cast<float>(static_cast<double>(tables.pixels) / sum);
  for (float& value : tables.water) value *= scale;
  return tables;
}

PointGrid point_grid(const RenderParams& params) {
  return {params.oversample, params.layers, params.factors == FactorPoint::Centre};
}

} // namespace kilobragg::diffraction
