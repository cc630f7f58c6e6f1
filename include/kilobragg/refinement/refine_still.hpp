// Refinement of orientation and cell of one still under its lattice symmetry, with outlier rejection.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/lattice.hpp"

namespace kilobragg::refinement {

enum class OutlierAlgorithm { None, SauterPoon };

/// Weight of delta-psi beside x and y. Constant: delpsi_constant for every spot, as DIALS does.
/// Estimated: from the spread that the spots of this still show, by resolution, and from the spread of
/// their x, y; starts from the constant. Estimated weights brought the median orientation error of
/// simulated lysozyme stills from 0.018 to 0.011 deg (docs/indexing.md).
enum class PsiWeighting { Constant, Estimated };

struct RefinementParams {
  double delpsi_constant =
      1e6; ///< weight of delta-psi^2 (rad^-2) beside 1/variance of x, y (mm^-2)
  PsiWeighting psi_weighting = PsiWeighting::Estimated; ///< of the last refinement of a still
  OutlierAlgorithm outlier = OutlierAlgorithm::SauterPoon;
  int max_iterations = 100;
  int min_nref_per_parameter = 1; ///< fewer: the model is not refined (auto_reduction action=fix)
};

/// Refines `lattice.crystal` (orientation and the cell parameters that the lattice symmetry of its
/// space group leaves free) against the indexed spots; updates predictions, flags, rmsds.
/// Spots flagged centroid_outlier on entry stay out. `weighting` overrules nothing but the weight of
/// delta-psi. Throws core::Error when it cannot converge.
void refine_still(models::Lattice& lattice, const models::SpotList& spots, const models::Beam& beam,
                  const models::Detector& detector, const RefinementParams& params,
                  PsiWeighting weighting = PsiWeighting::Constant);

/// As refine_still() with the constant weight of delta-psi, but no spot can pull far: x and y of each
/// are weighed by Student's t distribution (4 degrees of freedom) of its residual length, in units of
/// the scale that rayleigh_scale() finds. For a start from which outliers are told.
void refine_robustly(models::Lattice& lattice, const models::SpotList& spots,
                     const models::Beam& beam, const models::Detector& detector,
                     const RefinementParams& params);

/// Recomputes px_cal, mm_cal, s1_cal, delta_psi of every spot of the lattice from its crystal.
void predict_indexed(models::Lattice& lattice, const models::SpotList& spots,
                     const models::Beam& beam, const models::Detector& detector);

} // namespace kilobragg::refinement
