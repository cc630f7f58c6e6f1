// Truth files of a simulated run; for the sources of simulate_stills alone.
#pragma once

#include "simulate_challenges.hpp"

#include "kilobragg/models/experiment.hpp"
#include "kilobragg/programs/simulate_shots.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <memory>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// An image as drawn, and where it went.
struct PlacedShot {
  DrawnShot shot;
  DrawnArtefacts artefacts;
  models::ImageSource source;
};

/// All that is true of a run.
struct RunTruth {
  std::vector<PlacedShot> shots;
  std::shared_ptr<const models::Detector> detector;
  const structure_factors::SpectralAmplitudes& amplitudes;
  const BadPixels& bad;
  const SimulateParams& params;
  std::string phil; ///< the options
};

/// Writes <path>.json (per image: kind, beam, lattices and challenges as drawn), <path>.expt (one
/// experiment per lattice) and <path>.mtz (true F).
void write_truth(const std::string& path, const RunTruth& truth);

} // namespace kilobragg::programs
