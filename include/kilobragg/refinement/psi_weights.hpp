// What the delta-psi of a still's spots tell: how widely each is spread, and why.
#pragma once

#include "kilobragg/models/psi_spread.hpp"

#include <span>

namespace kilobragg::refinement {

/// What a fit of PsiSpread needs of one spot.
struct PsiObservation {
  double d = 0, theta = 0; ///< angstrom, rad
  double delta_psi = 0;    ///< rad
  double excess = 0;       ///< observed minus predicted scattering angle, without lean (rad)
};

/// Alpha and beta by Gaussian maximum likelihood on delta_psi, bandwidth by least squares of `excess`
/// on delta_psi, in turn until they agree; bandwidth is 0 unless it explains a fifth of the variance of
/// `excess`, since errors of geometry also correlate a little. All are >= 0, and at least one spread is > 0.
models::PsiSpread fit_psi_spread(std::span<const PsiObservation> spots);

} // namespace kilobragg::refinement
