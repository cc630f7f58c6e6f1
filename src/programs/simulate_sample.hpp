// Cell, space group and structure factors of a simulated run; for the sources of simulate_stills alone.
#pragma once

#include "kilobragg/models/detector.hpp"
#include "kilobragg/programs/simulate_params.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

namespace kilobragg::programs {

/// True amplitudes as the options say, to the resolution of the detector's corner or amplitudes.d_min.
/// Throws core::Error when cell, group, file and resolution contradict each other.
structure_factors::SpectralAmplitudes make_amplitudes(const SimulateParams& params,
                                                      const models::Detector& detector);

} // namespace kilobragg::programs
