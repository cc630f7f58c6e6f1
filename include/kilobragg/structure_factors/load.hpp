// Amplitudes from whichever kind of file a user gives.
#pragma once

#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <string>
#include <vector>

namespace kilobragg::structure_factors {

/// What to make of a file of reflections or coordinates.
struct LoadParams {
  std::string column;                ///< of an MTZ, or item of _refln; empty = the first that fits
  bool anomalous = false;            ///< keep Bijvoet mates apart
  std::vector<double> energies;      ///< eV; with `anomalous` and coordinates, one layer each
  std::vector<std::string> elements; ///< anomalous scatterers; empty = all but hydrogen
  DispersionSource dispersion;
  CoordinateParams coordinates;
};

/// Whether a file is one of reflections (MTZ, mmCIF with _refln) rather than coordinates. Throws
/// core::Error if it is a CIF that cannot be read.
bool holds_reflections(const std::string& path);

/// From an MTZ, a reflection mmCIF or coordinates (PDB, mmCIF), told apart by name and content; .gz
/// too, but for MTZ. Where a reflection file lacks one Bijvoet mate the other stands for it. Files of
/// reflections have amplitudes at one energy, so `energies` may name one at most; with `anomalous`
/// they must tell mates apart. Throws core::Error.
SpectralAmplitudes load_amplitudes(const std::string& path, const LoadParams& params = {});

} // namespace kilobragg::structure_factors
