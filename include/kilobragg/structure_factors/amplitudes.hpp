// Structure-factor amplitudes of a crystal: random (Wilson), from an MTZ, or from coordinates.
#pragma once

#include "kilobragg/models/symmetry.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::structure_factors {

/// |F| of every index of the asymmetric unit of the Laue group (Friedel's law holds: Bijvoet mates
/// are equal), systematic absences left out.
struct Amplitudes {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  std::vector<models::Miller> hkl; ///< in SpaceGroup::to_asu's asymmetric unit, sorted
  std::vector<double> f;           ///< electrons where the source has an absolute scale

  /// |F| of any index, mapped to the asymmetric unit; empty if absent or not in the list.
  std::optional<double> find(const models::Miller& hkl) const;
};

/// What random amplitudes follow.
struct WilsonParams {
  double b_factor = 20;          ///< overall isotropic B (angstrom^2): <F^2> ~ exp(-B / (2 d^2))
  double solvent_fraction = 0.5; ///< of the cell; the rest holds one atom per 18.5 cubic angstrom
  double atom_electrons = 7;     ///< scattering length of the average atom
};

/// Amplitudes with Wilson's statistics (Wilson 1949): F^2 / (epsilon <F^2>) is exponential for acentric
/// and chi-squared with one degree of freedom for centric indices. Each value depends only on seed
/// and index, so a longer list (finer d_min) holds the same numbers. Throws core::Error if the cell
/// contradicts the group or d_min <= 0.
Amplitudes random_wilson(const models::UnitCell& cell, const models::SpaceGroup& group,
                         double d_min, std::uint64_t seed, const WilsonParams& params = {});

/// Amplitudes from an MTZ: column `column` (default: the first of amplitude type, else intensities,
/// of which the root is taken and negative ones become zero). Throws core::Error.
Amplitudes from_mtz(const std::string& path, const std::string& column = {});

/// How coordinates become structure factors; defaults are those of cctbx.xfel.merge.
struct CoordinateParams {
  double d_min = 2;
  double sampling = 1.5; ///< points of the density's grid per d_min / 2; more is exacter and slower
  bool bulk_solvent = true;
  double k_sol = 0.35, b_sol = 46; ///< electrons/angstrom^3, angstrom^2
  double solvent_radius = 1.11,
         shrink_radius = 0.9;           ///< angstrom; flat mask (Jiang and Bruenger 1994)
  std::optional<models::UnitCell> cell; ///< in place of the file's
  std::optional<models::SpaceGroup> space_group;
};

/// Amplitudes from the coordinates of a PDB or mmCIF file, gzipped or not: electron density on a grid,
/// IT92 form factors, FFT, flat bulk solvent. Without anomalous scattering (spectral_amplitudes.hpp
/// has it). Of several models the first is taken. Throws core::Error naming the file.
Amplitudes from_coordinates(const std::string& path, const CoordinateParams& params);

} // namespace kilobragg::structure_factors
