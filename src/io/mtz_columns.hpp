// Finds the columns of an MTZ that hold one quantity: its values, sigmas and Bijvoet mates.
#pragma once

#include <gemmi/mtz.hpp>

#include <string>
#include <vector>

namespace kilobragg::io {

/// Columns of one quantity, or of its two Bijvoet mates, plus first.
struct Quantity {
  struct Pair {
    const gemmi::Mtz::Column* value = nullptr;
    const gemmi::Mtz::Column* sigma = nullptr; ///< null if there is none
  };
  std::vector<Pair> mates;
  bool amplitude = false; ///< to be squared
};

/// "H (H), K (H), ..." for errors.
std::string labels_of(const gemmi::Mtz& mtz);

/// A merged MTZ with a known space group. Throws core::Error.
gemmi::Mtz load_merged_mtz(const std::string& path);

/// The column `label` and its mate; without label the first column of the first type in `types` that
/// the file has. Throws core::Error naming the columns that there are.
Quantity choose_quantity(const gemmi::Mtz& mtz, const std::string& label, const std::string& types,
                         const std::string& path);

} // namespace kilobragg::io
