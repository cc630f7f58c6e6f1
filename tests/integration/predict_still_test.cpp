// Prediction: the whole set and nothing else, on the right panel, at the right place.
#include "reference/integration_plain.hpp"
#include "src/integration/panel_lookup.hpp"
#include "support/small_still.hpp"

#include "kilobragg/core/error.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kilobragg::integration {
namespace {

using testing::SmallStill;

std::vector<models::Miller> indices(const std::vector<models::IntegratedReflection>& reflections) {
  std::vector<models::Miller> result;
  for (const auto& r : reflections) result.push_back(r.hkl);
  return result;
}

void expect_plain_set(const SmallStill& still, double d_min) {
  const auto fast = predict_still(still.lattice.crystal, still.beam, still.detector, d_min);
  EXPECT_EQ(indices(fast),
            testing::plain_prediction(still.lattice.crystal, still.beam, still.detector, d_min));
  EXPECT_GT(fast.size(), 10u);
}

TEST(PredictStill, EqualsTheSearchOfTheWholeSphere) {
  SmallStill still;
  expect_plain_set(still, 3.0);
  still.lattice.crystal.mosaicity = models::Mosaicity{1.5, 200}; // rows meet the shell from inside
  expect_plain_set(still, 3.5);
  still.lattice.crystal.mosaicity = models::Mosaicity{0.01, 3000};
  expect_plain_set(still, 2.2);
}

TEST(PredictStill, EqualsItForObliqueAndCentredCells) {
  SmallStill still;
  const Mat3 u = rotation_about(unit(Vec3{-2, 1, 0.3}), 2.1);
  for (const auto& [cell, group] :
       {std::pair{models::UnitCell{40, 55, 130, 71, 95, 103}, "P1"},
        std::pair{models::UnitCell{93, 93, 131, 90, 90, 120}, "P6122"},
        std::pair{models::UnitCell{150, 60, 80, 90, 107, 90}, "C2"},
        std::pair{models::UnitCell{90, 90, 200, 90, 90, 120}, "R3:H"}}) {
    still.lattice.crystal = models::Crystal::from_cell(cell, u, models::SpaceGroup(group));
    still.lattice.crystal.mosaicity = models::Mosaicity{0.2, 800};
    expect_plain_set(still, 3.2);
  }
}

TEST(PredictStill, LeavesOutCentringAbsencesOnly) {
  SmallStill still;
  still.lattice.crystal = models::Crystal::from_cell({150, 60, 80, 90, 90, 90}, Mat3::identity(),
                                                     models::SpaceGroup("C2221"));
  still.lattice.crystal.mosaicity = models::Mosaicity{2, 200};
  int screw = 0;
  for (const auto& r : predict_still(still.lattice.crystal, still.beam, still.detector, 3.0)) {
    EXPECT_EQ((r.hkl.h + r.hkl.k) % 2, 0);
    screw += r.hkl.h == 0 && r.hkl.k == 0 && r.hkl.l % 2 != 0;
  }
  still.lattice.crystal.space_group = models::SpaceGroup("P212121");
  still.lattice.crystal.mosaicity = models::Mosaicity{90, 10};
  int absent = 0;
  for (const auto& r : predict_still(still.lattice.crystal, still.beam, still.detector, 5.0))
    absent += still.lattice.crystal.space_group.is_absent(r.hkl);
  EXPECT_GT(absent, 0);
}

TEST(PredictStill, FillsGeometry) {
  const SmallStill still(true);
  const auto found = predict_still(still.lattice.crystal, still.beam, still.detector, 2.5);
  std::size_t on_second = 0;
  for (const auto& r : found) {
    const auto plain = testing::plain_ray(still.lattice.crystal.q(r.hkl), still.beam.s0());
    const auto hit = still.detector.intersect(plain->s1);
    ASSERT_TRUE(hit.has_value());
    EXPECT_EQ(r.panel, hit->panel);
    EXPECT_NEAR(r.px_cal.x, hit->px.x, 1e-9);
    EXPECT_NEAR(r.px_cal.y, hit->px.y, 1e-9);
    EXPECT_NEAR(r.mm_cal.x, hit->mm.x, 1e-10);
    EXPECT_NEAR(norm(r.s1 - plain->s1), 0, 1e-14);
    EXPECT_NEAR(r.delta_psi, plain->delta_psi, 1e-13);
    EXPECT_NEAR(r.d, 1 / norm(still.lattice.crystal.q(r.hkl)), 1e-12);
    EXPECT_EQ(r.flags, std::uint64_t{models::flag_predicted});
    on_second += r.panel == 1;
  }
  EXPECT_GT(on_second, 10u);
  EXPECT_LT(on_second, found.size());
}

TEST(PredictStill, DefaultsToTheFarthestCorner) {
  const SmallStill still;
  const auto& crystal = still.lattice.crystal;
  const double corner = still.detector.max_resolution(still.beam.s0());
  EXPECT_EQ(indices(predict_still(crystal, still.beam, still.detector, std::nullopt)),
            indices(predict_still(crystal, still.beam, still.detector, corner)));
}

TEST(PredictStill, WideningOnlyAdds) {
  const SmallStill still;
  const auto& crystal = still.lattice.crystal;
  const auto narrow = indices(predict_still(crystal, still.beam, still.detector, 2.5));
  const auto wide = indices(predict_still(crystal, still.beam, still.detector, 2.5, 1.5));
  EXPECT_GT(wide.size(), narrow.size());
  EXPECT_TRUE(std::includes(wide.begin(), wide.end(), narrow.begin(), narrow.end()));
  SmallStill doubled = still;
  doubled.lattice.crystal.mosaicity = models::Mosaicity{0.15, 1000}; // = 1.5 x (0.1, 1500)
  EXPECT_EQ(wide, indices(predict_still(doubled.lattice.crystal, still.beam, still.detector, 2.5)));
}

TEST(PredictStill, RefusesModelsItCannotUse) {
  SmallStill still;
  models::Crystal crystal = still.lattice.crystal;
  crystal.mosaicity.reset();
  EXPECT_THROW(predict_still(crystal, still.beam, still.detector, 3.0), core::Error);
  crystal.mosaicity = models::Mosaicity{0.1, 0};
  EXPECT_THROW(predict_still(crystal, still.beam, still.detector, 3.0), core::Error);
  crystal.mosaicity = models::Mosaicity{std::nan(""), 1000};
  EXPECT_THROW(predict_still(crystal, still.beam, still.detector, 3.0), core::Error);
  crystal.mosaicity = models::Mosaicity{0.1, 1000};
  EXPECT_THROW(predict_still(crystal, still.beam, still.detector, -1.0), core::Error);
  crystal.a_matrix = Mat3{};
  EXPECT_THROW(predict_still(crystal, still.beam, still.detector, 3.0), core::Error);
}

TEST(PanelLookup, GivesWhatTheDetectorGives) {
  const SmallStill still(true);
  const PanelLookup lookup(still.detector);
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> uniform(-1, 1);
  int hits = 0;
  for (int i = 0; i < 20000; ++i) {
    const Vec3 ray = Vec3{0.5 * uniform(random), 0.5 * uniform(random), i % 50 == 0 ? 1.0 : -1.0};
    const auto slow = still.detector.intersect(ray), fast = lookup.intersect(ray);
    ASSERT_EQ(slow.has_value(), fast.has_value());
    if (!slow) continue;
    ++hits;
    EXPECT_EQ(slow->panel, fast->panel);
    EXPECT_NEAR(slow->px.x, fast->px.x, 1e-9);
    EXPECT_NEAR(slow->mm.y, fast->mm.y, 1e-9);
  }
  EXPECT_GT(hits, 1000);
}

} // namespace
} // namespace kilobragg::integration
