// Units as NeXus files write them: lengths in mm, angles in rad, wavelengths in angstrom.
#pragma once

#include <optional>
#include <string>

namespace kilobragg::io {

/// Factor from `unit` to millimetres, radians, angstrom or electronvolts; none for other units.
std::optional<double> millimetres_per(const std::string& unit);
std::optional<double> radians_per(const std::string& unit);
std::optional<double> angstroms_per(const std::string& unit);
std::optional<double> electronvolts_per(const std::string& unit);

} // namespace kilobragg::io
