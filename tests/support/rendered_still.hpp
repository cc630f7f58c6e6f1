// Stills rendered by the forward model from known structure factors, with what each reflection gave.
#pragma once

#include "support/drawn_still.hpp"

#include "kilobragg/core/units.hpp"
#include "kilobragg/diffraction/renderer.hpp"
#include "kilobragg/pixelrefinement/shot_reflections.hpp"

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace kilobragg::testing {

struct RenderedStill {
  diffraction::Shot shot; ///< the truth
  std::vector<std::int32_t> pixels;
};

inline constexpr int rendered_size = 1200; ///< pixels along each edge

/// One flat panel of 120 mm, 120 mm from the sample, the beam through its middle.
inline models::Detector rendered_detector() {
  models::Detector detector = drawn_detector();
  models::Panel& panel = detector.panels[0];
  panel.image_size = {rendered_size, rendered_size};
  panel.pixel_size = {0.1, 0.1};
  panel.frame.origin = {-60.1, 59.9, -120};
  return detector;
}

/// Amplitudes after Wilson that fall off with resolution, known to 5 %.
inline pixelrefinement::FactorTable drawn_factors(double d_min) {
  auto table =
      pixelrefinement::make_factor_table(drawn_cell(), models::SpaceGroup("P43212"), d_min, false);
  std::mt19937_64 random(21);
  std::exponential_distribution<double> intensity(1);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double d = table.cell.d(table.index[i].miller());
    table.f[i] = 200 * std::exp(-5 / (d * d)) * std::sqrt(intensity(random) + 0.01);
    table.sigma[i] = 0.05;
    table.measured[i] = 1;
  }
  return table;
}

/// Photons of all pixels, without background.
inline std::vector<float> render(const diffraction::Shot& shot,
                                 const diffraction::ReflectionSphere& sphere,
                                 const models::Detector& detector = rendered_detector()) {
  diffraction::Renderer renderer(detector, shot.beam, {.oversample = 4, .floor = 1e-6});
  std::vector<float> photons(renderer.pixel_count());
  renderer.add_peaks(shot, diffraction::DeviceReflections(sphere), photons);
  return photons;
}

inline double total(const std::vector<float>& photons) {
  return std::accumulate(photons.begin(), photons.end(), 0.0);
}

/// A crystal of blocks of 20 cells and a spread of 0.03 degrees in a beam 0.2 % wide; 2e5 photons in peaks,
/// 3 of background in each pixel. The same seed gives the same still.
inline RenderedStill render_still(const pixelrefinement::FactorTable& table, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  RenderedStill still;
  models::Beam& beam = still.shot.beam;
  beam.wavelength = 1.3;
  for (int channel = -10; channel <= 10; ++channel) {
    beam.spectrum.wavelengths.push_back(beam.wavelength * (1 + 2e-4 * channel));
    beam.spectrum.weights.push_back(std::exp(-0.02 * channel * channel));
  }
  const Mat3 u =
      rotation_about(unit(Vec3{uniform(random) - 0.5, uniform(random) - 0.5, uniform(random)}),
                     6.0 * uniform(random));
  diffraction::ShotLattice& lattice = still.shot.lattices.emplace_back();
  lattice.crystal = models::Crystal::from_cell(drawn_cell(), u, models::SpaceGroup("P43212"));
  lattice.size = 20 * Mat3::identity();
  const double spread = 0.03 * core::degree;
  lattice.rotation = (spread * spread) * Mat3::identity();
  pixelrefinement::FactorSphere all = pixelrefinement::expand_to_sphere(table);
  const pixelrefinement::ShotReflections every{all.hkl, all.row, all.inv_d2, {}, all.layer_size};
  auto photons = render(still.shot, pixelrefinement::with_factors(every, table, 0));
  const double factor = 2e5 / total(photons);
  lattice.scale *= factor;
  for (const float mean : photons)
    still.pixels.push_back(
        std::poisson_distribution<std::int32_t>(3 + factor * double(mean))(random));
  return still;
}

inline models::Image image_of(const RenderedStill& still) {
  return square_image(still.pixels, rendered_size);
}

} // namespace kilobragg::testing
