// A crystal in one shot: orientation and cell as the matrix A = U B, symmetry, mosaicity.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include "kilobragg/models/symmetry.hpp"

#include <optional>

namespace kilobragg::models {

/// Spread of the lattice as Sauter et al. (2014) describe it.
struct Mosaicity {
  double half_mosaicity_deg = 0;   ///< half of the full angular spread eta (deg)
  double domain_size_angstrom = 0; ///< coherent block size D
};

struct Crystal {
  Mat3 a_matrix;          ///< A: columns a*, b*, c* in the laboratory (1/angstrom); q = A h
  SpaceGroup space_group; ///< the true group where it is known, not the Patterson group
  std::optional<Mosaicity> mosaicity;

  static Crystal from_cell(const UnitCell& cell, const Mat3& u, const SpaceGroup& group);
  static Crystal from_real_space(const Vec3& a, const Vec3& b, const Vec3& c, const SpaceGroup&);
  /// Rows are the real axes a, b, c in the laboratory (angstrom): the inverse of A.
  Mat3 real_space() const { return inverse(a_matrix); }
  UnitCell unit_cell() const;
  /// U with A = U B and B = unit_cell().b_matrix().
  Mat3 u_matrix() const;
  Vec3 q(const Miller& hkl) const {
    return a_matrix * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)};
  }
};

/// Rotation part (polar decomposition) between two orientations of like cells: the angle (deg) of
/// R with A1 ~ R A2, smallest over the index changes h' = h R_i given by `rotations`.
double misorientation_deg(const Mat3& a1, const Mat3& a2,
                          const std::vector<std::array<int, 9>>& rotations);

} // namespace kilobragg::models
