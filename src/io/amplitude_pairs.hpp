// Values of rows in any asymmetric unit, gathered into Bijvoet pairs in ours.
#pragma once

#include "kilobragg/io/reference_amplitudes.hpp"

namespace kilobragg::io {

/// One row of a reflection file: intensities (or squared amplitudes), NaN where there is none.
struct PairedRow {
  models::Miller hkl;
  double plus = 0, minus = 0;
};

/// Fills hkl, plus, minus and apart of `result`, whose space_group is set. With `pairs` the rows hold
/// both mates; otherwise `plus` alone, and mates are apart only if some acentric index comes both as
/// itself and as its inverse. Equal indices are averaged.
void gather_pairs(const std::vector<PairedRow>& rows, bool pairs, ReferenceAmplitudes& result);

} // namespace kilobragg::io
