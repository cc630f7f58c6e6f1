// Whole panels as one window each: every contribution of every reflection, gathered to spots.
#include "kilobragg/pixelrefinement/shot_prediction.hpp"

#include <algorithm>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

/// Light of one reflection on one panel.
struct Light {
  double photons = 0, x = 0, y = 0, brightest = 0;
};

/// The window and pixel of the panel that a pixel of the model's image is.
struct PanelPixels {
  std::vector<diffraction::Shoebox> windows;
  std::vector<std::size_t> first; ///< and the end
  explicit PanelPixels(const models::Detector& detector) {
    std::size_t next = 0;
    for (std::size_t p = 0; p < detector.panels.size(); ++p) {
      const auto& size = detector.panels[p].image_size;
      windows.push_back({static_cast<int>(p), 0, size[0], 0, size[1]});
      first.push_back(next);
      next += windows.back().size();
    }
    first.push_back(next);
  }
  std::size_t panel_of(std::size_t pixel) const {
    return static_cast<std::size_t>(std::upper_bound(first.begin(), first.end(), pixel) -
                                    first.begin()) -
           1;
  }
};

/// Spots of one lattice.
void add_spots(const ShotModel& shot, int lattice, const ShotReflections& near,
               const diffraction::DeviceReflections& reflections, const models::Detector& detector,
               const PanelPixels& panels, const ShotPredictionParams& params,
               std::vector<PredictedSpot>& spots) {
  diffraction::ShoeboxShot one;
  one.shot.beam = shot.beam;
  one.shot.lattices = {shot.lattices[static_cast<std::size_t>(lattice)]};
  one.boxes = panels.windows;
  one.wavelength = shot.wavelength;
  const diffraction::ShoeboxImage image = diffraction::model_shoeboxes(
      detector, shot.beam, one, reflections,
      {.oversample = params.oversample, .tail = params.tail, .contributions = true});
  std::map<std::pair<std::uint32_t, std::size_t>, Light> lights;
  const auto place = [&](std::uint32_t pixel, std::size_t panel) {
    const std::size_t local = pixel - panels.first[panel];
    const auto width = static_cast<std::size_t>(panels.windows[panel].x1);
    return std::pair(static_cast<int>(local % width), static_cast<int>(local / width));
  };
  for (const diffraction::Contribution& c : image.contributions) {
    const std::size_t panel = panels.panel_of(c.pixel);
    const auto [x, y] = place(c.pixel, panel);
    const double photons = double(c.photons);
    Light& light = lights[{c.reflection, panel}];
    light.photons += photons;
    light.x += photons * (x + 0.5);
    light.y += photons * (y + 0.5);
    light.brightest = std::max(light.brightest, photons);
  }
  std::map<std::uint32_t, PredictedSpot> best;
  for (const auto& [key, light] : lights) {
    const auto& [reflection, panel] = key;
    if (light.photons < params.threshold) continue;
    PredictedSpot& spot = best[reflection];
    if (light.photons <= spot.photons) continue;
    spot.hkl = near.hkl[reflection];
    spot.lattice = lattice;
    spot.panel = static_cast<int>(panel);
    spot.px = {light.x / light.photons, light.y / light.photons};
    spot.photons = light.photons;
    const int column = static_cast<int>(spot.px.x), row = static_cast<int>(spot.px.y);
    spot.core = {column, column + 1, row, row + 1};
  }
  for (const diffraction::Contribution& c : image.contributions) {
    const auto at = best.find(c.reflection);
    if (at == best.end()) continue;
    const std::size_t panel = panels.panel_of(c.pixel);
    PredictedSpot& spot = at->second;
    if (panel != static_cast<std::size_t>(spot.panel)) continue;
    if (double(c.photons) < params.core_share * lights[{c.reflection, panel}].brightest) continue;
    const auto [x, y] = place(c.pixel, panel);
    spot.core.x0 = std::min(spot.core.x0, x);
    spot.core.x1 = std::max(spot.core.x1, x + 1);
    spot.core.y0 = std::min(spot.core.y0, y);
    spot.core.y1 = std::max(spot.core.y1, y + 1);
  }
  for (auto& [reflection, spot] : best) {
    spot.core.x0 -= params.margin, spot.core.x1 += params.margin;
    spot.core.y0 -= params.margin, spot.core.y1 += params.margin;
    spots.push_back(spot);
  }
}

} // namespace

std::vector<PredictedSpot> predict_shot(const ShotModel& shot, const FactorSphere& sphere,
                                        const std::vector<double>& f_squared,
                                        const ShotPredictionParams& params) {
  const ShotReflections near = reflections_near(shot, sphere, 0);
  std::vector<PredictedSpot> spots;
  if (near.size() == 0) return spots;
  const diffraction::DeviceReflections reflections(with_values(near, f_squared));
  const models::Detector detector = moved_detector(shot);
  const PanelPixels panels(detector);
  for (int l = 0; l < static_cast<int>(shot.lattices.size()); ++l)
    add_spots(shot, l, near, reflections, detector, panels, params, spots);
  return spots;
}

} // namespace kilobragg::pixelrefinement
