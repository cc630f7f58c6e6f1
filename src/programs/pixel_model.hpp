// Structure factors for integration.integrator=pixel_model.
#pragma once

#include "kilobragg/programs/stills_options.hpp"

namespace kilobragg::programs {

/// Reads pixel_model.mtz_file into the parameters of stills, to its finest resolution; indices that it
/// lacks get the mean of their resolution. Chooses the likelihood by the readout noise. Does nothing where
/// no pixel model is wanted. Throws core::Error if the file contradicts the known symmetry.
void load_pixel_model(StillsOptions& options);

/// What the user should know of the structure factors; empty = nothing.
std::string pixel_model_doubt(const StillsOptions& options);

} // namespace kilobragg::programs
