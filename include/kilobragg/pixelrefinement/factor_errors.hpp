// How errors of shots and backgrounds spread to structure factors, for which both stand still.
#pragma once

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/pixelrefinement/refine_shot.hpp"
#include "kilobragg/pixelrefinement/shot_record.hpp"

#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Variance of ln F of every row of the table that errors of the shots' parameters and of the planes of
/// background cause. Where the parameters p of a shot are wrong by dp, the minimum of stage 2 moves by
///     d ln F_h = -(1 / I_h) sum over its boxes of c dp,   c_p = sum w (2 k) (d m / d p)
/// with k the Bragg photons, w the information of a photon and I_h the information of ln F_h over all shots;
/// dp has the inverse of ShotTarget::information() as covariance and is independent between shots. So
///     variance_h = (1 / I_h^2) sum over boxes of c^T Cov c.
/// A plane that is fitted to the same pixels takes from the information I of a box the part
/// v^T M^-1 v, v = sum w (2 k) phi, M = sum w phi phi^T, phi = (1, x, y), and so adds
/// (1 / I_h^2) I^2 (1 / (I - v^T M^-1 v) - 1 / I).
/// `information` is that of stage 2, by row. The same bits on any number of ranks. Collective.
std::vector<double> model_variances(const parallel::Communicator& communicator,
                                    std::span<const ShotRecord> shots, const FactorTable& table,
                                    const FactorSphere& sphere, std::span<const double> information,
                                    const Stage1Params& params);

} // namespace kilobragg::pixelrefinement
