// Truth files of a simulated run; for the sources of simulate_stills alone.
#pragma once

#include "kilobragg/models/experiment.hpp"
#include "kilobragg/programs/simulate_shots.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <memory>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Where an image went.
struct PlacedShot {
  DrawnShot shot;
  models::ImageSource source;
};

/// Writes <path>.json (per image: kind, beam, lattices as drawn), <path>.expt (one experiment per
/// lattice) and <path>.mtz (true F). `phil` holds the options that differ from the defaults.
void write_truth(const std::string& path, const std::vector<PlacedShot>& shots,
                 const std::shared_ptr<const models::Detector>& detector,
                 const structure_factors::SpectralAmplitudes& amplitudes, double wavelength,
                 const std::string& phil);

} // namespace kilobragg::programs
