// One image of a simulated run, from what was drawn to counts; for the sources of simulate_stills alone.
#pragma once

#include "simulate_background.hpp"
#include "simulate_challenges.hpp"
#include "simulate_response.hpp"

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
  BackgroundMedia media;
  structure_factors::SpectralAmplitudes amplitudes;
};

/// Renders images one after another into reused buffers. What is given must outlive it.
class ImageMaker {
public:
  ImageMaker(const SimulateParams& params, const SimulatedScene& scene);

  /// Mean photons of one shot on the sensor, valid until the next call.
  std::span<const float> expect(const DrawnShot& drawn, const DrawnArtefacts& artefacts);
  /// Counts of one shot, valid until the next call; Recorder::absent() where the detector has no
  /// usable pixel.
  std::span<const std::int32_t> make(const DrawnShot& drawn, const DrawnArtefacts& artefacts);

private:
  const SimulateParams& params_;
  const SimulatedScene& scene_;
  models::Detector planes_; ///< where photons are recorded on average
  diffraction::Renderer renderer_;
  AbsoluteBackground background_;
  Recorder recorder_;
  Challenger challenger_;
  diffraction::DeviceReflections reflections_;
  std::vector<float> photons_;
  std::vector<std::int32_t> counts_;
};

} // namespace kilobragg::programs
