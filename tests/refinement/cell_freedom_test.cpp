// Free cell parameters of every crystal system, found from the operations.
#include "support/synthetic_lattice.hpp"

#include "kernels/geometry/small_solve.hpp"

#include "kilobragg/models/crystal.hpp"
#include "kilobragg/refinement/cell_freedom.hpp"

#include <gtest/gtest.h>

namespace kilobragg {
namespace {

using models::Crystal;
using models::SpaceGroup;
using models::UnitCell;

class CellFreedoms : public ::testing::TestWithParam<testing::LatticeCase> {};

TEST_P(CellFreedoms, CountAsTheCrystalSystemSays) {
  const refinement::CellFreedom freedom{SpaceGroup(GetParam().group)};
  EXPECT_EQ(freedom.count(), GetParam().free_parameters);
}

TEST_P(CellFreedoms, StrainsKeepTheConstraintsExactly) {
  const SpaceGroup group(GetParam().group);
  const Crystal crystal =
      Crystal::from_cell(UnitCell::parse(GetParam().cell), rotation_by({0.3, -0.7, 1.1}), group);
  const refinement::CellFreedom freedom(group);
  const auto strains = freedom.strains(crystal.a_matrix);
  ASSERT_EQ(static_cast<int>(strains.size()), GetParam().free_parameters);
  Mat3 strain = Mat3::identity();
  for (std::size_t k = 0; k < strains.size(); ++k)
    strain = strain + (0.01 + 0.005 * double(k)) * strains[k];
  const Crystal strained{strain * crystal.a_matrix, group, std::nullopt};
  const UnitCell cell = strained.unit_cell(), constrained = group.constrain(cell);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_NEAR(cell.parameters()[i], constrained.parameters()[i], 1e-8);
  EXPECT_GT(std::abs(cell.a / crystal.unit_cell().a - 1), 1e-4); // it did move
}

TEST_P(CellFreedoms, SymmetrisedMatrixIsNearAndObeys) {
  const SpaceGroup group(GetParam().group);
  const Crystal crystal =
      Crystal::from_cell(UnitCell::parse(GetParam().cell), rotation_by({-1.3, 0.2, 0.4}), group);
  Mat3 disturbed = crystal.a_matrix;
  for (int i = 0; i < 9; ++i) disturbed.m[i] *= 1 + 0.002 * std::sin(i + 1.0);
  const refinement::CellFreedom freedom(group);
  const Crystal repaired{freedom.symmetrised(disturbed), group, std::nullopt};
  const UnitCell cell = repaired.unit_cell(), constrained = group.constrain(cell);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_NEAR(cell.parameters()[i], constrained.parameters()[i], 1e-9);
  EXPECT_LT(models::misorientation_deg(repaired.a_matrix, disturbed, {{1, 0, 0, 0, 1, 0, 0, 0, 1}}),
            0.2);
}

INSTANTIATE_TEST_SUITE_P(Systems, CellFreedoms, ::testing::ValuesIn(testing::lattice_cases()),
                         [](const auto& tested) { return tested.param.name; });

TEST(CellFreedom, UnusualSettings) {
  EXPECT_EQ(refinement::CellFreedom(SpaceGroup("P 1 1 2")).count(), 4);
  EXPECT_EQ(refinement::CellFreedom(SpaceGroup("R 3 :R")).count(), 2);
}

TEST(SmallSolve, PolarRotationIsARotation) {
  const Mat3 r = rotation_by({0.4, -0.1, 2.0});
  const Mat3 stretched = r * Mat3{{2, 0.3, 0, 0.3, 1, 0.1, 0, 0.1, 3}};
  const Mat3 q = polar_rotation(stretched);
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(q.m[i], r.m[i], 1e-13);
}

TEST(SmallSolve, SolvesAndRefusesSingular) {
  double m[9] = {4, 1, 2, 1, 5, 3, 2, 3, 6}, b[3] = {12, 20, 26};
  ASSERT_TRUE(solve_symmetric(m, 3, 3, b)); // x = (1, 2, 3)
  EXPECT_NEAR(b[0], 1, 1e-12);
  EXPECT_NEAR(b[1], 2, 1e-12);
  EXPECT_NEAR(b[2], 3, 1e-12);
  double singular[4] = {1, 1, 1, 1}, c[2] = {1, 1};
  EXPECT_FALSE(solve_symmetric(singular, 2, 2, c));
}

} // namespace
} // namespace kilobragg
