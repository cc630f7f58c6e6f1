// A window about every place that a reflection may light; its own light there, gathered to a spot.
#include "kilobragg/pixelrefinement/shot_prediction.hpp"

#include <algorithm>
#include <utility>

namespace kilobragg::pixelrefinement {
namespace {

/// Light of one reflection on one panel.
struct Light {
  double photons = 0, x = 0, y = 0, brightest = 0;
};

/// Places of reflections on panels, one window each.
struct Places {
  std::vector<std::uint32_t> reflection;
  std::vector<diffraction::Shoebox> windows;
  std::vector<std::size_t> first; ///< pixel of the model's image
};

diffraction::Shoebox around(const diffraction::Shoebox& a, const diffraction::Shoebox& b) {
  return {a.panel, std::min(a.x0, b.x0), std::max(a.x1, b.x1), std::min(a.y0, b.y0),
          std::max(a.y1, b.y1)};
}

/// Sorted by reflection and panel; peaks of several blocks or directions share a window.
Places find_places(const models::Detector& detector, const diffraction::ShoeboxShot& shot,
                   const diffraction::DeviceReflections& reflections, double tail) {
  auto boxes = diffraction::find_lit_boxes(detector, shot, reflections, tail);
  const auto key = [](const diffraction::LitBox& b) {
    return std::pair(b.reflection, b.box.panel);
  };
  std::stable_sort(boxes.begin(), boxes.end(),
                   [&](const auto& a, const auto& b) { return key(a) < key(b); });
  Places places;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (i > 0 && key(boxes[i]) == key(boxes[i - 1])) {
      places.windows.back() = around(places.windows.back(), boxes[i].box);
      continue;
    }
    places.reflection.push_back(boxes[i].reflection);
    places.windows.push_back(boxes[i].box);
  }
  std::size_t next = 0;
  for (const diffraction::Shoebox& window : places.windows) {
    places.first.push_back(next);
    next += window.size();
  }
  return places;
}

/// Calls visit(window, x, y, photons) for what the reflection of a window gives its pixels.
template <typename Visit>
void for_each_own_light(const Places& places, const diffraction::ShoeboxImage& image,
                        const Visit& visit) {
  for (const diffraction::Contribution& c : image.contributions) {
    const auto after = std::upper_bound(places.first.begin(), places.first.end(), c.pixel);
    const auto window = static_cast<std::size_t>(after - places.first.begin()) - 1;
    if (places.reflection[window] != c.reflection) continue;
    const diffraction::Shoebox& box = places.windows[window];
    const auto local = static_cast<int>(c.pixel - places.first[window]), width = box.x1 - box.x0;
    visit(window, box.x0 + local % width, box.y0 + local / width, double(c.photons));
  }
}

std::vector<Light> gather(const Places& places, const diffraction::ShoeboxImage& image) {
  std::vector<Light> lights(places.windows.size());
  for_each_own_light(places, image, [&](std::size_t window, int x, int y, double photons) {
    Light& light = lights[window];
    light.photons += photons;
    light.x += photons * (x + 0.5);
    light.y += photons * (y + 0.5);
    light.brightest = std::max(light.brightest, photons);
  });
  return lights;
}

/// Grows cores to the pixels that are bright enough; `spot_of` are numbers of spots by window, -1 = none.
void draw_cores(const Places& places, const diffraction::ShoeboxImage& image,
                const std::vector<Light>& lights, const std::vector<std::ptrdiff_t>& spot_of,
                double core_share, std::vector<PredictedSpot>& spots) {
  for_each_own_light(places, image, [&](std::size_t window, int x, int y, double photons) {
    if (spot_of[window] < 0 || photons < core_share * lights[window].brightest) return;
    models::PixelBox& core = spots[static_cast<std::size_t>(spot_of[window])].core;
    core.x0 = std::min(core.x0, x);
    core.x1 = std::max(core.x1, x + 1);
    core.y0 = std::min(core.y0, y);
    core.y1 = std::max(core.y1, y + 1);
  });
}

PredictedSpot make_spot(const Light& light, const models::Miller& hkl, int lattice, int panel) {
  PredictedSpot spot;
  spot.hkl = hkl;
  spot.lattice = lattice;
  spot.panel = panel;
  spot.px = {light.x / light.photons, light.y / light.photons};
  spot.photons = light.photons;
  const int column = static_cast<int>(spot.px.x), row = static_cast<int>(spot.px.y);
  spot.core = {column, column + 1, row, row + 1};
  return spot;
}

/// Spots of one lattice, in the order of its reflections.
void add_spots(const ShotModel& shot, int lattice, const ShotReflections& near,
               const diffraction::DeviceReflections& reflections, const models::Detector& detector,
               const ShotPredictionParams& params, std::vector<PredictedSpot>& spots) {
  diffraction::ShoeboxShot one;
  one.shot.beam = shot.beam;
  one.shot.lattices = {shot.lattices[static_cast<std::size_t>(lattice)]};
  one.wavelength = shot.wavelength;
  const Places places = find_places(detector, one, reflections, params.tail);
  if (places.windows.empty()) return;
  one.boxes = places.windows;
  const diffraction::ShoeboxImage image = diffraction::model_shoeboxes(
      detector, shot.beam, one, reflections,
      {.oversample = params.oversample, .tail = params.tail, .contributions = true});
  const std::vector<Light> lights = gather(places, image);
  std::vector<std::ptrdiff_t> spot_of(lights.size(), -1);
  const std::size_t before = spots.size();
  for (std::size_t w = 0, end; w < lights.size(); w = end) {
    std::size_t best = w; // of the reflection's panels, the one with most of its light
    for (end = w; end < lights.size() && places.reflection[end] == places.reflection[w]; ++end)
      if (lights[end].photons > lights[best].photons) best = end;
    if (!(lights[best].photons >= params.threshold) || lights[best].photons == 0) continue;
    spot_of[best] = static_cast<std::ptrdiff_t>(spots.size());
    spots.push_back(make_spot(lights[best], near.hkl[places.reflection[w]], lattice,
                              places.windows[best].panel));
  }
  draw_cores(places, image, lights, spot_of, params.core_share, spots);
  for (std::size_t i = before; i < spots.size(); ++i) {
    models::PixelBox& core = spots[i].core;
    core.x0 -= params.margin, core.x1 += params.margin;
    core.y0 -= params.margin, core.y1 += params.margin;
  }
}

} // namespace

std::vector<PredictedSpot> predict_shot(const ShotModel& shot, const FactorSphere& sphere,
                                        const std::vector<double>& f_squared,
                                        const ShotPredictionParams& params) {
  const ShotReflections near = reflections_near(shot, sphere, 0);
  std::vector<PredictedSpot> spots;
  if (near.size() == 0) return spots;
  const diffraction::DeviceReflections reflections(with_values(near, f_squared, shot.b_factor));
  const auto detector = moved_detector(shot);
  for (int l = 0; l < static_cast<int>(shot.lattices.size()); ++l)
    add_spots(shot, l, near, reflections, *detector, params, spots);
  std::sort(spots.begin(), spots.end(), [](const PredictedSpot& a, const PredictedSpot& b) {
    return std::pair(a.lattice, a.hkl) < std::pair(b.lattice, b.hkl);
  });
  return spots;
}

} // namespace kilobragg::pixelrefinement
