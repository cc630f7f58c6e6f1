// The part of a reflection that a shot records, after its refined model.
#pragma once

#include "kilobragg/pixelrefinement/shot_model.hpp"

namespace kilobragg::pixelrefinement {

/// Photons of the model over those that it would give if every channel of the beam met the centre of the
/// peak: sum_s w_s exp(-e_s^2 / (2 n^T C n)), weights that sum to 1 (kernels/diffraction/ewald_share.hpp).
/// C holds block size and mosaic spread. Between 0 and 1; a monochromatic beam gives 1 where delta-psi is
/// 0, one much wider than the peak hardly ever does. The lattice must have Gaussian blocks.
double partiality(const ShotModel& shot, std::size_t lattice, const models::Miller& hkl);

/// d ln(photons of a whole peak) / d ln N, N of all axes together. A channel gives N^3 / sigma
/// exp(-e^2 / (2 sigma^2)) with sigma^2 = n^T C n, of which the blocks have the share s, falling as N^-2:
/// 3 + s (1 - e^2 / sigma^2), and the mean of that over channels by their light.
double change_with_size(const ShotModel& shot, std::size_t lattice, const models::Miller& hkl);

} // namespace kilobragg::pixelrefinement
