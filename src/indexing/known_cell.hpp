// What the indexer precomputes from the known cell and space group.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include "kilobragg/models/symmetry.hpp"
#include "kilobragg/refinement/cell_freedom.hpp"

#include <array>
#include <vector>

namespace kilobragg::indexing {

/// The cell in a reference orientation, with its three shortest lattice vectors.
struct KnownCell {
  models::UnitCell cell; ///< with the constraints of the crystal system imposed
  models::SpaceGroup group;
  refinement::CellFreedom freedom;
  Mat3 reference_a;         ///< B: the cell unrotated
  Mat3 primitive;           ///< rows: shortest primitive vectors in fractions of a, b, c
  Mat3 to_conventional;     ///< its inverse: conventional index = this * primitive index
  std::array<Vec3, 3> axes; ///< primitive vectors unrotated (angstrom), by length
  std::array<bool, 3>
      two_sided; ///< per axis: no lattice rotation turns it over, so try both senses
  std::array<int, 3> fold{1, 1, 1}; ///< per axis: order of the lattice's rotation about it
  double volume = 0;                ///< of the primitive cell (angstrom^3)
  /// Proper rotations of the lattice, acting on fractional coordinates.
  std::vector<std::array<int, 9>> rotations;
  /// Rotations that the metric nearly allows but the lattice does not have; orientations that they
  /// relate are hard to tell apart and are compared explicitly.
  std::vector<std::array<int, 9>> pseudo_symmetry;

  /// Throws core::Error naming cell and space group when they contradict each other.
  KnownCell(const models::UnitCell& unit_cell, const models::SpaceGroup& space_group);
};

} // namespace kilobragg::indexing
