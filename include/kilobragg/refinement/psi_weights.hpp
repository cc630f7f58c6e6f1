// What the delta-psi of a still's spots tell: how widely each is spread, and why.
#pragma once

#include <span>
#include <vector>

namespace kilobragg::refinement {

/// Spread of delta-psi from three causes that add in variance: finite domains, mosaic blocks, bandwidth.
struct PsiSpread {
  double alpha = 0;     ///< of domains: rad per angstrom of d
  double beta = 0;      ///< of mosaic blocks and divergence: rad
  double bandwidth = 0; ///< of wavelengths, sigma / mean: rad per tan(theta)

  /// Variance (rad^2) for spacing d (angstrom) and Bragg angle theta (rad).
  double variance(double d, double theta) const;
  /// Change of the scattering angle per delta-psi (kernels/geometry/leaning_ray.hpp): each cause takes
  /// its share of delta-psi in proportion to its variance, and only wavelengths move the ray, by 2.
  double lean(double d, double theta) const;
};

/// What a fit of PsiSpread needs of one spot.
struct PsiObservation {
  double d = 0, theta = 0; ///< angstrom, rad
  double delta_psi = 0;    ///< rad
  double excess = 0;       ///< observed minus predicted scattering angle, without lean (rad)
  double sharpness = 1;    ///< its variance is variance(d, theta) / sharpness
};

/// Alpha and beta by Gaussian maximum likelihood on delta_psi, bandwidth by least squares of `excess`
/// on delta_psi, in turn until they agree. All are >= 0, and at least one spread is > 0.
PsiSpread fit_psi_spread(std::span<const PsiObservation> spots);

/// How much narrower than typical a spot's delta-psi is distributed, judged by its intensity. The
/// rocking curve dims a spot that is far from the Ewald sphere, so one that is bright for its
/// resolution is near it: sqrt(I / I_typical(d)), with ln I_typical linear in 1/d^2, kept within
/// 1/4 to 4. Same order as the input.
std::vector<double> psi_sharpness(std::span<const double> d, std::span<const double> intensity);

} // namespace kilobragg::refinement
