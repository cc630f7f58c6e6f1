// Mosaic spread and domain size of one still from the delta-psi of its spots (Sauter et al. 2014).
#pragma once

#include "kilobragg/models/lattice.hpp"

namespace kilobragg::refinement {

struct MosaicityFit {
  models::Mosaicity mosaicity; ///< as stored in .expt: both expanded by 1.4
  std::vector<bool> accepted;  ///< per spot of the lattice: |delta_psi| < d/D + eta/2 (unexpanded)
};

/// Maximum-likelihood fit of domain size and full mosaicity eta (Acta Cryst. D70, 3299, eq. 4-8).
/// Uses the spots flagged used_in_refinement. Throws core::Error with fewer than 4 of them.
MosaicityFit fit_mosaicity(const models::Lattice& lattice);

} // namespace kilobragg::refinement
