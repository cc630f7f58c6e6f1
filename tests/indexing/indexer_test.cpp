// The indexer on synthetic stills: every crystal system, noise, junk, wrong distance, and rubbish.
#include "support/synthetic_lattice.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/indexing/indexer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace kilobragg {
namespace {

using indexing::Indexer;
using indexing::IndexingOutcome;
using indexing::IndexingParams;
using models::Crystal;
using models::SpaceGroup;
using models::UnitCell;

IndexingParams params_of(const testing::LatticeCase& c) {
  IndexingParams params;
  params.unit_cell = UnitCell::parse(c.cell);
  params.space_group = SpaceGroup(c.group);
  return params;
}

const testing::LatticeCase& tetragonal() { return testing::lattice_cases()[5]; }

double error_deg(const IndexingParams& params, const Mat3& found, const Mat3& truth) {
  return models::misorientation_deg(found, truth,
                                    params.space_group.lattice_rotations(params.unit_cell));
}

class Systems : public ::testing::TestWithParam<testing::LatticeCase> {};

TEST_P(Systems, FoundAmongJunk) {
  const IndexingParams params = params_of(GetParam());
  const Indexer indexer(params);
  for (unsigned seed = 1; seed <= 3; ++seed) {
    testing::Shot shot(seed);
    const Crystal truth =
        Crystal::from_cell(params.unit_cell, shot.random_orientation(), params.space_group);
    testing::ShotParams shot_params;
    shot_params.junk = 60;
    shot.add(truth, shot_params);
    shot.map();
    const IndexingOutcome outcome = indexer.index(shot.spots, shot.beam, shot.detector);
    ASSERT_EQ(outcome.lattices.size(), 1U) << "seed " << seed << ": " << outcome.message;
    const models::Lattice& lattice = outcome.lattices[0];
    EXPECT_LT(error_deg(params, lattice.crystal.a_matrix, truth.a_matrix), 0.05);
    EXPECT_EQ(lattice.crystal.space_group.hm(), params.space_group.hm());
    EXPECT_TRUE(lattice.crystal.mosaicity.has_value());
    EXPECT_LT(lattice.rmsd_px, 0.6);
    for (const auto& s : lattice.spots)
      EXPECT_FALSE(models::SpaceGroup(params.space_group.patterson()).is_absent(s.hkl));
  }
}

TEST_P(Systems, DistanceWrongByOnePercent) {
  const IndexingParams params = params_of(GetParam());
  testing::Shot shot(8);
  const Crystal truth =
      Crystal::from_cell(params.unit_cell, shot.random_orientation(), params.space_group);
  testing::ShotParams shot_params;
  shot_params.d_min = 2.6;
  shot.add(truth, shot_params);
  shot.map(1.01);
  const IndexingOutcome outcome = Indexer(params).index(shot.spots, shot.beam, shot.detector);
  ASSERT_EQ(outcome.lattices.size(), 1U) << outcome.message;
  EXPECT_LT(error_deg(params, outcome.lattices[0].crystal.a_matrix, truth.a_matrix), 0.3);
}

TEST_P(Systems, FewSpotsSuffice) {
  const IndexingParams params = params_of(GetParam());
  testing::Shot shot(21);
  const Crystal truth =
      Crystal::from_cell(params.unit_cell, shot.random_orientation(), params.space_group);
  testing::ShotParams shot_params;
  shot_params.spots = 16;
  shot_params.d_min = 3;
  shot.add(truth, shot_params);
  shot.map();
  std::vector<Vec3> rlp;
  for (const auto& s : shot.spots.spots) rlp.push_back(s.rlp);
  const auto crystal = Indexer(params).orient(rlp, shot.beam.s0());
  ASSERT_TRUE(crystal.has_value());
  EXPECT_LT(error_deg(params, crystal->a_matrix, truth.a_matrix), 0.3);
}

INSTANTIATE_TEST_SUITE_P(All, Systems, ::testing::ValuesIn(testing::lattice_cases()),
                         [](const auto& tested) { return tested.param.name; });

TEST(Indexer, OneOfTwoLattices) {
  const IndexingParams params = params_of(tetragonal());
  testing::Shot shot(4);
  const Crystal first =
      Crystal::from_cell(params.unit_cell, shot.random_orientation(), params.space_group);
  const Crystal second =
      Crystal::from_cell(params.unit_cell, shot.random_orientation(), params.space_group);
  shot.add(first, {});
  shot.add(second, {});
  shot.map();
  const IndexingOutcome outcome = Indexer(params).index(shot.spots, shot.beam, shot.detector);
  ASSERT_EQ(outcome.lattices.size(), 1U) << outcome.message;
  const Mat3& found = outcome.lattices[0].crystal.a_matrix;
  EXPECT_LT(
      std::min(error_deg(params, found, first.a_matrix), error_deg(params, found, second.a_matrix)),
      0.05);
}

TEST(Indexer, JunkIsNotIndexed) {
  for (const std::size_t which : {std::size_t{3}, std::size_t{5}, std::size_t{10}}) {
    const Indexer indexer(params_of(testing::lattice_cases()[which]));
    for (unsigned seed = 1; seed <= 10; ++seed) {
      testing::Shot shot(seed);
      testing::ShotParams junk;
      junk.spots = 0;
      junk.junk = 20 + 15 * static_cast<int>(seed);
      shot.add(Crystal::from_cell(UnitCell::parse("50 50 50 90 90 90"), Mat3::identity(),
                                  SpaceGroup("P 1")),
               junk);
      shot.map();
      const IndexingOutcome outcome = indexer.index(shot.spots, shot.beam, shot.detector);
      EXPECT_TRUE(outcome.lattices.empty()) << "seed " << seed;
      EXPECT_FALSE(outcome.message.empty());
    }
  }
}

TEST(Indexer, SameAnswerEveryTime) {
  const IndexingParams params = params_of(tetragonal());
  testing::Shot shot(6);
  shot.add(Crystal::from_cell(params.unit_cell, shot.random_orientation(), params.space_group), {});
  shot.map();
  const IndexingOutcome one = Indexer(params).index(shot.spots, shot.beam, shot.detector);
  const IndexingOutcome two = Indexer(params).index(shot.spots, shot.beam, shot.detector);
  ASSERT_EQ(one.lattices.size(), 1U);
  ASSERT_EQ(two.lattices.size(), 1U);
  EXPECT_EQ(one.lattices[0].crystal.a_matrix, two.lattices[0].crystal.a_matrix); // every bit
}

TEST(Indexer, TooFewSpotsSayHowMany) {
  const Indexer indexer(params_of(tetragonal()));
  testing::Shot shot(1);
  const IndexingOutcome none = indexer.index(shot.spots, shot.beam, shot.detector);
  EXPECT_TRUE(none.lattices.empty());
  EXPECT_NE(none.message.find("0 usable spots"), std::string::npos) << none.message;
}

TEST(Indexer, ResolutionLimitLeavesSpotsOut) {
  IndexingParams params = params_of(tetragonal());
  params.d_min_start = 3;
  testing::Shot shot(9);
  shot.add(Crystal::from_cell(params.unit_cell, shot.random_orientation(), params.space_group), {});
  shot.map();
  const IndexingOutcome outcome = Indexer(params).index(shot.spots, shot.beam, shot.detector);
  ASSERT_EQ(outcome.lattices.size(), 1U) << outcome.message;
  for (const auto& s : outcome.lattices[0].spots)
    EXPECT_LT(norm(shot.spots.spots[s.spot].rlp), 1 / 3.0);
}

TEST(Indexer, WrongCellIsNotForcedOntoSpots) {
  const IndexingParams params = params_of(tetragonal());
  testing::Shot shot(12);
  shot.add(Crystal::from_cell(UnitCell::parse("58 58 150 90 90 90"), shot.random_orientation(),
                              SpaceGroup("P 41 21 2")),
           {});
  shot.map();
  EXPECT_TRUE(Indexer(params).index(shot.spots, shot.beam, shot.detector).lattices.empty());
}

TEST(Indexer, ContradictionNamesCellAndGroup) {
  IndexingParams params;
  params.unit_cell = UnitCell::parse("77 92 37 90 90 90");
  params.space_group = SpaceGroup("P 43 21 2");
  try {
    const Indexer indexer(params);
    FAIL() << "no error";
  } catch (const core::Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("77"), std::string::npos) << text;
    EXPECT_NE(text.find("P 43 21 2"), std::string::npos) << text;
  }
}

TEST(Indexer, RubbishDoesNotCrash) {
  const Indexer indexer(params_of(tetragonal()));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::vector<Vec3>> rubbish{
      std::vector<Vec3>(50, Vec3{0.1, 0.1, 0.02}), // one spot many times
      std::vector<Vec3>(50, Vec3{nan, nan, nan}),  // nothing
      std::vector<Vec3>(50, Vec3{}),               // the beam
      [] {
        std::vector<Vec3> line; // all on one line through the origin
        for (int i = 1; i <= 40; ++i) line.push_back({0.01 * i, 0.003 * i, 0.001 * i});
        return line;
      }(),
      std::vector<Vec3>(20, Vec3{1e20, -1e20, 1e20})};
  for (const auto& rlp : rubbish) {
    EXPECT_NO_THROW(static_cast<void>(indexer.orient(rlp, {0, 0, -1 / 1.3})));
    testing::Shot shot(1);
    for (const Vec3& q : rlp) {
      models::Spot spot;
      spot.rlp = q, spot.s1 = q + shot.beam.s0(), spot.mm_variance = {1e-3, 1e-3};
      shot.spots.spots.push_back(spot);
    }
    EXPECT_NO_THROW(static_cast<void>(indexer.index(shot.spots, shot.beam, shot.detector)));
  }
}

} // namespace
} // namespace kilobragg
