// Refinement of one still recovers known crystals and survives what cannot be refined.
#include "support/synthetic_lattice.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/refinement/refine_still.hpp"

#include <gtest/gtest.h>

namespace kilobragg {
namespace {

using models::Crystal;
using models::Lattice;
using models::SpaceGroup;
using models::UnitCell;

const std::vector<std::array<int, 9>> identity{{1, 0, 0, 0, 1, 0, 0, 0, 1}};

/// Indexed spots of a shot, by nearest index to the truth.
Lattice indexed(const testing::Shot& shot, const Crystal& truth) {
  Lattice lattice;
  lattice.crystal = truth;
  for (std::size_t i = 0; i < shot.spots.size(); ++i) {
    const Vec3 h = inverse(truth.a_matrix) * shot.spots.spots[i].rlp;
    models::IndexedSpot s;
    s.spot = static_cast<std::uint32_t>(i);
    s.hkl = {int(std::lround(h.x)), int(std::lround(h.y)), int(std::lround(h.z))};
    s.flags = models::flag_indexed;
    lattice.spots.push_back(s);
  }
  return lattice;
}

class Refinement : public ::testing::TestWithParam<testing::LatticeCase> {};

TEST_P(Refinement, RecoversOrientationAndCell) {
  testing::Shot shot(17);
  const SpaceGroup group(GetParam().group);
  const Crystal truth =
      Crystal::from_cell(UnitCell::parse(GetParam().cell), shot.random_orientation(), group);
  shot.add(truth, {});
  shot.map();
  ASSERT_GE(shot.spots.size(), 40U);
  for (const auto weighting :
       {refinement::PsiWeighting::Constant, refinement::PsiWeighting::Estimated}) {
    Lattice lattice = indexed(shot, truth);
    lattice.crystal.a_matrix =
        rotation_by({0.003, -0.002, 0.004}) * (1.004 * truth.a_matrix); // 0.3 deg, 0.4 %
    refinement::refine_still(lattice, shot.spots, shot.beam, shot.detector, {}, weighting);
    EXPECT_LT(models::misorientation_deg(lattice.crystal.a_matrix, truth.a_matrix, identity), 0.02);
    const auto cell = lattice.crystal.unit_cell().parameters();
    const auto known = truth.unit_cell().parameters();
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(cell[i], known[i], 2e-3 * known[i]);
    for (std::size_t i = 3; i < 6; ++i) EXPECT_NEAR(cell[i], known[i], 0.15);
    EXPECT_NEAR(lattice.rmsd_px, 0.28, 0.06); // two components of 0.2 px
    EXPECT_LT(lattice.rmsd_psi_deg, 0.05);
  }
}

INSTANTIATE_TEST_SUITE_P(Systems, Refinement, ::testing::ValuesIn(testing::lattice_cases()),
                         [](const auto& tested) { return tested.param.name; });

class OneShot : public ::testing::Test {
protected:
  void SetUp() override {
    shot.add(truth, {});
    shot.map();
    lattice = indexed(shot, truth);
  }
  testing::Shot shot{3};
  Crystal truth = Crystal::from_cell(UnitCell::parse("77 77 37.2 90 90 90"),
                                     rotation_by({0.5, 1.0, -0.3}), SpaceGroup("P 43 21 2"));
  Lattice lattice;
};

TEST_F(OneShot, FlaggedOutliersAndOverloadsStayOut) {
  lattice.spots[0].flags |= models::flag_centroid_outlier;
  shot.spots.spots[lattice.spots[1].spot].flags |= models::flag_overloaded;
  shot.spots.spots[lattice.spots[0].spot].mm.x += 50; // would wreck the refinement
  refinement::refine_still(lattice, shot.spots, shot.beam, shot.detector, {});
  EXPECT_EQ(lattice.spots[0].flags & models::flag_used_in_refinement, 0U);
  EXPECT_EQ(lattice.spots[1].flags & models::flag_used_in_refinement, 0U);
  EXPECT_NE(lattice.spots[2].flags & models::flag_used_in_refinement, 0U);
  EXPECT_LT(lattice.rmsd_px, 0.4);
}

TEST_F(OneShot, TooFewReflectionsFixTheModel) {
  lattice.spots.resize(4); // five parameters
  refinement::refine_still(lattice, shot.spots, shot.beam, shot.detector, {});
  EXPECT_LT(models::misorientation_deg(lattice.crystal.a_matrix, truth.a_matrix, identity), 1e-9);
  EXPECT_GT(norm(lattice.spots[0].s1_cal), 0); // still predicted
}

TEST_F(OneShot, RepeatedOrCollinearSpotsDoNotCrash) {
  lattice.spots.assign(20, lattice.spots[0]);
  try {
    refinement::refine_still(lattice, shot.spots, shot.beam, shot.detector, {});
    for (const double v : lattice.crystal.a_matrix.m) EXPECT_TRUE(std::isfinite(v));
  } catch (const core::Error&) {
  }
}

TEST_F(OneShot, ResultDoesNotDependOnTheStart) {
  Lattice other = lattice;
  other.crystal.a_matrix = rotation_by({-0.004, 0.003, 0.002}) * lattice.crystal.a_matrix;
  const refinement::RefinementParams params;
  refinement::refine_still(lattice, shot.spots, shot.beam, shot.detector, params);
  refinement::refine_still(other, shot.spots, shot.beam, shot.detector, params);
  EXPECT_LT(models::misorientation_deg(lattice.crystal.a_matrix, other.crystal.a_matrix, identity),
            1e-4);
}

TEST_F(OneShot, RobustRefinementIsNotPulledByOutliers) {
  for (std::size_t i = 0; i < lattice.spots.size(); i += 5) { // a fifth moved by five pixels
    models::Spot& seen = shot.spots.spots[lattice.spots[i].spot];
    const double pixel = shot.detector.panels[seen.panel].pixel_size[0];
    seen.px.x += 5, seen.mm.x += 5 * pixel;
  }
  Lattice robust = lattice;
  const auto error = [&](const Lattice& l) {
    return models::misorientation_deg(l.crystal.a_matrix, truth.a_matrix, identity);
  };
  refinement::refine_still(lattice, shot.spots, shot.beam, shot.detector, {});
  refinement::refine_robustly(robust, shot.spots, shot.beam, shot.detector, {});
  EXPECT_LT(error(robust), 0.3 * error(lattice));
  EXPECT_LT(error(robust), 0.02);
  EXPECT_GT(robust.rmsd_px, 1); // outliers still count in it: they are judged later
}

TEST_F(OneShot, WrongIndexKeepsARayFromTheSphere) {
  lattice.spots[0].hkl = {200, 0, 0}; // beyond the sphere: no prediction, left out
  refinement::refine_still(lattice, shot.spots, shot.beam, shot.detector, {});
  EXPECT_EQ(lattice.spots[0].flags & models::flag_used_in_refinement, 0U);
  EXPECT_LT(lattice.rmsd_px, 0.4);
}

} // namespace
} // namespace kilobragg
