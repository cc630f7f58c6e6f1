// Indices: nearest wins, 000 is never given, limits hold, centring absences cannot occur.
#include "kilobragg/indexing/assignment.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace kilobragg {
namespace {

models::SpotList at(const std::vector<Vec3>& rlp) {
  models::SpotList list;
  for (const Vec3& q : rlp) {
    models::Spot spot;
    spot.rlp = q;
    list.spots.push_back(spot);
  }
  return list;
}

const Mat3 a{{0.01, 0, 0, 0, 0.02, 0, 0, 0, 0.03}};

TEST(Assignment, NearestSpotKeepsTheIndex) {
  const auto list = at({{0.0305, 0.02, 0}, {0.0301, 0.02, 0}, {0.0308, 0.02, 0}});
  const auto indexed = indexing::assign_indices(list, a, {});
  ASSERT_EQ(indexed.size(), 1U);
  EXPECT_EQ(indexed[0].spot, 1U);
  EXPECT_EQ(indexed[0].hkl, (models::Miller{3, 1, 0}));
  EXPECT_EQ(indexed[0].flags, models::flag_indexed);
}

TEST(Assignment, ToleranceIsEuclidean) {
  // 0.25 off in two directions: 0.35 in all.
  const auto list = at({{0.0325, 0.025, 0}, {0.0529, 0.02, 0}, {0.0531, 0.04, 0}});
  const auto indexed = indexing::assign_indices(list, a, {});
  ASSERT_EQ(indexed.size(), 1U);
  EXPECT_EQ(indexed[0].spot, 1U);
}

TEST(Assignment, OriginAndNonsenseAreLeftOut) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto list = at({{0, 0, 0}, {0.001, 0, 0}, {nan, 0, 0}, {1e30, 0, 0}, {0.01, 0, 0}});
  const auto indexed = indexing::assign_indices(list, a, {});
  ASSERT_EQ(indexed.size(), 1U);
  EXPECT_EQ(indexed[0].spot, 4U);
}

TEST(Assignment, ResolutionLimit) {
  indexing::AssignmentParams params;
  params.d_min = 20; // |q| < 0.05
  const auto indexed = indexing::assign_indices(at({{0.04, 0, 0}, {0.06, 0, 0}}), a, params);
  ASSERT_EQ(indexed.size(), 1U);
  EXPECT_EQ(indexed[0].hkl.h, 4);
}

TEST(Assignment, CentredCellsGiveConventionalIndices) {
  indexing::AssignmentParams params;
  params.primitive = Mat3::from_rows({0.5, 0.5, 0}, {0.5, -0.5, 0}, {0, 0, 1}); // C
  const auto indexed =
      indexing::assign_indices(at({{0.02, 0.08, 0.03}, {0.01, 0.08, 0.03}}), a, params);
  ASSERT_EQ(indexed.size(), 1U);
  EXPECT_EQ(indexed[0].hkl, (models::Miller{2, 4, 1})); // 1 4 1 is absent
}

} // namespace
} // namespace kilobragg
