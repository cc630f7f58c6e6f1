// Lists of photon energies among the options of several programs.
#pragma once

#include <string>
#include <vector>

namespace kilobragg::programs {

/// Numbers above zero, separated by commas or spaces (eV); none for an empty text. Throws core::Error naming
/// `option`.
std::vector<double> parse_energies(const std::string& text, const std::string& option);

} // namespace kilobragg::programs
