// What is known of F at one energy where the F of other energies light the same pixels.
#pragma once

#include "kilobragg/pixelrefinement/factor_errors.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Variance of ln F of every row, those of its index at the other energies being free: the diagonal of
///     J^-1 + J^-1 S J^-1
/// with J their information matrix, which has `information` on its diagonal, and beside it the couplings of
/// the shots with `on` and those of FactorPriors::energy_sigma; S the covariance of what the errors of these
/// shots do to their scores, whose diagonal is `model_variance` information^2. Where there is one layer this
/// is 1 / information + model_variance. The same bits on any number of ranks. Collective.
std::vector<double> energy_variances(const parallel::Communicator& communicator,
                                     std::span<const ShotErrors> shots,
                                     std::span<const std::uint8_t> on,
                                     std::span<const double> information,
                                     std::span<const double> model_variance,
                                     const FactorTable& table, double energy_sigma);

} // namespace kilobragg::pixelrefinement
