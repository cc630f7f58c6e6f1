// One image of a simulated run, from what was drawn to counts; for the sources of simulate_stills alone.
#pragma once

#include "simulate_challenges.hpp"

#include "kilobragg/diffraction/renderer.hpp"
#include "kilobragg/programs/simulate_detectors.hpp"
#include "kilobragg/programs/simulate_shots.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <span>
#include <vector>

namespace kilobragg::programs {

/// What every rank holds of a run.
struct SimulatedScene {
  SimulatedDetector detector;
  BadPixels bad;
  structure_factors::SpectralAmplitudes amplitudes;
};

/// Renders images one after another into reused buffers. What is given must outlive it.
class ImageMaker {
public:
  ImageMaker(const SimulateParams& params, const SimulatedScene& scene);

  /// Counts of one shot, valid until the next call; -1 where the detector has no usable pixel.
  std::span<const std::int32_t> make(const DrawnShot& drawn, const DrawnArtefacts& artefacts);

private:
  const SimulateParams& params_;
  const SimulatedScene& scene_;
  models::Detector planes_;
  diffraction::Renderer renderer_;
  Challenger challenger_;
  diffraction::DeviceReflections reflections_;
  std::vector<float> photons_;
  std::vector<std::int32_t> counts_;
};

} // namespace kilobragg::programs
