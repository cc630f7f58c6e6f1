// What the delta-psi of a still's spots tell: how widely each is spread, and why.
#pragma once

#include "kilobragg/models/psi_spread.hpp"

#include <span>
#include <vector>

namespace kilobragg::refinement {

/// What a fit of PsiSpread needs of one spot.
struct PsiObservation {
  double d = 0, theta = 0; ///< angstrom, rad
  double delta_psi = 0;    ///< rad
  double excess = 0;       ///< observed minus predicted scattering angle, without lean (rad)
  double sharpness = 1;    ///< its variance is variance(d, theta) / sharpness
};

/// Alpha and beta by Gaussian maximum likelihood on delta_psi, bandwidth by least squares of `excess`
/// on delta_psi, in turn until they agree; bandwidth is 0 unless it explains a fifth of the variance of
/// `excess`, since errors of geometry also correlate a little. All are >= 0, and at least one spread is > 0.
models::PsiSpread fit_psi_spread(std::span<const PsiObservation> spots);

/// How much narrower than typical a spot's delta-psi is distributed, judged by its intensity. The
/// rocking curve dims a spot that is far from the Ewald sphere, so one that is bright for its
/// resolution is near it: sqrt(I / I_typical(d)), with ln I_typical linear in 1/d^2, kept within
/// 1/4 to 4. Same order as the input.
std::vector<double> psi_sharpness(std::span<const double> d, std::span<const double> intensity);

} // namespace kilobragg::refinement
