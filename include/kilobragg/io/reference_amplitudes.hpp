// Amplitudes of reflection files (MTZ, mmCIF) with Bijvoet mates apart.
#pragma once

#include "kilobragg/models/symmetry.hpp"

#include <string>
#include <vector>

namespace kilobragg::io {

struct CifBlock;

/// |F| of both Bijvoet mates of every index that a file holds. F(+) is that of the index itself, F(-)
/// that of its inverse; a file that lists an index outside our asymmetric unit has them the other way
/// round, which is undone here. Of centric indices both are the mean of what the file has.
struct ReferenceAmplitudes {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  double wavelength = 0;           ///< angstrom; 0 = not in the file
  std::vector<models::Miller> hkl; ///< in SpaceGroup::to_asu's asymmetric unit, sorted
  std::vector<double> plus, minus; ///< in the file's units; NaN where it has only the other mate
  /// Standard errors of these, from an MTZ's; NaN where there is none, or where the amplitude is zero.
  std::vector<double> sigma_plus, sigma_minus;
  bool apart = false; ///< the file tells mates apart; otherwise plus = minus
  std::string column; ///< what was read, "F(+), F(-)"
};

/// Whether the file is a CIF with reflections (and not with atoms). Throws core::Error if unreadable.
bool cif_holds_reflections(const std::string& path);

/// From a merged MTZ. `column` is an amplitude or intensity column; with "(+)" or "(-)" in its label,
/// its mate is read too. Default: the first pair of types G, else of K, else of F, else of J.
/// Intensities give their roots, negative ones zero. Throws core::Error.
ReferenceAmplitudes read_amplitudes_mtz(const std::string& path, const std::string& column = {});

/// From the _refln table of an mmCIF file, gzipped or not. `column` is an item without "_refln.";
/// default: the first that is there of pdbx_F_plus, pdbx_I_plus (with their minus), F_meas_au, F_meas,
/// intensity_meas, F_squared_meas, F_calc_au, F_calc. Rows with status "x" (rejected) or "-" (absent)
/// are left out. A table of single values that lists h and -h of an acentric index in rows of their
/// own tells mates apart too. Throws core::Error.
ReferenceAmplitudes read_amplitudes_cif(const std::string& path, const std::string& column = {});

} // namespace kilobragg::io
