// Which changes of the unit cell a space group allows, as strains of the matrix A.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include "kilobragg/models/symmetry.hpp"

#include <vector>

namespace kilobragg::refinement {

/// The changes of the reciprocal metrical matrix G = A^T A (1/angstrom^2) that every rotation R of
/// the group leaves in place: R G R^T = G, since an index changes as h' = h R. Works in any setting
/// because it asks the operations, not the name of the crystal system.
class CellFreedom {
public:
  explicit CellFreedom(const models::SpaceGroup& group);

  /// Number of independent cell parameters: 6 triclinic, 4, 3, 2, 1 cubic.
  int count() const { return static_cast<int>(basis_.size()); }
  /// G averaged over the group.
  Mat3 symmetrised_metric(const Mat3& metric) const;
  /// The matrix nearest to `a` in orientation (polar decomposition) whose metric obeys the group.
  Mat3 symmetrised(const Mat3& a) const;
  /// Symmetric strains E_k with A -> (1 + sum p_k E_k) A: dG = A^T (E + E) A spans what the group
  /// allows. Orthonormal under trace(E_i E_j), so each p_k is a relative change of size.
  std::vector<Mat3> strains(const Mat3& a) const;

private:
  std::vector<std::array<int, 9>> rotations_;
  std::vector<Mat3> basis_; ///< symmetric, invariant
};

} // namespace kilobragg::refinement
