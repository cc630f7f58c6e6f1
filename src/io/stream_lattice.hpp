// What CrystFEL calls lattices: their type, centring and unique axis.
#pragma once

#include "kilobragg/models/symmetry.hpp"

#include <string>

namespace kilobragg::io {

struct StreamLattice {
  std::string type;    ///< "tetragonal"
  char centring = 'P'; ///< H for rhombohedral lattices on hexagonal axes
  char unique_axis = '*';
};

/// The cell tells hexagonal from rhombohedral axes.
StreamLattice stream_lattice(const models::SpaceGroup& group, const models::UnitCell& cell);

/// The text between the markers of a stream's unit cell, as in CrystFEL's .cell files.
std::string stream_cell(const models::SpaceGroup& group, const models::UnitCell& cell);

} // namespace kilobragg::io
