// Stills drawn by hand for tests: Gaussian spots where a crystal predicts them, over counting noise.
#pragma once

#include "kilobragg/integration/integrate_still.hpp"
#include "kilobragg/models/crystal.hpp"
#include "kilobragg/models/image.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace kilobragg::testing {

struct DrawnStill {
  std::vector<std::int32_t> pixels; ///< slow x fast
  models::Beam beam;
  models::Crystal crystal;
  int spots = 0;
};

inline constexpr int drawn_size = 800; ///< pixels along each edge

/// One flat panel of 160 mm, 120 mm from the sample, the beam through its middle.
inline models::Detector drawn_detector() {
  models::Panel panel;
  panel.name = "panel";
  panel.image_size = {drawn_size, drawn_size};
  panel.pixel_size = {0.2, 0.2};
  panel.frame = {{1, 0, 0}, {0, -1, 0}, {-80.1, 79.9, -120}};
  panel.trusted_range = {0, 1e6};
  models::Detector detector;
  detector.panels.push_back(panel);
  return detector;
}

inline models::UnitCell drawn_cell() { return {77.06, 77.06, 37.22, 90, 90, 90}; }

/// The same seed gives the same still. Without `crystal` the image is blank: noise alone.
inline DrawnStill draw_still(std::uint64_t seed, bool with_crystal = true) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  DrawnStill still;
  still.beam.wavelength = 1.3;
  const Mat3 u =
      rotation_about(unit(Vec3{uniform(random) - 0.5, uniform(random) - 0.5, uniform(random)}),
                     6.0 * uniform(random));
  still.crystal = models::Crystal::from_cell(drawn_cell(), u, models::SpaceGroup("P43212"));
  still.crystal.mosaicity = models::Mosaicity{0.08, 2000};
  std::vector<double> expected(std::size_t(drawn_size) * drawn_size, 4.0);
  if (with_crystal)
    for (const auto& r :
         integration::predict_still(still.crystal, still.beam, drawn_detector(), std::nullopt)) {
      const double total = 150 + 2000 * uniform(random) * uniform(random), sigma = 0.8;
      ++still.spots;
      for (int y = std::max(0, int(r.px_cal.y) - 5); y < std::min(drawn_size, int(r.px_cal.y) + 6);
           ++y)
        for (int x = std::max(0, int(r.px_cal.x) - 5);
             x < std::min(drawn_size, int(r.px_cal.x) + 6); ++x) {
          const double dx = x + 0.5 - r.px_cal.x, dy = y + 0.5 - r.px_cal.y;
          expected[std::size_t(y) * drawn_size + std::size_t(x)] +=
              total * std::exp(-(dx * dx + dy * dy) / (2 * sigma * sigma)) /
              (6.2832 * sigma * sigma);
        }
    }
  for (const double mean : expected)
    still.pixels.push_back(std::poisson_distribution<std::int32_t>(mean)(random));
  return still;
}

/// One panel of edge x edge pixels.
inline models::Image square_image(const std::vector<std::int32_t>& pixels, int edge) {
  models::Image image;
  image.pixels = pixels;
  auto layout = std::make_shared<models::ImageLayout>();
  layout->panels.push_back({0, std::size_t(edge), edge, edge});
  layout->size = pixels.size();
  image.layout = layout;
  return image;
}

inline models::Image image_of(const DrawnStill& still) {
  return square_image(still.pixels, drawn_size);
}

} // namespace kilobragg::testing
