// Flags that set reflections apart for cross-validation: read from an MTZ, carried over, or made.
#pragma once

#include "kilobragg/models/symmetry.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Flags as a file has them: which value means "free" is the file's custom (CCP4: 0; Phenix: 1).
struct FreeFlags {
  models::SpaceGroup space_group;  ///< in whose asymmetric unit the indices are
  std::vector<models::Miller> hkl; ///< sorted, each once
  std::vector<int> flag;
  std::string column;
};

/// Flags from column `column` of a merged MTZ (default: FreeR_flag, FREE, R-free-flags and their like, in
/// any case of letters), with indices mapped to the asymmetric unit of `group`, Bijvoet mates alike.
/// Throws core::Error if there is no such column, a flag is not a whole number of at least 0, the file's
/// symmetry has another Laue group or lattice, or equivalent indices have different flags.
FreeFlags read_free_flags_mtz(const std::string& path, const models::SpaceGroup& group,
                              const std::string& column = {});

/// Flags for a list of indices.
struct CarriedFlags {
  std::vector<int> flag; ///< by index; -1 = the source has none
  std::int64_t missing = 0;
};

/// `hkl` are any indices; each gets the flag of its equivalent.
CarriedFlags carry_over(const FreeFlags& flags, std::span<const models::Miller> hkl);

/// A flag from 0 to n - 1 as CCP4 has them, n = round(1 / fraction), of which 0 is free: a hash of the
/// index in the asymmetric unit of `group`, so that it depends on nothing else and mates have the same.
/// Throws core::Error unless 0 < fraction <= 0.5.
int made_free_flag(const models::SpaceGroup& group, const models::Miller& hkl,
                   double fraction = 0.05);

} // namespace kilobragg::io
