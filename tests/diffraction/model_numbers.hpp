// An image, and shoeboxes with derivatives to every kind of parameter, for two builds to agree on.
#pragma once

#include "tests/support/tilted_panels.hpp"

#include "kilobragg/diffraction/renderer.hpp"
#include "kilobragg/diffraction/shoebox_model.hpp"

#include <vector>

namespace kilobragg::diffraction::testing {

inline models::Detector numbers_detector() {
  return kilobragg::testing::tilted_panels({{-31, 15, -60}, {1, 15, -60}, {0.4, 0.42}, {75, 70}});
}

inline Shot numbers_shot() {
  return kilobragg::testing::two_lattices({{26, 1, 0.5, 1, 28, -0.7, 0.5, -0.7, 24}});
}

inline std::vector<ParameterDirection> numbers_parameters() {
  std::vector<ParameterDirection> parameters(5);
  parameters[0].crystal.a_matrix = Mat3{{1e-3, 2e-4, 0, 0, 1e-3, 0, 3e-4, 0, 1e-3}};
  parameters[1].crystal.size = Mat3::identity();
  parameters[1].lattice = 1;
  parameters[2].crystal.rotation = 1e-6 * Mat3::identity();
  parameters[3].shift = {0.1, 0.2, -0.3};
  parameters[3].turn = {0.01, -0.02, 0.03};
  parameters[3].pivot = {1, 2, -60};
  parameters[4].wavelength_offset = 1;
  parameters[4].wavelength_scale = 0.5;
  return parameters;
}

/// Rows of as many pixels as the detector has: of the image, of the same as two shoeboxes, and of their
/// derivatives. Tails go so far that it does not matter which pixels a thread looks at.
inline std::vector<double> model_numbers() {
  constexpr double tail = 1e-22;
  const auto detector = numbers_detector();
  const Shot shot = numbers_shot();
  const DeviceReflections reflections(
      expand_to_sphere(kilobragg::testing::graded_amplitudes({50, 50, 60, 90, 90, 90}, 2), 0));
  Renderer renderer(detector, shot.beam, {.oversample = 2, .tail = tail, .floor = 1e-30});
  std::vector<float> image(renderer.pixel_count());
  renderer.add_peaks(shot, reflections, image);
  const auto boxes = model_shoeboxes(
      detector, shot.beam, {shot, {{0, 0, 75, 0, 70}, {1, 0, 75, 0, 70}}, numbers_parameters(), {}},
      reflections, {.oversample = 2, .tail = tail});
  std::vector<double> numbers(image.begin(), image.end());
  numbers.insert(numbers.end(), boxes.photons.begin(), boxes.photons.end());
  numbers.insert(numbers.end(), boxes.derivatives.begin(), boxes.derivatives.end());
  return numbers;
}

} // namespace kilobragg::diffraction::testing
