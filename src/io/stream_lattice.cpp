// Lattice types of space groups in CrystFEL's words.
#include "stream_lattice.hpp"

#include <fmt/format.h>

#include <cmath>

namespace kilobragg::io {
namespace {

using models::CrystalSystem;

/// The axis that the rotation or the mirror of a monoclinic group leaves alone: its entry on the
/// diagonal has another sign than the other two.
char monoclinic_axis(const models::SpaceGroup& group) {
  for (const auto& operation : group.operations()) {
    const auto& r = operation.rotation;
    if (r[4] == r[8] && r[0] == -r[4]) return 'a';
    if (r[0] == r[8] && r[4] == -r[0]) return 'b';
    if (r[0] == r[4] && r[8] == -r[0]) return 'c';
  }
  return 'b';
}

StreamLattice trigonal(const models::SpaceGroup& group, const models::UnitCell& cell) {
  if (group.hm().front() != 'R') return {"hexagonal", 'P', 'c'};
  const bool hexagonal_axes = std::abs(cell.gamma - 120) < std::abs(cell.gamma - cell.alpha);
  if (hexagonal_axes) return {"hexagonal", 'H', 'c'};
  return {"rhombohedral", 'R', '*'};
}

} // namespace

StreamLattice stream_lattice(const models::SpaceGroup& group, const models::UnitCell& cell) {
  const char centring = group.centring();
  switch (group.crystal_system()) {
  case CrystalSystem::Triclinic:
    return {"triclinic", centring, '*'};
  case CrystalSystem::Monoclinic:
    return {"monoclinic", centring, monoclinic_axis(group)};
  case CrystalSystem::Orthorhombic:
    return {"orthorhombic", centring, '*'};
  case CrystalSystem::Tetragonal:
    return {"tetragonal", centring, 'c'};
  case CrystalSystem::Trigonal:
    return trigonal(group, cell);
  case CrystalSystem::Hexagonal:
    return {"hexagonal", centring, 'c'};
  case CrystalSystem::Cubic:
    break;
  }
  return {"cubic", centring, '*'};
}

std::string stream_cell(const models::SpaceGroup& group, const models::UnitCell& cell) {
  const StreamLattice lattice = stream_lattice(group, cell);
  std::string text =
      fmt::format("CrystFEL unit cell file version 1.0\n\nlattice_type = {}\n", lattice.type);
  if (lattice.unique_axis != '*') text += fmt::format("unique_axis = {}\n", lattice.unique_axis);
  return text + fmt::format("centering = {}\na = {:.4f} A\nb = {:.4f} A\nc = {:.4f} A\n"
                            "al = {:.4f} deg\nbe = {:.4f} deg\nga = {:.4f} deg\n",
                            lattice.centring, cell.a, cell.b, cell.c, cell.alpha, cell.beta,
                            cell.gamma);
}

} // namespace kilobragg::io
