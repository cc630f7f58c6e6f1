// Finds orientations of a known cell that explain reciprocal vectors: axis directions, then turns.
#pragma once

#include "known_cell.hpp"
#include "reciprocal_fit.hpp"

#include <vector>

namespace kilobragg::indexing {

/// Distinct orientations, the least likely by chance first; all of them significant. Empty when none
/// is. Cost grows only where easy ways fail: short axis and few candidates first.
std::vector<Candidate> search_orientations(const SortedPoints& points, const KnownCell& known);

/// log_chance plus log_trials: below this a candidate is taken as real.
inline constexpr double significance_limit = -7;

/// log_chance + log_trials of a candidate.
double significance(const SortedPoints& points, const KnownCell& known, const Candidate& candidate);

} // namespace kilobragg::indexing
