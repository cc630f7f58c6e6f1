// From spots to one refined lattice: search, then DIALS's cycle of outliers, refinement, mosaicity.
#include "kilobragg/indexing/indexer.hpp"

#include "orientation_search.hpp"
#include "ray_fit.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/indexing/assignment.hpp"
#include "kilobragg/refinement/mosaicity.hpp"
#include "kilobragg/refinement/outliers.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::indexing {
namespace {

using models::Lattice;
using models::SpotList;

constexpr int fewest_points = 8;      ///< below, a cell in any orientation explains everything
constexpr std::size_t max_refine = 5; ///< candidates refined against pixels

/// What one still brings, passed along together.
struct Still {
  const SpotList& spots;
  const models::Beam& beam;
  const models::Detector& detector;
};

void drop_unaccepted(Lattice& lattice, const refinement::MosaicityFit& fit) {
  for (std::size_t i = 0; i < lattice.spots.size(); ++i)
    if (!fit.accepted[i]) lattice.spots[i].flags |= models::flag_centroid_outlier;
}

/// A lattice after the cycle, and the mosaicity that its spots suggest before widening.
struct Refined {
  Lattice lattice;
  models::Mosaicity likely;
};

enum class Cycle { OfCandidate, Last };

/// Outliers, refinement, outliers again, mosaicity with its acceptance, refinement, mosaicity.
/// Outliers of a candidate are judged where the search put it. The last cycle judges after a robust
/// refinement: spots that a small error of the start would condemn then stay.
models::Mosaicity refine_cycle(Lattice& lattice, const Still& still,
                               const refinement::RefinementParams& params, Cycle cycle) {
  const bool reject = params.outlier == refinement::OutlierAlgorithm::SauterPoon;
  const auto weighting =
      cycle == Cycle::Last ? params.psi_weighting : refinement::PsiWeighting::Constant;
  const auto refine = [&] {
    refinement::refine_still(lattice, still.spots, still.beam, still.detector, params, weighting);
  };
  if (reject && cycle == Cycle::Last)
    refinement::refine_robustly(lattice, still.spots, still.beam, still.detector, params);
  else
    refinement::predict_indexed(lattice, still.spots, still.beam, still.detector);
  if (reject) refinement::flag_outliers(lattice, still.spots);
  refine();
  if (reject) {
    refinement::flag_outliers(lattice, still.spots);
    drop_unaccepted(lattice, refinement::fit_mosaicity(lattice));
  }
  refine();
  const refinement::MosaicityFit fit = refinement::fit_mosaicity(lattice);
  lattice.crystal.mosaicity = fit.mosaicity;
  return fit.maximum_likelihood;
}

std::string cell_deviation(const models::UnitCell& cell, const IndexingParams& params) {
  const auto found = cell.parameters(), known = params.unit_cell.parameters();
  for (std::size_t i = 0; i < 6; ++i) {
    const double deviation = std::abs(found[i] - known[i]);
    const bool good = i < 3 ? deviation <= params.relative_length_tolerance * known[i]
                            : deviation <= params.absolute_angle_tolerance;
    if (!good)
      return fmt::format("refined cell {} is too far from {}", cell.to_string(),
                         params.unit_cell.to_string());
  }
  return {};
}

} // namespace

struct Indexer::State {
  IndexingParams params;
  KnownCell known;

  explicit State(const IndexingParams& p)
      : params(p)
      , known(p.unit_cell, p.space_group) {
    params.unit_cell = known.cell;
  }

  SortedPoints usable_points(const std::vector<Vec3>& rlp) const {
    if (!params.d_min_start) return SortedPoints(rlp);
    const double q_max = 1 / *params.d_min_start;
    std::vector<Vec3> inside;
    std::copy_if(rlp.begin(), rlp.end(), std::back_inserter(inside),
                 [&](const Vec3& q) { return norm2(q) < q_max * q_max; });
    return SortedPoints(inside);
  }

  /// The one of the equivalent matrices whose orientation is nearest to the unrotated crystal.
  Mat3 representative(const Mat3& a) const {
    Mat3 best = a;
    double best_trace = -4;
    for (const auto& r : params.space_group.proper_rotations()) {
      Mat3 change;
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) change(i, j) = r[3 * j + i];
      const Mat3 moved = a * change, u = moved * inverse(known.reference_a);
      const double trace = u(0, 0) + u(1, 1) + u(2, 2);
      if (trace > best_trace + 1e-9) best = moved, best_trace = trace;
    }
    return best;
  }

  Refined refined(const Mat3& a, const Still& still, Cycle cycle) const {
    Refined result;
    Lattice& lattice = result.lattice;
    lattice.crystal = {a, params.space_group, std::nullopt};
    AssignmentParams assignment{known.primitive, params.hkl_tolerance, params.d_min_start};
    lattice.spots = assign_indices(still.spots, a, assignment);
    core::require(!lattice.spots.empty(), "no spot is near an index");
    result.likely = refine_cycle(lattice, still, params.refinement, cycle);
    return result;
  }

  /// Empty if the lattice may stand; else what is wrong with it.
  std::string objection(const Refined& result, const Still& still) const {
    const Lattice& lattice = result.lattice;
    if (!(lattice.rmsd_px <= params.rmsd_min_px))
      return fmt::format("RMSD {:.2f} px is above indexing.stills.rmsd_min_px={:.2f}",
                         lattice.rmsd_px, params.rmsd_min_px);
    const double volume = refinement::ewald_proximal_volume(result.likely, still.beam.wavelength);
    if (!(volume <= params.ewald_proximal_volume_max))
      return fmt::format("Ewald proximal volume {:.4f} is above {:.4f}", volume,
                         params.ewald_proximal_volume_max);
    return cell_deviation(lattice.crystal.unit_cell(), params);
  }

  IndexingOutcome refine_best(const std::vector<Candidate>& candidates, const Still& still) const;
};

/// Number of spots that refinement kept.
static int used_spots(const Lattice& lattice) {
  return static_cast<int>(std::count_if(lattice.spots.begin(), lattice.spots.end(), [](auto& s) {
    return (s.flags & models::flag_used_in_refinement) != 0;
  }));
}

IndexingOutcome Indexer::State::refine_best(const std::vector<Candidate>& candidates,
                                            const Still& still) const {
  IndexingOutcome outcome;
  std::optional<Lattice> best;
  for (std::size_t i = 0; i < std::min(candidates.size(), max_refine); ++i) {
    try {
      Refined result = refined(candidates[i].a, still, Cycle::OfCandidate);
      if (std::string wrong = objection(result, still); !wrong.empty()) {
        if (outcome.message.empty()) outcome.message = std::move(wrong);
        continue;
      }
      // More explained spots win; among equals (within a tenth) the smaller RMSD.
      Lattice& lattice = result.lattice;
      const int now = used_spots(lattice), before = best ? used_spots(*best) : 0;
      const bool wins = !best || 10 * now > 11 * before ||
                        (11 * now >= 10 * before && lattice.rmsd_px < best->rmsd_px);
      if (wins) best = std::move(lattice);
    } catch (const core::Error& error) {
      if (outcome.message.empty()) outcome.message = error.what();
    }
  }
  if (!best) return outcome;
  try {
    Refined last = refined(representative(best->crystal.a_matrix), still, Cycle::Last);
    if (std::string wrong = objection(last, still); !wrong.empty()) {
      outcome.message = std::move(wrong);
      return outcome;
    }
    outcome.lattices.push_back(std::move(last.lattice));
    outcome.message.clear();
  } catch (const core::Error& error) {
    outcome.message = error.what();
  }
  return outcome;
}

Indexer::Indexer(const IndexingParams& params)
    : state_(std::make_unique<const State>(params)) {}
Indexer::~Indexer() = default;
Indexer::Indexer(Indexer&&) noexcept = default;
Indexer& Indexer::operator=(Indexer&&) noexcept = default;

IndexingOutcome Indexer::index(const SpotList& spots, const models::Beam& beam,
                               const models::Detector& detector) const {
  std::vector<Vec3> rlp;
  rlp.reserve(spots.size());
  for (const models::Spot& s : spots.spots) rlp.push_back(s.rlp);
  const SortedPoints points = state_->usable_points(rlp);
  IndexingOutcome outcome;
  if (points.size() < fewest_points) {
    outcome.message = fmt::format("{} usable spots are too few to index", points.size());
    return outcome;
  }
  const std::vector<Candidate> candidates = search_orientations(points, state_->known);
  if (candidates.empty()) {
    outcome.message = "no orientation explains more spots than chance would";
    return outcome;
  }
  return state_->refine_best(candidates, {spots, beam, detector});
}

std::optional<models::Crystal> Indexer::orient(const std::vector<Vec3>& rlp, const Vec3& s0) const {
  const SortedPoints points = state_->usable_points(rlp);
  if (points.size() < fewest_points) return std::nullopt;
  const std::vector<Candidate> candidates = search_orientations(points, state_->known);
  if (candidates.empty()) return std::nullopt;
  const Mat3 a = fit_rays(points, state_->known, candidates.front().a, s0);
  return models::Crystal{state_->representative(a), state_->params.space_group, std::nullopt};
}

} // namespace kilobragg::indexing
