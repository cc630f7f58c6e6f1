// Units and physical constants: mm on detectors, angstrom in crystals, radians inside the code.
#pragma once

#include <numbers>

namespace kilobragg::core {

inline constexpr double pi = std::numbers::pi;
inline constexpr double degree = pi / 180;                ///< rad per degree
inline constexpr double ev_angstrom = 12398.419843320026; ///< h c in eV * angstrom (CODATA 2018)

} // namespace kilobragg::core
