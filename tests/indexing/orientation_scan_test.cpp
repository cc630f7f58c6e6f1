// The search against a brute-force scan of all orientations, on a cell small enough for one.
#include "reference/orientation_scan.hpp"
#include "support/synthetic_lattice.hpp"

#include "kilobragg/indexing/indexer.hpp"

#include <gtest/gtest.h>

namespace kilobragg {
namespace {

TEST(OrientationScan, SearchFindsWhatTheScanFinds) {
  indexing::IndexingParams params;
  params.unit_cell = models::UnitCell::parse("20 20 13 90 90 90");
  params.space_group = models::SpaceGroup("P 43 21 2");
  const auto rotations = params.space_group.lattice_rotations(params.unit_cell);
  const indexing::Indexer indexer(params);
  for (unsigned seed = 1; seed <= 2; ++seed) {
    testing::Shot shot(seed);
    const models::Crystal truth =
        models::Crystal::from_cell(params.unit_cell, shot.random_orientation(), params.space_group);
    testing::ShotParams shot_params;
    shot_params.psi_width = 0.004;
    shot_params.spots = 30;
    shot_params.junk = 15;
    shot.add(truth, shot_params);
    shot.map();
    std::vector<Vec3> rlp;
    for (const auto& s : shot.spots.spots) rlp.push_back(s.rlp);
    const Mat3 scanned = reference::scan_orientations(params.unit_cell.b_matrix(), rlp, 0.3, 0.05);
    const auto found = indexer.orient(rlp, shot.beam.s0());
    ASSERT_TRUE(found.has_value()) << "seed " << seed;
    EXPECT_LT(models::misorientation_deg(found->a_matrix, scanned, rotations),
              3.0); // grid of 3 deg
    // The fit follows the lattice, not the count: it may lose a junk spot that the scan caught.
    EXPECT_GE(reference::count_indexed(found->a_matrix, rlp, 0.3) + 3,
              reference::count_indexed(scanned, rlp, 0.3));
  }
}

} // namespace
} // namespace kilobragg
