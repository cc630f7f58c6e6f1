// Refines an orientation against the directions of diffracted rays, where no detector is known.
#pragma once

#include "known_cell.hpp"
#include "reciprocal_fit.hpp"

namespace kilobragg::indexing {

/// Least squares of ray directions and delta-psi for points near an index, under the lattice symmetry.
/// Returns `a` itself where too few points are near one or nothing converges.
Mat3 fit_rays(const SortedPoints& points, const KnownCell& known, const Mat3& a, const Vec3& s0);

} // namespace kilobragg::indexing
