// Lists of shots and spectrum files as users of diffBragg have them.
#pragma once

#include "kilobragg/models/beam.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kilobragg::io {

/// One line of a list (hopper's exp_ref_spec_file).
struct ListedShot {
  std::string experiments, reflections; ///< paths of an .expt and a .refl
  std::string spectrum = {};            ///< path of a spectrum file; empty = none
  /// Which of the .expt's, from 0; where a line names none hopper takes the first.
  std::optional<int> experiment = {};
  int line = 0; ///< of the list, from 1
};

/// Reads lines "experiment.expt reflections.refl [spectrum.lam | None] [exp_idx]", split at blanks; the two
/// that may be left out come in either order, exp_idx being the one that is a whole number. '#' begins a
/// comment. Relative paths are relative to the list's folder. Throws core::Error naming list and line if a
/// line has another form or a file is not there, and if the list holds no shot.
std::vector<ListedShot> read_shot_list(const std::string& path);

/// Reads a spectrum: a wavelength (angstrom) and a weight per line, divided by a comma or blanks, '#' begins
/// a comment. The first line may be a heading without '#'. (hopper skips the first line whatever it is: a
/// file that begins with numbers has one channel more here.) Throws core::Error naming file and line for
/// anything else, for wavelengths that are not positive, for negative weights and if no weight is positive.
models::Spectrum read_spectrum(const std::string& path);

} // namespace kilobragg::io
