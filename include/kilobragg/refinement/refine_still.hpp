// Refinement of orientation and cell of one still under its lattice symmetry, with outlier rejection.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/lattice.hpp"

namespace kilobragg::refinement {

enum class OutlierAlgorithm { None, SauterPoon };

struct RefinementParams {
  double delpsi_constant =
      1e6; ///< weight of delta-psi^2 (rad^-2) beside 1/variance of x, y (mm^-2)
  OutlierAlgorithm outlier = OutlierAlgorithm::SauterPoon;
  int max_iterations = 100;
  int min_nref_per_parameter = 1; ///< fewer: the model is not refined (auto_reduction action=fix)
};

/// Refines `lattice.crystal` (orientation and the cell parameters that the lattice symmetry of its
/// space group leaves free) against the indexed spots; updates predictions, flags, rmsds.
/// Spots flagged centroid_outlier on entry stay out. Throws core::Error when it cannot converge.
void refine_still(models::Lattice& lattice, const models::SpotList& spots, const models::Beam& beam,
                  const models::Detector& detector, const RefinementParams& params);

/// Recomputes px_cal, mm_cal, s1_cal, delta_psi of every spot of the lattice from its crystal.
void predict_indexed(models::Lattice& lattice, const models::SpotList& spots,
                     const models::Beam& beam, const models::Detector& detector);

} // namespace kilobragg::refinement
