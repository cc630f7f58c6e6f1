// Structure factors between files and refinement: tables from reference amplitudes, rows of an MTZ.
#pragma once

#include "kilobragg/io/factors_mtz.hpp"
#include "kilobragg/io/reference_amplitudes.hpp"
#include "kilobragg/pixelrefinement/factor_table.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace kilobragg::programs {

/// A table of what a file holds, mates apart if the file tells them apart: all rows measured, sigma that of
/// ln F, 1 where the file has none; amplitudes that are not positive are left out.
pixelrefinement::FactorTable table_of(const io::ReferenceAmplitudes& amplitudes);

/// Rows of an MTZ, one per index: sigma F is F sigma(ln F); amplitudes that were not measured are missing.
/// `observations` and `priors` are by row of the table; either may be empty. An index's prior is the root of
/// the mean square of its mates'.
std::vector<io::FactorRow> rows_of(const pixelrefinement::FactorTable& table,
                                   std::span<const std::int64_t> observations,
                                   std::span<const double> priors);

} // namespace kilobragg::programs
