// Values of rows in any asymmetric unit, gathered into Bijvoet pairs in ours.
#pragma once

#include "kilobragg/io/reference_amplitudes.hpp"

#include <limits>

namespace kilobragg::io {

/// An intensity (or a squared amplitude) and its variance, NaN where there is none.
struct RowValue {
  double intensity = 0;
  double variance = std::numeric_limits<double>::quiet_NaN();
};

/// One row of a reflection file.
struct PairedRow {
  models::Miller hkl;
  RowValue plus, minus;
};

/// Fills hkl, plus, minus, their sigmas and apart of `result`, whose space_group is set. With `pairs` the rows hold
/// both mates; otherwise `plus` alone, and mates are apart only if some acentric index comes both as
/// itself and as its inverse. Equal indices are averaged.
void gather_pairs(const std::vector<PairedRow>& rows, bool pairs, ReferenceAmplitudes& result);

} // namespace kilobragg::io
