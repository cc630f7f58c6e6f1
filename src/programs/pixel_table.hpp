// The table of structure factors that refinement against pixels begins with, and its errors at the end.
#pragma once

#include "merge_output.hpp"

#include "kilobragg/pixelrefinement/refine_factors.hpp"

#include <vector>

namespace kilobragg::programs {

/// All indices to d_min. F is the root of the merged I where that exceeds a tenth of the mean of its
/// shell, with the merge's sigma (ln F known to 3 % at best, to 80 % at worst); else the root of the mean,
/// known to 60 %.
pixelrefinement::FactorTable first_table(const std::vector<merging::MergedIndex>& merged,
                                         const OutputFrame& frame, double d_min,
                                         bool merge_anomalous);
/// The same from known amplitudes.
pixelrefinement::FactorTable first_table(const pixelrefinement::FactorTable& known,
                                         const OutputFrame& frame, double d_min,
                                         bool merge_anomalous);

/// Puts the F of a refinement into the table. Rows that no pixel saw become the mean of their shell.
void take_factors(pixelrefinement::FactorTable& table,
                  const pixelrefinement::FactorRefinement& refined,
                  const std::vector<double>& mean);

/// Sets sigma of the rows that were measured: sigma(ln F)^2 = variance phi, with `variance` that of
/// likelihood, priors and errors of shots (by row; 1/information + v where rows stand alone), v that which
/// errors of shots and backgrounds cause (`model_variance`), phi >= 1 what squared scores of the
/// shots exceed these by (sandwich estimate), one number for each shell, with n/(n-1) for an index seen in n
/// shots.
void set_sigmas(pixelrefinement::FactorTable& table,
                const pixelrefinement::FactorRefinement& refined,
                const std::vector<double>& variance, const std::vector<double>& model_variance);

} // namespace kilobragg::programs
