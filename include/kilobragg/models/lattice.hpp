// A refined lattice of one shot: its crystal, its spots and how well they agree.
#pragma once

#include "kilobragg/models/crystal.hpp"
#include "kilobragg/models/psi_spread.hpp"
#include "kilobragg/models/reflections.hpp"

#include <vector>

namespace kilobragg::models {

struct Lattice {
  Crystal crystal;                ///< refined; mosaicity set once fitted
  std::vector<IndexedSpot> spots; ///< sorted by spot; at most one spot per index
  PsiSpread psi_spread;           ///< zero until estimated; its bandwidth moves predicted rays
  double rmsd_px = 0;      ///< sqrt(mean(dx^2 + dy^2)) over the spots used in refinement (px)
  double rmsd_psi_deg = 0; ///< sqrt(mean(delta_psi^2)) (deg)
  double sigma_b_deg = 0;  ///< beam divergence + spot size (deg), 0 until measured
};

} // namespace kilobragg::models
