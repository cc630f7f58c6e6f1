// Errors of F at several energies, against dense inverses, on any number of ranks.
#include "tests/support/dense_matrix.hpp"

#include "kilobragg/pixelrefinement/energy_errors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace kilobragg::pixelrefinement {
namespace {

using testing::inverse_of;
using testing::Matrix;
using testing::square;

constexpr std::size_t layers = 3;
constexpr int shots = 4;
constexpr double energy_sigma = 0.3;

/// What all shots say of one row: information and covariance of scores.
struct RowTruth {
  Matrix information = square(layers), scores = square(layers);
};

/// Shots that speak of every row, two thirds alike in all layers; shot 1 does not count.
struct Scene {
  FactorTable table = with_energies(
      make_factor_table({21, 34, 29, 90, 90, 90}, models::SpaceGroup("P 21 21 21"), 6, true),
      {7000, 7100, 7200});
  std::vector<ShotErrors> errors{shots};
  std::vector<std::uint8_t> on{1, 0, 1, 1};
  std::vector<RowTruth> rows{table.layer_size()};

  Scene() {
    std::mt19937_64 random(3);
    std::normal_distribution<double> normal;
    const double tie = 1 / (energy_sigma * energy_sigma);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      Matrix& j = rows[row].information;
      for (int shot = 0; shot < shots; ++shot) {
        const auto drawn = [&](double strength, Matrix& sum) {
          const double common = normal(random);
          std::vector<double> v(layers);
          for (double& of_layer : v) of_layer = strength * (common + 0.7 * normal(random));
          testing::add_outer(sum, 1, v);
        };
        Matrix information = square(layers), scores = square(layers);
        for (int k = 0; k < 3; ++k) drawn(10, information), drawn(4, scores);
        for (std::size_t a = 0; a < layers; ++a)
          for (std::size_t b = 0; b < layers; ++b) {
            if (on[std::size_t(shot)] != 0) {
              j[a][b] += information[a][b];
              rows[row].scores[a][b] += scores[a][b];
            }
            if (a < b)
              errors[std::size_t(shot)].between.push_back({std::int32_t(row), std::int32_t(a),
                                                           std::int32_t(b), information[a][b],
                                                           scores[a][b]});
          }
      }
      for (std::size_t a = 0; a < layers; ++a) j[a][a] += 4; // a prior
      for (std::size_t a = 0; a + 1 < layers; ++a) {
        j[a][a] += tie, j[a + 1][a + 1] += tie;
        j[a][a + 1] -= tie, j[a + 1][a] -= tie;
      }
    }
  }
};

TEST(EnergyErrors, AreThoseOfADenseInverse) {
  const Scene scene;
  const auto world = parallel::Communicator::world();
  std::vector<ShotErrors> mine;
  std::vector<std::uint8_t> on;
  for (int shot = world.rank(); shot < shots; shot += world.size()) {
    mine.push_back(scene.errors[std::size_t(shot)]);
    on.push_back(scene.on[std::size_t(shot)]);
  }
  const std::size_t size = scene.table.layer_size();
  std::vector<double> information(scene.table.size()), of_shots(scene.table.size());
  for (std::size_t row = 0; row < size; ++row)
    for (std::size_t a = 0; a < layers; ++a) {
      const double i = scene.rows[row].information[a][a];
      information[a * size + row] = i;
      of_shots[a * size + row] = scene.rows[row].scores[a][a] / (i * i);
    }
  const std::vector<double> variance =
      energy_variances(world, mine, on, information, of_shots, scene.table, energy_sigma);
  std::size_t larger = 0;
  for (std::size_t row = 0; row < size; ++row) {
    const Matrix w = inverse_of(scene.rows[row].information);
    for (std::size_t a = 0; a < layers; ++a) {
      double expected = w[a][a];
      for (std::size_t b = 0; b < layers; ++b)
        for (std::size_t c = 0; c < layers; ++c)
          expected += w[a][b] * scene.rows[row].scores[b][c] * w[c][a];
      const std::size_t i = a * size + row;
      EXPECT_NEAR(variance[i], expected, 1e-6 * expected) << row << ' ' << a;
      larger += variance[i] > 1.5 * (1 / information[i] + of_shots[i]);
    }
  }
  EXPECT_GT(larger, size / 2);
}

TEST(EnergyErrors, OneLayerStandsAlone) {
  const FactorTable table =
      make_factor_table({21, 34, 29, 90, 90, 90}, models::SpaceGroup("P 21 21 21"), 6, true);
  const std::vector<double> information(table.size(), 8), of_shots(table.size(), 0.25);
  EXPECT_EQ(energy_variances(parallel::Communicator::world(), {}, {}, information, of_shots, table,
                             energy_sigma),
            std::vector<double>(table.size(), 0.375));
}

TEST(EnergyErrors, WhatIsSingularOrNoNumberIsNoTrap) {
  const Scene scene;
  const auto world = parallel::Communicator::world();
  const std::size_t size = scene.table.layer_size();
  std::vector<double> information(scene.table.size(), 1e-3), of_shots(scene.table.size(), 1e-3);
  information[0] = std::nan("");
  information[1] = 0;
  std::vector<ShotErrors> mine;
  std::vector<std::uint8_t> on;
  if (world.is_root()) mine.push_back(scene.errors[0]), on.push_back(1);
  const auto variance = energy_variances(world, mine, on, information, of_shots, scene.table, 0);
  for (std::size_t i = 2; i < size; ++i) {
    EXPECT_TRUE(std::isfinite(variance[i])) << i;
    EXPECT_GE(variance[i], 999) << i;
  }
}

} // namespace
} // namespace kilobragg::pixelrefinement
