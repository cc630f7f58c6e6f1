// How errors of shots and backgrounds spread to structure factors, for which both stand still.
#pragma once

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/pixelrefinement/refine_shot.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

/// What the errors of one shot do to one F, by one of its boxes: they move the sum of the scores of ln F by
/// an amount of this variance.
struct FactorError {
  std::int32_t row = 0; ///< of the table
  double variance = 0;
};

/// What one box says of ln F of its index at two energies, a < b: their Fisher information, sum over the
/// pixels of w (2 k_a)(2 k_b), and the covariance of what the shot's errors do to their scores.
struct EnergyCoupling {
  std::int32_t row = 0; ///< in the table's first layer
  std::int32_t a = 0, b = 0;
  double information = 0, covariance = 0;
};

struct ShotErrors {
  std::vector<FactorError> of_f;
  std::vector<EnergyCoupling> between; ///< none where the table has one layer
};

/// Of the boxes in use. Where the parameters p of a shot are wrong by dp, the minimum of stage 2 moves by
///     d ln F_h = -(1 / I_h) sum over its boxes of c dp,   c_p = sum w (2 k) (d m / d p)
/// with k the Bragg photons, w the information of a photon and I_h the information of ln F_h over all shots;
/// dp has the inverse of ShotTarget::information() as covariance and is independent between shots, so that
/// a box counts c^T Cov c. A plane of background that is fitted to the same pixels takes from the
/// information I of a box the part v^T M^-1 v, v = sum w (2 k) phi, M = sum w phi phi^T, phi = (1, x, y), and
/// so counts I^2 (1 / (I - v^T M^-1 v) - 1 / I) beside it. k is that of F at its energy.
ShotErrors factor_errors(const ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                         const FactorSphere& sphere, const Stage1Params& params);

/// Variance of ln F of every row that the errors of the shots with `on` cause: sum over their boxes of
/// variance / I_h^2, `information` that of stage 2 of these shots, by row. The same bits on any number of
/// ranks. Collective.
std::vector<double> model_variances(const parallel::Communicator& communicator,
                                    std::span<const ShotErrors> shots,
                                    std::span<const std::uint8_t> on,
                                    std::span<const double> information, std::size_t rows);

} // namespace kilobragg::pixelrefinement
