// Structure factors between files and refinement: tables from reference amplitudes, rows of an MTZ.
#pragma once

#include "kilobragg/io/factors_mtz.hpp"
#include "kilobragg/io/reference_amplitudes.hpp"
#include "kilobragg/pixelrefinement/factor_table.hpp"

#include <cstdint>
#include <span>
#include <string>
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

/// How far the cell of a file may be from the one that it is used with.
struct CellTolerance {
  double length = 0.05; ///< relative
  double angle = 3;     ///< degrees
};
/// Throws core::Error naming `file` and `option` unless the table has the Patterson group of `group` and a
/// cell like `cell`; `of` says whose these are. Amplitudes of another crystal would be compared index by
/// index with what they are not.
void require_crystal(const pixelrefinement::FactorTable& table, const std::string& file,
                     const std::string& option, const models::UnitCell& cell,
                     const models::SpaceGroup& group, const std::string& of,
                     const CellTolerance& tolerance = {});

} // namespace kilobragg::programs
