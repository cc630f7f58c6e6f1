// Merged MTZ files through gemmi: amplitudes in, merged intensities out.
#pragma once

#include "kilobragg/models/symmetry.hpp"

#include <string>
#include <vector>

namespace kilobragg::io {

/// One merged index. With anomalous kept apart, plus and minus are separate; otherwise only mean.
struct MergedReflection {
  models::Miller hkl;
  double i_mean = 0, sigma_mean = 0;
  int multiplicity = 0;
  bool has_plus = false, has_minus = false;
  double i_plus = 0, sigma_plus = 0, i_minus = 0, sigma_minus = 0;
};

struct MergedMtz {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  double wavelength = 0; ///< angstrom
  std::string title;
  std::vector<std::string> history;          ///< only what inputs and options determine
  std::vector<MergedReflection> reflections; ///< sorted by index
  bool anomalous = true;
};

/// Writes IMEAN SIGIMEAN [N] and, if anomalous, I(+) SIGI(+) I(-) SIGI(-). Same input, same bytes.
void write_merged_mtz(const MergedMtz& data, const std::string& path);

/// Intensities by index from an MTZ: from the amplitude column `column` squared (default: the first
/// of type F) or from an intensity column. Bijvoet mates are averaged. Throws core::Error.
struct ReferenceIntensities {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  std::vector<models::Miller> hkl; ///< in the asymmetric unit, sorted
  std::vector<double> intensity, sigma;
};
ReferenceIntensities read_reference_mtz(const std::string& path, const std::string& column = {});

/// Writes amplitudes F (and PHI if given) over the asymmetric unit; used for true F of simulations.
void write_amplitudes_mtz(const models::UnitCell& cell, const models::SpaceGroup& group,
                          double wavelength, const std::vector<models::Miller>& hkl,
                          const std::vector<double>& f, const std::string& path);

/// The same with Bijvoet mates apart: F (root of the mean square of the mates), F(+), F(-).
void write_amplitude_pairs_mtz(const models::UnitCell& cell, const models::SpaceGroup& group,
                               double wavelength, const std::vector<models::Miller>& hkl,
                               const std::vector<double>& plus, const std::vector<double>& minus,
                               const std::string& path);

} // namespace kilobragg::io
