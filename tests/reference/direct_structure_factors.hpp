// Structure factors by the textbook sum over all atoms and symmetry operations, index by index.
#pragma once

#include "kilobragg/core/units.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <gemmi/it92.hpp>

#include <cmath>
#include <complex>
#include <map>
#include <string>
#include <vector>

namespace kilobragg::testing {

struct DirectAtom {
  std::string element;
  double x, y, z; ///< fractional
  double b;       ///< square angstrom
  double occupancy = 1;
};

struct DirectStructure {
  models::UnitCell cell;
  models::SpaceGroup group;
  std::vector<DirectAtom> atoms;
};

/// f' + i f'' by element; elements that are not there have none.
using DirectDispersion = std::map<std::string, std::complex<double>>;

inline double direct_phase(const models::SymmetryOperation& op, const models::Miller& hkl,
                           const DirectAtom& atom) {
  const double x[3] = {atom.x, atom.y, atom.z};
  const int h[3] = {hkl.h, hkl.k, hkl.l};
  double turns = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    double position = op.translation[i] / 24.0;
    for (std::size_t j = 0; j < 3; ++j) position += op.rotation[3 * i + j] * x[j];
    turns += h[i] * position;
  }
  return 2 * core::pi * turns;
}

/// Sum of weight(atom) * occupancy * exp(-B / (4 d^2)) * exp(2 pi i h x) over the cell.
template <typename Weight>
std::complex<double> direct_weighted_sum(const DirectStructure& structure,
                                         const models::Miller& hkl, const Weight& weight) {
  const double inv_d2 = 1 / std::pow(structure.cell.d(hkl), 2);
  std::complex<double> sum;
  for (const DirectAtom& atom : structure.atoms) {
    const std::complex<double> f =
        weight(atom, inv_d2) * (atom.occupancy * std::exp(-atom.b * inv_d2 / 4));
    for (const auto& op : structure.group.operations())
      sum += f * std::polar(1.0, direct_phase(op, hkl, atom));
  }
  return sum;
}

inline double direct_form_factor(const DirectAtom& atom, double inv_d2) {
  gemmi::IT92<double>::Coef& table =
      gemmi::IT92<double>::data[static_cast<int>(gemmi::Element(atom.element).elem)];
  return table.calculate_sf(inv_d2 / 4);
}

/// F of any index, in the asymmetric unit or not.
inline std::complex<double> direct_factor(const DirectStructure& structure,
                                          const models::Miller& hkl,
                                          const DirectDispersion& dispersion = {}) {
  return direct_weighted_sum(
      structure, hkl, [&](const DirectAtom& atom, double inv_d2) -> std::complex<double> {
        const auto at = dispersion.find(atom.element);
        return direct_form_factor(atom, inv_d2) +
               (at == dispersion.end() ? std::complex<double>() : at->second);
      });
}

/// Exact parts of a structure with one anomalous scatterer.
inline structure_factors::ScatteringParts direct_parts(const DirectStructure& structure,
                                                       double d_min, const std::string& element) {
  structure_factors::ScatteringParts parts;
  parts.cell = structure.cell;
  parts.space_group = structure.group;
  parts.hkl = structure.group.unique_indices(structure.cell, d_min);
  parts.elements.push_back({element, {}});
  for (const models::Miller& hkl : parts.hkl) {
    parts.normal.push_back(direct_factor(structure, hkl));
    parts.elements[0].sum.push_back(
        direct_weighted_sum(structure, hkl, [&](const DirectAtom& atom, double) {
          return std::complex<double>(atom.element == element ? 1.0 : 0.0);
        }));
  }
  return parts;
}

} // namespace kilobragg::testing
