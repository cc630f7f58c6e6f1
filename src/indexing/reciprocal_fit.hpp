// Fits A to reciprocal vectors and says how unlikely its indexed spots are to be chance.
#pragma once

#include "known_cell.hpp"

#include <vector>

namespace kilobragg::indexing {

/// An orientation tried on one still.
struct Candidate {
  Mat3 a;                ///< conventional A (1/angstrom)
  int indexed = 0;       ///< spots within `tolerance`
  double tolerance = 0;  ///< distance in primitive indices at which they are most significant
  double log_chance = 0; ///< natural log of a bound on the chance of as many hits, for one trial
};

/// Reciprocal vectors of one still, sorted by length; NaN and zero vectors left out.
struct SortedPoints {
  std::vector<Vec3> q;
  std::vector<float> x, y, z;
  explicit SortedPoints(const std::vector<Vec3>& rlp);
  int size() const { return static_cast<int>(q.size()); }
  double quantile_length(double fraction, int first_n) const;
};

/// Number of independent orientations that could have been tried on these points, as a logarithm:
/// what a log_chance has to beat.
double log_trials(const SortedPoints& points, const KnownCell& known, double tolerance);

/// Least squares of A to the lengths-sorted points: first `first_n` of them, then twice as many until
/// all, each time with indices assigned anew. Cell changes cost as if the known cell were good to
/// `cell_sigma` (relative), so that a dozen spots suffice.
Candidate fit_orientation(const SortedPoints& points, const KnownCell& known, const Mat3& start,
                          int first_n, int last_n);

/// Counts and judges without fitting.
Candidate judge(const SortedPoints& points, const KnownCell& known, const Mat3& a);

} // namespace kilobragg::indexing
