// Spheres of indices against plain enumeration, reflections that light a shot, means after Wilson.
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/core/units.hpp"
#include "kilobragg/pixelrefinement/shot_reflections.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

namespace kilobragg::pixelrefinement {
namespace {

models::UnitCell cell_of(const std::string& group) {
  if (group == "P1") return {20, 23, 26, 80, 95, 100};
  if (group == "C2") return {40, 23, 30, 90, 100, 90};
  if (group == "R3:H" || group == "P6122") return {30, 30, 50, 90, 90, 120};
  if (group == "I23") return {40, 40, 40, 90, 90, 90};
  return {30, 30, 40, 90, 90, 90};
}

TEST(FactorSphere, HoldsEveryIndexOnceInItsRow) {
  for (const std::string group : {"P1", "C2", "P43212", "R3:H", "P6122", "I23"})
    for (const bool apart : {true, false}) {
      SCOPED_TRACE(group + (apart ? " apart" : " together"));
      const double d_min = 4;
      const models::UnitCell cell = cell_of(group);
      const models::SpaceGroup space_group(group);
      const FactorTable table = make_factor_table(cell, space_group, d_min, apart);
      const FactorSphere sphere = expand_to_sphere(table);
      std::map<models::Miller, std::int32_t> found;
      for (std::size_t i = 0; i < sphere.hkl.size(); ++i) {
        EXPECT_TRUE(found.emplace(sphere.hkl[i], sphere.row[i]).second);
        const double d = cell.d(sphere.hkl[i]);
        EXPECT_NEAR(double(sphere.inv_d2[i]), 1 / (d * d), 1e-6 / (d * d));
      }
      std::size_t expected = 0;
      for (int h = -20; h <= 20; ++h)
        for (int k = -20; k <= 20; ++k)
          for (int l = -20; l <= 20; ++l) {
            const models::Miller m{h, k, l};
            if (m == models::Miller{} || cell.d(m) < d_min || space_group.is_absent(m)) continue;
            ++expected;
            const auto at = found.find(m);
            ASSERT_NE(at, found.end()) << h << ' ' << k << ' ' << l;
            EXPECT_EQ(at->second, table.row_of(m));
          }
      EXPECT_EQ(found.size(), expected);
    }
}

TEST(ReflectionsNear, KeepEverythingThatLightsAPixel) {
  const FactorTable table = testing::wilson_table(2.5, true, 0);
  const FactorSphere sphere = expand_to_sphere(table);
  const ShotReflections all{sphere.hkl, sphere.row, sphere.inv_d2, {}, table.size()};
  ShotModel shot = testing::model_of_shot(2);
  shot.wavelength = {0.01, 1.003};
  const double slack = 0.004;
  const ShotReflections near = reflections_near(shot, sphere, slack);
  EXPECT_LT(near.size(), sphere.hkl.size() / 3);
  ShotPixels panels;
  panels.boxes.resize(2);
  for (int p = 0; p < 2; ++p) panels.boxes[std::size_t(p)].box = {p, 0, 150, 0, 140};
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal(0, 1);
  for (int trial = 0; trial < 8; ++trial) {
    ShotModel turned = shot;
    for (auto& lattice : turned.lattices) {
      const Vec3 axis = unit({normal(random), normal(random), normal(random)});
      lattice.crystal.a_matrix =
          rotation_about(axis, trial == 0 ? 0 : slack) * lattice.crystal.a_matrix;
      lattice.size = (1 / 1.2) * lattice.size;
      lattice.rotation = 1.4 * lattice.rotation;
    }
    const diffraction::ShoeboxOptions options{.oversample = 1, .tail = 1e-6};
    const auto whole = testing::bragg_of(turned, panels, with_factors(all, table, 0), options),
               part = testing::bragg_of(turned, panels, with_factors(near, table, 0), options);
    double light = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_NEAR(part[i], whole[i], 1e-12 * whole[i]);
      light += whole[i];
    }
    EXPECT_GT(light, 1000);
  }
}

TEST(WithFactors, TakesRowsAndB) {
  const FactorTable table = testing::wilson_table(5, true, 0);
  const FactorSphere sphere = expand_to_sphere(table);
  const ShotReflections near = reflections_near(testing::model_of_shot(1), sphere, 0.01);
  const auto plain = with_factors(near, table, 0), damped = with_factors(near, table, 20);
  std::vector<double> by_row;
  for (std::size_t i = 0; i < table.size(); ++i) by_row.push_back(double(i) + 0.5);
  const auto values = with_values(near, by_row, 0);
  ASSERT_GT(near.size(), 20u);
  for (std::size_t i = 0; i < near.size(); ++i) {
    const std::int32_t row = table.row_of(near.hkl[i]);
    const double f = table.f[std::size_t(row)], d = table.cell.d(near.hkl[i]);
    EXPECT_NEAR(plain.f_squared[i], f * f, 1e-12 * f * f);
    EXPECT_NEAR(damped.f_squared[i], f * f * std::exp(-20 / (2 * d * d)), 1e-5 * f * f);
    EXPECT_EQ(values.f_squared[i], row + 0.5);
  }
}

TEST(MeanIntensities, FollowTheFallOffAndEpsilon) {
  FactorTable table =
      make_factor_table({60, 60, 80, 90, 90, 90}, models::SpaceGroup("P43212"), 3, true);
  std::mt19937_64 random(9);
  std::exponential_distribution<double> intensity(1);
  std::vector<double> expected;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const models::Miller m = table.index[i].miller();
    const double d = table.cell.d(m);
    expected.push_back(1e4 * std::exp(-15 / (d * d)) * table.space_group.epsilon(m));
    table.f[i] = std::sqrt(expected[i] * intensity(random));
    table.measured[i] = i % 5 != 0;
    if (table.measured[i] == 0) table.f[i] = 1e5; // a guess that must not count
  }
  const std::vector<double> mean = mean_intensities(table);
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double off = mean[i] / expected[i] - 1; // 200 values: 7 % deviation
    EXPECT_LT(std::abs(off), 0.35) << i;
    sum += off / double(table.size());
    squares += off * off / double(table.size());
  }
  EXPECT_LT(std::abs(sum), 0.03);
  EXPECT_LT(std::sqrt(squares), 0.09);
}

TEST(MeanIntensities, WithoutMeasurementsAreThoseOfAll) {
  FactorTable table =
      make_factor_table({60, 60, 80, 90, 90, 90}, models::SpaceGroup("P1"), 6, true);
  std::fill(table.f.begin(), table.f.end(), 3.0);
  for (const double mean : mean_intensities(table)) EXPECT_NEAR(mean, 9, 1e-9);
  table.measured[7] = 1; // less than a shell
  table.f[7] = 5;
  for (const double mean : mean_intensities(table)) EXPECT_NEAR(mean, 25, 1e-9);
}

TEST(WithFactors, TakesEveryLayer) {
  const FactorTable one = testing::wilson_table(5, true, 0);
  FactorTable table = with_energies(one, {9400, 9600});
  for (std::size_t i = one.size(); i < table.size(); ++i) table.f[i] *= 2;
  const ShotReflections near =
      reflections_near(testing::model_of_shot(1), expand_to_sphere(table), 0.01);
  const auto sphere = with_factors(near, table, 20), first = with_ones(near, 0, 20),
             second = with_ones(near, 1, 20);
  EXPECT_EQ(sphere.energies, table.energies);
  ASSERT_EQ(sphere.f_squared.size(), 2 * near.size());
  for (std::size_t i = 0; i < near.size(); ++i) {
    const double f = one.f[std::size_t(one.row_of(near.hkl[i]))], d = one.cell.d(near.hkl[i]);
    const double weaker = std::exp(-20 / (2 * d * d));
    EXPECT_NEAR(sphere.f_squared[i], f * f * weaker, 1e-5 * f * f);
    EXPECT_EQ(sphere.f_squared[near.size() + i], 4 * sphere.f_squared[i]);
    EXPECT_NEAR(first.f_squared[i], weaker, 1e-5);
    EXPECT_EQ(first.f_squared[near.size() + i], 0);
    EXPECT_EQ(second.f_squared[i], 0);
    EXPECT_EQ(second.f_squared[near.size() + i], first.f_squared[i]);
  }
}

TEST(LayerShares, AreHatsOfTheSpectrum) {
  models::Beam beam;
  beam.wavelength = core::ev_angstrom / 7110;
  EXPECT_EQ(layer_shares(beam, {}), std::vector<double>{1});
  const auto mono = layer_shares(beam, {7100, 7120, 7200});
  EXPECT_NEAR(mono[0], 0.5, 1e-9);
  EXPECT_NEAR(mono[1], 0.5, 1e-9);
  EXPECT_EQ(mono[2], 0);
  for (const double energy : {7000.0, 7115.0, 7300.0})
    beam.spectrum.wavelengths.push_back(core::ev_angstrom / energy);
  beam.spectrum.weights = {1, 2, 1};
  const auto shares = layer_shares(beam, {7100, 7120, 7200});
  EXPECT_NEAR(shares[0], 0.25 + 0.5 * 0.25, 1e-9);
  EXPECT_NEAR(shares[1], 0.5 * 0.75, 1e-9);
  EXPECT_NEAR(shares[2], 0.25, 1e-9);
}

} // namespace
} // namespace kilobragg::pixelrefinement
