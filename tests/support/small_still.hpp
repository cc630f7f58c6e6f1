// A small two-panel detector and a crystal on it, with images to integrate.
#pragma once

#include "kilobragg/core/units.hpp"
#include "kilobragg/integration/integrate_still.hpp"
#include "kilobragg/models/mapping.hpp"

#include <cmath>
#include <memory>
#include <vector>

namespace kilobragg::testing {

struct SmallStill {
  models::Beam beam;
  models::Detector detector;
  std::shared_ptr<models::ImageLayout> layout = std::make_shared<models::ImageLayout>();
  models::Lattice lattice;
  models::SpotList spots;

  /// Two panels of 240 x 300 pixels side by side, the second one tilted, 80 mm away.
  explicit SmallStill(bool parallax = false) {
    beam.wavelength = 1.3;
    for (int i = 0; i < 2; ++i) {
      models::Panel panel;
      panel.image_size = {240, 300};
      panel.pixel_size = {0.1, 0.1};
      panel.trusted_range = {-1000, 60000};
      panel.frame.origin = i == 0 ? Vec3{-24.5, -15, -80} : Vec3{0.5, -15, -80};
      if (i == 1) panel.frame.fast = {std::cos(0.2), 0, std::sin(0.2)};
      if (parallax) panel.parallax = models::Parallax{2.5, 0.4};
      detector.panels.push_back(panel);
      layout->panels.push_back({std::size_t(i) * 72000, 240, 240, 300});
    }
    layout->size = 144000;
    lattice.crystal = models::Crystal::from_cell({61, 67, 73, 90, 90, 90},
                                                 rotation_about(unit(Vec3{1, 2, 3}), 0.7),
                                                 models::SpaceGroup("P212121"));
    lattice.crystal.mosaicity = models::Mosaicity{0.1, 1500};
    add_strong_spot();
  }

  /// One indexed spot whose two pixels give sigma_b; small enough for separate boxes.
  void add_strong_spot() {
    const auto predicted =
        integration::predict_still(lattice.crystal, beam, detector, std::nullopt);
    const auto& reflection = predicted.at(predicted.size() / 2);
    models::Spot spot;
    spot.panel = reflection.panel;
    spot.pixel_count = 2;
    const int x = int(reflection.px_cal.x), y = int(reflection.px_cal.y);
    spots.pixels = {{x - 1, y, 600}, {x + 1, y, 400}};
    spot.px = reflection.px_cal;
    spots.spots.push_back(spot);
    models::map_spots(spots, detector, beam);
    models::IndexedSpot indexed;
    indexed.hkl = reflection.hkl;
    indexed.s1_cal = reflection.s1;
    indexed.flags = models::flag_indexed | models::flag_used_in_refinement;
    lattice.spots.push_back(indexed);
  }

  /// An image whose pixel (panel, x, y) is value(panel, x, y).
  template <typename T, typename Value>
  models::Image image(Value&& value) const {
    std::vector<T> pixels(layout->size);
    for (int panel = 0; panel < 2; ++panel)
      for (int y = 0; y < 300; ++y)
        for (int x = 0; x < 240; ++x) pixels[at(panel, x, y)] = static_cast<T>(value(panel, x, y));
    models::Image result;
    result.pixels = std::move(pixels);
    result.layout = layout;
    return result;
  }
  std::size_t at(int panel, int x, int y) const {
    return std::size_t(panel) * 72000 + std::size_t(y) * 240 + std::size_t(x);
  }

  std::vector<models::IntegratedReflection>
  integrate(const models::Image& data, const integration::IntegrationParams& params = {}) {
    return integration::integrate_still(lattice, spots, data, beam, detector, params);
  }
};

} // namespace kilobragg::testing
