// Lattices of one still with a known cell and space group.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/lattice.hpp"
#include "kilobragg/refinement/refine_still.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace kilobragg::indexing {

struct IndexingParams {
  models::UnitCell unit_cell;             ///< indexing.known_symmetry.unit_cell
  models::SpaceGroup space_group;         ///< indexing.known_symmetry.space_group
  double hkl_tolerance = 0.3;             ///< indexing.index_assignment.simple.hkl_tolerance
  std::optional<double> d_min_start;      ///< indexing.refinement_protocol.d_min_start (angstrom)
  double relative_length_tolerance = 0.1; ///< indexing.known_symmetry.relative_length_tolerance
  double absolute_angle_tolerance = 5;    ///< deg
  double rmsd_min_px = 2;                 ///< indexing.stills.rmsd_min_px
  double ewald_proximal_volume_max = 0.0025;
  refinement::RefinementParams refinement;
};

/// Why no lattice was accepted; the text of the exit state.
struct IndexingOutcome {
  std::vector<models::Lattice> lattices; ///< refined, mosaicity fitted; empty = not indexed
  std::string message;
};

/// Indexes stills of one sample. Holds what depends on the cell alone, so build it once per run.
class Indexer {
public:
  explicit Indexer(const IndexingParams& params); ///< throws core::Error on a contradicting cell
  ~Indexer();
  Indexer(Indexer&&) noexcept;
  Indexer& operator=(Indexer&&) noexcept;

  /// `spots` must be mapped (models::map_spots). Does not throw for a still that cannot be indexed.
  IndexingOutcome index(const models::SpotList& spots, const models::Beam& beam,
                        const models::Detector& detector) const;
  /// Orientation search alone, on reciprocal vectors (1/angstrom) without a detector, refined
  /// against the directions of the diffracted rays; for spot lists. Empty if nothing is significant.
  std::optional<models::Crystal> orient(const std::vector<Vec3>& rlp, const Vec3& s0) const;

private:
  struct State;
  std::unique_ptr<const State> state_;
};

} // namespace kilobragg::indexing
