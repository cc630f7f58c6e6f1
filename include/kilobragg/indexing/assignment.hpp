// Gives spots their Miller indices in a lattice.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include "kilobragg/models/reflections.hpp"

#include <optional>
#include <vector>

namespace kilobragg::indexing {

/// How an index is given: h = nearest integers to A^-1 q in a primitive setting, accepted within
/// `tolerance` of them (Euclidean).
struct AssignmentParams {
  Mat3 primitive = Mat3::identity(); ///< rows: primitive real vectors in fractions of a, b, c
  double tolerance = 0.3;
  std::optional<double> d_min; ///< spots at finer resolution stay unindexed (angstrom)
};

/// Indexed spots in the order of the list; where two spots claim one index the nearer keeps it. The
/// index 000 is never given. Indices are conventional ones, centring absences cannot occur.
std::vector<models::IndexedSpot> assign_indices(const models::SpotList& spots, const Mat3& a_matrix,
                                                const AssignmentParams& params);

} // namespace kilobragg::indexing
