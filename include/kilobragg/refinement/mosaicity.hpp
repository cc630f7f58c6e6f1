// Mosaic spread and domain size of one still from the delta-psi of its spots (Sauter et al. 2014).
#pragma once

#include "kilobragg/models/lattice.hpp"

#include <span>
#include <vector>

namespace kilobragg::refinement {

struct MosaicityFit {
  models::Mosaicity mosaicity;          ///< as stored in .expt: both widened by 1.4
  models::Mosaicity maximum_likelihood; ///< the fit itself, before that widening
  std::vector<bool> accepted; ///< per spot of the lattice: |delta_psi| < d/D + eta/2 of the fit
};

/// Maximum-likelihood fit of domain size D and full mosaicity eta (Acta Cryst. D70, 3299, eq. 4-8):
/// each |delta_psi| lies under a soft-edged box of half width d/D + eta/2. D is kept in 10 to 1e6
/// angstrom and eta in 1e-8 to 1 rad; where the spots call for none of either, the bound is given.
/// Uses the spots flagged used_in_refinement with finite delta_psi. Throws core::Error with fewer
/// than 4 of them.
MosaicityFit fit_mosaicity(const models::Lattice& lattice);

/// Logarithm of the likelihood that fit_mosaicity() maximises, for spots of spacing d (angstrom) and
/// delta-psi (rad), at a model that is not widened.
double mosaicity_log_likelihood(std::span<const double> d, std::span<const double> delta_psi,
                                const models::Mosaicity& model);

/// Volume (1/angstrom^3) of reciprocal space near the Ewald sphere, out to `d_min` angstrom, in which
/// lattice points diffract; proportional to the number of predictions. DIALS gives it the model
/// before widening (MosaicityFit::maximum_likelihood) and refuses lattices above 0.0025.
double ewald_proximal_volume(const models::Mosaicity& model, double wavelength, double d_min = 2.0);

} // namespace kilobragg::refinement
