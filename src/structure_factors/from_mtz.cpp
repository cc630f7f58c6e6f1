// Amplitudes from the columns of an MTZ.
#include "kilobragg/io/mtz.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::structure_factors {

Amplitudes from_mtz(const std::string& path, const std::string& column) {
  io::ReferenceIntensities reference = io::read_reference_mtz(path, column);
  Amplitudes result{reference.cell, reference.space_group, std::move(reference.hkl), {}};
  result.f.reserve(reference.intensity.size());
  for (const double intensity : reference.intensity)
    result.f.push_back(std::sqrt(std::max(0.0, intensity)));
  return result;
}

} // namespace kilobragg::structure_factors
