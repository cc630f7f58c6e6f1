// Shots for tests of the refinement against pixels: a model, its factors, and shoeboxes drawn from it.
#pragma once

#include "tests/support/tilted_panels.hpp"

#include "kilobragg/pixelrefinement/shot_pixels.hpp"
#include "kilobragg/pixelrefinement/shot_prediction.hpp"
#include "kilobragg/pixelrefinement/shot_reflections.hpp"

#include <cmath>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <tuple>
#include <vector>

namespace kilobragg::testing {

/// One or two crystals on two tilted panels, three wavelengths.
inline pixelrefinement::ShotModel model_of_shot(int lattices) {
  pixelrefinement::ShotModel shot;
  shot.identifier = "a shot";
  shot.detector = std::make_shared<models::Detector>(
      tilted_panels({{-31, 15, -60}, {1, 15, -60}, {0.2, 0.21}, {150, 140}}));
  shot.beam = three_wavelengths();
  const Mat3 u = rotation_about(unit({1, 2, 3}), 0.6), other = rotation_about(unit({1, 2, 3}), 1.1);
  for (int l = 0; l < lattices; ++l) {
    diffraction::ShotLattice lattice;
    lattice.crystal = models::Crystal::from_cell({50, 50, 60, 90, 90, 90}, l == 0 ? u : other,
                                                 models::SpaceGroup("P43212"));
    lattice.size = {{16, 0, 0, 0, 18, 0, 0, 0, 14}};
    lattice.rotation = 4e-6 * Mat3::identity();
    lattice.scale = l == 0 ? 0.005 : 0.004;
    shot.lattices.push_back(lattice);
    shot.lattice_identifiers.push_back("lattice " + std::to_string(l));
  }
  return shot;
}

/// Amplitudes after Wilson about 300 electrons, known to `sigma` of their logarithm.
inline pixelrefinement::FactorTable wilson_table(double d_min, bool bijvoet_apart, double sigma,
                                                 unsigned seed = 5) {
  pixelrefinement::FactorTable table = pixelrefinement::make_factor_table(
      {50, 50, 60, 90, 90, 90}, models::SpaceGroup("P43212"), d_min, bijvoet_apart);
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> intensity(1);
  for (std::size_t i = 0; i < table.size(); ++i) {
    table.f[i] = 300 * std::sqrt(intensity(random) + 0.05);
    table.sigma[i] = sigma;
    table.measured[i] = 1;
  }
  return table;
}

/// The forward model's photons in all boxes of a shot, pixel by pixel of ShotPixels.
inline std::vector<double> bragg_of(const pixelrefinement::ShotModel& shot,
                                    const pixelrefinement::ShotPixels& pixels,
                                    const diffraction::ReflectionSphere& sphere,
                                    const diffraction::ShoeboxOptions& options) {
  diffraction::ShoeboxShot one;
  one.shot.beam = shot.beam;
  one.shot.lattices = shot.lattices;
  one.wavelength = shot.wavelength;
  for (const auto& box : pixels.boxes) one.boxes.push_back(box.box);
  return diffraction::model_shoeboxes(*pixelrefinement::moved_detector(shot), shot.beam, one,
                                      diffraction::DeviceReflections(sphere), options)
      .photons;
}

/// Everything that refinement of one shot takes.
struct PixelShot {
  pixelrefinement::FactorTable table;
  pixelrefinement::FactorSphere sphere;
  pixelrefinement::ShotModel truth;
  pixelrefinement::ShotPixels pixels;
  std::vector<double> bragg; ///< of the truth
};

/// Boxes of 10 x 10 pixels about the spots, cut off at the edges of panels; the first of several boxes has
/// a pixel. Values are the means.
inline pixelrefinement::ShotPixels
boxes_about(const std::vector<pixelrefinement::PredictedSpot>& spots,
            const models::Detector& detector, double background) {
  pixelrefinement::ShotPixels pixels;
  std::set<std::tuple<int, int, int>> taken;
  for (const pixelrefinement::PredictedSpot& spot : spots) {
    const auto& size = detector.panels[std::size_t(spot.panel)].image_size;
    const int x = int(spot.px.x), y = int(spot.px.y);
    pixelrefinement::ReflectionBox box;
    box.box = {spot.panel, std::max(0, x - 5), std::min(size[0], x + 5), std::max(0, y - 5),
               std::min(size[1], y + 5)};
    box.hkl = spot.hkl;
    box.lattice = spot.lattice;
    box.first = pixels.size();
    pixels.boxes.push_back(box);
    for (int j = box.box.y0; j < box.box.y1; ++j)
      for (int i = box.box.x0; i < box.box.x1; ++i) {
        pixels.used.push_back(taken.insert({spot.panel, i, j}).second ? 1 : 0);
        pixels.background.push_back(float(background + 0.01 * i + 0.005 * j));
        pixels.value.push_back(pixels.background.back());
      }
  }
  return pixels;
}

/// Values anew: Poisson of background + bragg, and noise of the readout.
inline void draw_values(PixelShot& shot, double readout, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(0, 1);
  shot.pixels.readout.clear();
  if (readout > 0) shot.pixels.readout = {float(readout)};
  for (std::size_t i = 0; i < shot.pixels.size(); ++i) {
    std::poisson_distribution<int> photons(double(shot.pixels.background[i]) + shot.bragg[i]);
    shot.pixels.value[i] = float(photons(random) + readout * noise(random));
  }
}

struct PixelShotOptions {
  int lattices = 1;
  double background = 3; ///< photons
  double readout = 0;
  double sigma = 0; ///< of ln F
  double d_min = 3;
  double threshold = 20;                   ///< photons of a spot that gets a box
  std::optional<Mat3> size = std::nullopt; ///< N of all lattices in place of model_of_shot's
  bool bijvoet_apart = true;
  unsigned seed = 1;
};

inline PixelShot make_pixel_shot(const PixelShotOptions& options) {
  PixelShot shot;
  shot.table = wilson_table(options.d_min, options.bijvoet_apart, options.sigma);
  shot.sphere = pixelrefinement::expand_to_sphere(shot.table);
  shot.truth = model_of_shot(options.lattices);
  for (auto& lattice : shot.truth.lattices) lattice.size = options.size.value_or(lattice.size);
  const auto spots = pixelrefinement::predict_shot(shot.truth, shot.sphere,
                                                   pixelrefinement::mean_intensities(shot.table),
                                                   {.threshold = options.threshold});
  shot.pixels = boxes_about(spots, *shot.truth.detector, options.background);
  const auto near = pixelrefinement::reflections_near(shot.truth, shot.sphere, 0.01);
  shot.bragg = bragg_of(shot.truth, shot.pixels,
                        pixelrefinement::with_factors(near, shot.table, shot.truth.b_factor),
                        {.oversample = 1, .tail = 1e-6});
  draw_values(shot, options.readout, options.seed);
  return shot;
}

/// Three energies about those of the beam's three wavelengths, and F that differs between them; values and
/// `bragg` stay those of the shot before.
inline void give_energies(PixelShot& shot) {
  const std::size_t size = shot.table.size();
  shot.table = pixelrefinement::with_energies(shot.table, {9440, 9540, 9570});
  for (std::size_t i = 0; i < size; ++i) {
    shot.table.f[size + i] *= 1 + 0.3 * std::sin(double(i));
    shot.table.f[2 * size + i] *= 1.5;
  }
  shot.sphere = pixelrefinement::expand_to_sphere(shot.table);
}

} // namespace kilobragg::testing
