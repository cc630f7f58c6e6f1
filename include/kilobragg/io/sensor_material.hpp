// How strongly the sensors of detectors absorb X-rays, for the parallax of spots.
#pragma once

#include <optional>
#include <string>

namespace kilobragg::io {

/// Linear attenuation coefficient (1/mm) of a sensor material ("Si", "Silicon", "CdTe", "GaAs") at
/// `wavelength` (angstrom), from the mass attenuation coefficients of Hubbell and Seltzer (NIST
/// Standard Reference Database 126), interpolated in logarithms as dxtbx does. None for materials
/// that are not known and outside 2 to 100 keV.
std::optional<double> attenuation_per_mm(const std::string& material, double wavelength);

/// The name that dxtbx uses ("Si" for "Silicon"), or the name as it is.
std::string canonical_material(const std::string& material);

} // namespace kilobragg::io
