// Stage 1 on drawn shots: what it recovers, how true its errors are, and how bad shots end.
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/refine_shot.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

using testing::make_pixel_shot;
using testing::PixelShot;

/// Orientation, cell, N, spread and G moved away from the truth.
ShotModel perturbed(ShotModel shot) {
  for (auto& lattice : shot.lattices) {
    Mat3& a = lattice.crystal.a_matrix;
    a = rotation_about(unit({1, -1, 0.5}), 0.001) * a;
    const Mat3 u = lattice.crystal.u_matrix(), b = transpose(u) * a;
    a = u * (Mat3{{1.001, 0, 0, 0, 1.001, 0, 0, 0, 0.9985}} * b);
    lattice.size = 1.15 * lattice.size;
    lattice.rotation = 0.8 * lattice.rotation;
    lattice.scale *= 1.4;
  }
  return shot;
}

double angle_between(const Mat3& a, const Mat3& b) {
  return models::misorientation_deg(a, b, {{1, 0, 0, 0, 1, 0, 0, 0, 1}});
}

void expect_truth(const ShotModel& found, const ShotModel& truth) {
  for (std::size_t l = 0; l < truth.lattices.size(); ++l) {
    const auto &a = found.lattices[l], &b = truth.lattices[l];
    EXPECT_LT(angle_between(a.crystal.a_matrix, b.crystal.a_matrix), 0.01);
    EXPECT_NEAR(a.crystal.unit_cell().a, b.crystal.unit_cell().a, 0.02);
    EXPECT_NEAR(a.crystal.unit_cell().c, b.crystal.unit_cell().c, 0.02);
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(a.size(i, i) / b.size(i, i), 1, 0.15);
    EXPECT_NEAR(std::sqrt(a.rotation(0, 0) / b.rotation(0, 0)), 1, 0.1);
    EXPECT_NEAR(a.scale / b.scale, 1, 0.2);
  }
}

TEST(RefineShot, RecoversTheTruth) {
  for (const int lattices : {1, 2}) {
    PixelShot shot = make_pixel_shot({.lattices = lattices, .sigma = 0.03});
    ShotModel model = perturbed(shot.truth);
    const double factor = set_first_scale(model, shot.pixels, shot.table, shot.sphere, {});
    EXPECT_GT(factor, 0.2);
    EXPECT_LT(factor, 2);
    const Stage1Result result = refine_shot(model, shot.pixels, shot.table, shot.sphere, {});
    EXPECT_EQ(model.state, ShotState::Refined);
    EXPECT_NEAR(result.sigma_z, 1, 0.05);
    EXPECT_GE(result.sigma_z_known, result.sigma_z);
    EXPECT_EQ(result.boxes, shot.pixels.boxes.size());
    EXPECT_LT(result.evaluations, 60);
    EXPECT_EQ(result.parameters.size(), std::size_t(13 * lattices));
    expect_truth(model, shot.truth);
  }
}

TEST(RefineShot, FindsBlocksThatLieAcrossTheEdgesOfTheCell) {
  const Mat3 across{{16, 9, -4, 9, 24, 5, -4, 5, 13}};
  PixelShot shot = make_pixel_shot({.sigma = 0.03, .size = across});
  ShotModel model = perturbed(shot.truth);
  model.lattices[0].size = 18 * Mat3::identity();
  ASSERT_GT(set_first_scale(model, shot.pixels, shot.table, shot.sphere, {}), 0);
  ShotModel along = model;
  ShotPixels pixels = shot.pixels;
  Stage1Params three;
  three.rules.size_elements = diffraction::SymmetricElements::Three;
  const double diagonal = refine_shot(along, pixels, shot.table, shot.sphere, three).f;
  const double all = refine_shot(model, shot.pixels, shot.table, shot.sphere, {}).f;
  EXPECT_EQ(model.state, ShotState::Refined);
  EXPECT_LT(all, diagonal - 100);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) EXPECT_NEAR(model.lattices[0].size(i, j), across(i, j), 2);
  EXPECT_LT(
      angle_between(model.lattices[0].crystal.a_matrix, shot.truth.lattices[0].crystal.a_matrix),
      0.01);
}

TEST(RefineShot, ErrorsAreTrue) {
  PixelShot shot = make_pixel_shot({.threshold = 100});
  Stage1Params params;
  params.target.free_intensities = false;
  std::map<std::string, std::vector<double>> pulls;
  const ParameterSpace space(shot.truth, params.rules);
  const std::vector<double> start = space.start();
  for (unsigned draw = 0; draw < 60; ++draw) {
    testing::draw_values(shot, 0, 100 + draw);
    ShotModel model = shot.truth;
    ShotPixels pixels = shot.pixels;
    const Stage1Result result = refine_shot(model, pixels, shot.table, shot.sphere, params);
    ASSERT_EQ(model.state, ShotState::Refined);
    for (std::size_t i = 0; i < space.size(); ++i)
      pulls[space.name(i)].push_back((result.parameters[i].value - space.value(i, start[i])) /
                                     result.parameters[i].sigma);
  }
  std::vector<double> all;
  for (auto& [name, some] : pulls) {
    double mean = 0, squares = 0;
    for (const double p : some) {
      all.push_back(std::abs(p));
      mean += p / 60;
      squares += p * p / 60;
    }
    EXPECT_LT(std::abs(mean), 0.55) << name;
    EXPECT_NEAR(std::sqrt(squares), 1, 0.35) << name;
  }
  std::sort(all.begin(), all.end());
  const double width = 1.4826 * all[all.size() / 2];
  EXPECT_GT(width, 0.85);
  EXPECT_LT(width, 1.15);
}

TEST(RefineShot, DropsAHotPixelBeforeItDoesHarm) {
  PixelShot shot = make_pixel_shot({.sigma = 0.03});
  const std::size_t hot = shot.pixels.boxes[3].first + 33;
  shot.pixels.value[hot] = 1e6f;
  ShotModel model = perturbed(shot.truth);
  const Stage1Result result = refine_shot(model, shot.pixels, shot.table, shot.sphere, {});
  EXPECT_EQ(model.state, ShotState::Refined);
  EXPECT_EQ(shot.pixels.used[hot], 0);
  EXPECT_GE(result.outliers, 1u);
  EXPECT_LE(result.outliers, 10u);
  EXPECT_NEAR(result.sigma_z, 1, 0.05);
  expect_truth(model, shot.truth);
}

TEST(RefineShot, MarksOutliersAndGoesOnWithoutThem) {
  PixelShot shot = make_pixel_shot({.sigma = 0.03});
  std::vector<std::size_t> bad;
  for (const std::size_t box : {2, 9, 17}) bad.push_back(shot.pixels.boxes[box].first + 5);
  for (const std::size_t i : bad) shot.pixels.value[i] = 90;
  ShotModel model = shot.truth;
  refine_shot(model, shot.pixels, shot.table, shot.sphere, {});
  EXPECT_EQ(model.state, ShotState::Refined);
  for (const std::size_t i : bad) EXPECT_EQ(shot.pixels.used[i], 0);
  expect_truth(model, shot.truth);
}

/// The model stays as it was, but for its state.
void expect_unchanged(const ShotModel& model, const ShotModel& before, ShotState state) {
  EXPECT_STREQ(word_of(model.state), word_of(state));
  for (std::size_t l = 0; l < before.lattices.size(); ++l) {
    EXPECT_EQ(model.lattices[l].crystal.a_matrix, before.lattices[l].crystal.a_matrix);
    EXPECT_EQ(model.lattices[l].size, before.lattices[l].size);
    EXPECT_EQ(model.lattices[l].scale, before.lattices[l].scale);
  }
}

TEST(RefineShot, AWrongLatticeIsABadFit) {
  for (const double brighter : {1.0, 20.0}) {
    PixelShot shot = make_pixel_shot({.sigma = 0.1});
    for (double& light : shot.bragg) light *= brighter;
    testing::draw_values(shot, 0, 3);
    ShotModel model = shot.truth;
    model.lattices[0].scale *= brighter;
    model.lattices[0].crystal.a_matrix =
        rotation_about(unit({1, 3, -2}), 0.2) * model.lattices[0].crystal.a_matrix;
    const ShotModel before = model;
    Stage1Params params;
    params.max_sigma_z = 3;
    refine_shot(model, shot.pixels, shot.table, shot.sphere, params);
    expect_unchanged(model, before, ShotState::BadFit);
  }
}

TEST(RefineShot, WithoutLightIsABadFit) {
  PixelShot shot = make_pixel_shot({.sigma = 0.1});
  for (double& light : shot.bragg) light = 0;
  testing::draw_values(shot, 0, 3);
  ShotModel model = shot.truth;
  refine_shot(model, shot.pixels, shot.table, shot.sphere, {});
  expect_unchanged(model, shot.truth, ShotState::BadFit);
}

TEST(RefineShot, TooFewBoxesAreNoPixels) {
  PixelShot shot = make_pixel_shot({});
  ShotModel model = shot.truth;
  ShotPixels none;
  refine_shot(model, none, shot.table, shot.sphere, {});
  expect_unchanged(model, shot.truth, ShotState::NoPixels);
  EXPECT_EQ(set_first_scale(model, none, shot.table, shot.sphere, {}), 0);
  for (std::size_t b = 5; b < shot.pixels.boxes.size(); ++b)
    shot.pixels.boxes[b].state = BoxState::Saturated;
  refine_shot(model, shot.pixels, shot.table, shot.sphere, {});
  expect_unchanged(model, shot.truth, ShotState::NoPixels);
}

TEST(RefineShot, TooFewPixelsAreSingular) {
  PixelShot shot = make_pixel_shot({});
  std::fill(shot.pixels.used.begin(), shot.pixels.used.end(), std::uint8_t(0));
  for (std::size_t b = 0; b < 4; ++b) shot.pixels.used[shot.pixels.boxes[b].first + 44] = 1;
  ShotModel model = shot.truth;
  refine_shot(model, shot.pixels, shot.table, shot.sphere, {});
  expect_unchanged(model, shot.truth, ShotState::Singular);
}

TEST(RefineShot, WhatIsNotFiniteIsSaid) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  PixelShot shot = make_pixel_shot({.sigma = 0.1}), other = shot;
  shot.table.f[std::size_t(shot.table.row_of(shot.pixels.boxes[4].hkl))] = nan;
  ShotModel model = shot.truth;
  const auto used = shot.pixels.used;
  refine_shot(model, shot.pixels, shot.table, shot.sphere, {});
  expect_unchanged(model, shot.truth, ShotState::NotFinite);
  EXPECT_EQ(shot.pixels.used, used);
  other.pixels.value[other.pixels.boxes[4].first + 3] = float(nan);
  refine_shot(model, other.pixels, other.table, other.sphere, {});
  expect_unchanged(model, shot.truth, ShotState::NotFinite);
}

TEST(RefineShot, StopsAtTheLimitOfEvaluations) {
  PixelShot shot = make_pixel_shot({.sigma = 0.1});
  ShotModel model = perturbed(shot.truth);
  Stage1Params params;
  params.max_evaluations = 3;
  const Stage1Result result = refine_shot(model, shot.pixels, shot.table, shot.sphere, params);
  EXPECT_STREQ(word_of(model.state), "limit");
  EXPECT_LE(result.evaluations, 3);
}

/// Shots that end differently and ask for different things: two lattices, a hot pixel, a wrong lattice, a
/// moved detector, no boxes, F that is not finite elsewhere.
std::vector<PixelShot> motley_shots() {
  std::vector<PixelShot> shots;
  for (int s = 0; s < 6; ++s) {
    shots.push_back(
        make_pixel_shot({.lattices = s == 1 ? 2 : 1, .sigma = 0.1, .seed = unsigned(s)}));
    shots.back().truth = perturbed(shots.back().truth);
  }
  shots[2].pixels.value[shots[2].pixels.boxes[3].first + 33] = 1e6F;
  Mat3& a = shots[3].truth.lattices[0].crystal.a_matrix;
  a = rotation_about(unit({1, 3, -2}), 0.2) * a;
  shots[4].truth.distance = 0.05;
  shots[5].pixels = {};
  return shots;
}

TEST(RefineShot, ManyInStepEndAsEachAlone) {
  for (const bool more : {false, true}) {
    std::vector<PixelShot> shots = motley_shots();
    Stage1Params params;
    params.max_sigma_z = 3;
    params.rules.distance.fixed = params.rules.b_factor.fixed = !more;
    const FactorTable table = shots[0].table; // the same in all
    std::vector<ShotModel> alone;
    std::vector<ShotPixels> pixels_alone;
    std::vector<Stage1Result> results_alone;
    for (const PixelShot& shot : shots) {
      alone.push_back(shot.truth);
      pixels_alone.push_back(shot.pixels);
      results_alone.push_back(
          refine_shot(alone.back(), pixels_alone.back(), table, shots[0].sphere, params));
    }
    std::vector<ShotToRefine> together;
    for (PixelShot& shot : shots) together.push_back({&shot.truth, &shot.pixels});
    const auto results = refine_shots(together, table, shots[0].sphere, params);
    ASSERT_EQ(results.size(), shots.size());
    std::map<ShotState, int> ends;
    for (std::size_t s = 0; s < shots.size(); ++s) {
      SCOPED_TRACE(s);
      const ShotModel& shot = shots[s].truth;
      ++ends[shot.state];
      expect_unchanged(shot, alone[s], alone[s].state);
      EXPECT_EQ(shot.distance, alone[s].distance);
      EXPECT_EQ(shot.b_factor, alone[s].b_factor);
      EXPECT_EQ(shots[s].pixels.used, pixels_alone[s].used);
      EXPECT_EQ(results[s].f, results_alone[s].f);
      EXPECT_EQ(results[s].sigma_z, results_alone[s].sigma_z);
      EXPECT_EQ(results[s].evaluations, results_alone[s].evaluations);
      ASSERT_EQ(results[s].parameters.size(), results_alone[s].parameters.size());
      for (std::size_t i = 0; i < results[s].parameters.size(); ++i) {
        EXPECT_EQ(results[s].parameters[i].value, results_alone[s].parameters[i].value);
        EXPECT_EQ(results[s].parameters[i].sigma, results_alone[s].parameters[i].sigma);
      }
    }
    EXPECT_EQ(ends[ShotState::Refined], 4);
    EXPECT_EQ(ends[ShotState::BadFit], 1);
    EXPECT_EQ(ends[ShotState::NoPixels], 1);
  }
}

} // namespace
} // namespace kilobragg::pixelrefinement
