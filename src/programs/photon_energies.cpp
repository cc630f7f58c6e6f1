// Words to energies.
#include "photon_energies.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace kilobragg::programs {

std::vector<double> parse_energies(const std::string& text, const std::string& option) {
  std::vector<double> energies;
  std::string words = text;
  std::replace(words.begin(), words.end(), ',', ' ');
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    char* end = nullptr;
    const double energy = std::strtod(word.c_str(), &end);
    core::require(*end == 0 && energy > 0 && std::isfinite(energy),
                  "{}={} cannot be ('{}' is no photon energy in eV)", option, text, word);
    energies.push_back(energy);
  }
  return energies;
}

} // namespace kilobragg::programs
