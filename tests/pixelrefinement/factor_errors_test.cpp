// What a shot's errors do to F, against derivatives by differences and dense inverses.
#include "tests/support/dense_matrix.hpp"
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/factor_errors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace kilobragg::pixelrefinement {
namespace {

using testing::add_outer;
using testing::inverse_of;
using testing::make_pixel_shot;
using testing::Matrix;
using testing::PixelShot;
using testing::square;

struct Scene {
  PixelShot shot = make_pixel_shot({.lattices = 2, .readout = 0.4, .sigma = 0});
  Stage1Params params;
  std::vector<double> x, bragg;
  Matrix slopes; ///< d photons / d parameters: [parameter][pixel]
  Matrix layers; ///< photons of each layer's F

  explicit Scene(bool energies) {
    if (energies) testing::give_energies(shot);
    params.rules.b_factor.fixed = false;
    params.target.likelihood = Likelihood::NoisyPoisson;
    params.target.tail = 1e-14; // no pixel gains or loses its light as parameters move
    for (std::size_t b = 0; b < shot.pixels.boxes.size(); b += 7)
      shot.pixels.boxes[b].state = b % 2 == 0 ? BoxState::LeftOut : BoxState::Overlapped;
    x = space().start();
    bragg = bragg_at(x, shot.table);
    const double h = 1e-4;
    for (std::size_t q = 0; q < x.size(); ++q) {
      std::vector<double> up = x, down = x;
      up[q] += h, down[q] -= h;
      add_slope(slopes, bragg_at(up, shot.table), bragg_at(down, shot.table), 2 * h);
    }
    const std::size_t size = shot.table.layer_size();
    for (std::size_t l = 0; l < shot.table.layers(); ++l) {
      FactorTable up = shot.table, down = shot.table;
      for (std::size_t i = l * size; i < (l + 1) * size; ++i)
        up.f[i] *= std::exp(h), down.f[i] *= std::exp(-h);
      add_slope(layers, bragg_at(x, up), bragg_at(x, down), 4 * h); // d m / d ln F = 2 k
    }
  }
  static void add_slope(Matrix& to, const std::vector<double>& up, const std::vector<double>& down,
                        double step) {
    to.emplace_back();
    for (std::size_t i = 0; i < up.size(); ++i) to.back().push_back((up[i] - down[i]) / step);
  }
  ParameterSpace space() const { return ParameterSpace(shot.truth, params.rules); }
  std::vector<double> bragg_at(const std::vector<double>& at, const FactorTable& table) const {
    const ShotModel model = space().model(at);
    const auto near = reflections_near(shot.truth, shot.sphere, 0.01);
    return testing::bragg_of(model, shot.pixels, with_factors(near, table, model.b_factor),
                             {.oversample = params.target.oversample, .tail = params.target.tail});
  }
  double weight(std::size_t pixel) const {
    if (shot.pixels.used[pixel] == 0) return 0;
    const double noise = double(shot.pixels.readout_of(pixel));
    return 1 / (double(shot.pixels.background[pixel]) + bragg[pixel] + noise * noise);
  }
  /// The covariance of the parameters.
  Matrix covariance() const {
    std::vector<double> gradient(x.size()), restraints(x.size());
    space().restrain(x, gradient, restraints);
    Matrix m = square(x.size());
    for (std::size_t q = 0; q < x.size(); ++q) m[q][q] = restraints[q];
    for (const ReflectionBox& box : shot.pixels.boxes)
      for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
        if (box.state != BoxState::Used) break;
        std::vector<double> d;
        for (const auto& slope : slopes) d.push_back(slope[i]);
        add_outer(m, weight(i), d);
      }
    return inverse_of(m);
  }
};

/// What one box should say, by layer.
struct Expected {
  Matrix scores, planes, information; ///< covariance of scores; on the diagonal what planes add
};

Expected expected_of(const Scene& scene, const Matrix& covariance, const ReflectionBox& box) {
  const std::size_t n = scene.x.size(), layers = scene.layers.size();
  Expected e{square(layers), square(layers), square(layers)};
  Matrix c(layers, std::vector<double>(n));
  const int width = box.box.x1 - box.box.x0;
  for (std::size_t a = 0; a < layers; ++a) {
    Matrix with_plane = square(4); // ln F, then the plane
    for (std::size_t i = 0; i < box.box.size(); ++i) {
      const std::size_t pixel = box.first + i;
      const double weight = scene.weight(pixel), k = scene.layers[a][pixel];
      for (std::size_t q = 0; q < n; ++q) c[a][q] += weight * 2 * k * scene.slopes[q][pixel];
      for (std::size_t b = 0; b < layers; ++b)
        e.information[a][b] += weight * 4 * k * scene.layers[b][pixel];
      add_outer(with_plane, weight, {2 * k, 1, double(int(i) % width), double(int(i) / width)});
    }
    const double information = with_plane[0][0];
    if (information > 1e-6)
      e.planes[a][a] = information * information * inverse_of(with_plane)[0][0] - information;
  }
  for (std::size_t a = 0; a < layers; ++a)
    for (std::size_t b = 0; b < layers; ++b)
      for (std::size_t q = 0; q < n; ++q)
        for (std::size_t r = 0; r < n; ++r) e.scores[a][b] += c[a][q] * covariance[q][r] * c[b][r];
  return e;
}

void expect_dense_inverse(const Scene& scene) {
  const Matrix covariance = scene.covariance();
  const std::size_t layers = scene.layers.size();
  const ShotErrors found = factor_errors(scene.shot.truth, scene.shot.pixels, scene.shot.table,
                                         scene.shot.sphere, scene.params);
  std::size_t at = 0, pair = 0, bright = 0;
  for (const ReflectionBox& box : scene.shot.pixels.boxes) {
    if (box.state != BoxState::Used) continue;
    const Expected expected = expected_of(scene, covariance, box);
    const auto row = std::size_t(scene.shot.table.row_of(box.hkl));
    const double largest = [&] {
      double sum = 0;
      for (std::size_t a = 0; a < layers; ++a) sum += expected.information[a][a];
      return sum;
    }();
    ASSERT_LE(at + layers, found.of_f.size());
    for (std::size_t b = 0; b < layers; ++b) {
      const FactorError& error = found.of_f[at++];
      EXPECT_EQ(std::size_t(error.row), b * scene.shot.table.layer_size() + row);
      const double variance = expected.scores[b][b] + expected.planes[b][b];
      EXPECT_NEAR(error.variance, variance, 1e-3 * variance + 1e-6 * largest + 1e-6);
      bright += variance > 1;
      for (std::size_t a = 0; a < b; ++a) {
        ASSERT_LT(pair, found.between.size());
        const EnergyCoupling& coupling = found.between[pair++];
        EXPECT_EQ(std::size_t(coupling.row), row);
        EXPECT_EQ(std::size_t(coupling.a), a);
        EXPECT_EQ(std::size_t(coupling.b), b);
        EXPECT_NEAR(coupling.information, expected.information[a][b], 1e-5 * largest);
        const double both = std::sqrt(expected.scores[a][a] * expected.scores[b][b]);
        EXPECT_NEAR(coupling.covariance, expected.scores[a][b],
                    1e-3 * both + 1e-6 * largest + 1e-6);
      }
    }
  }
  EXPECT_EQ(at, found.of_f.size());
  EXPECT_EQ(pair, found.between.size());
  EXPECT_EQ(pair > 0, layers > 1);
  EXPECT_GT(bright, 20u);
}

TEST(FactorErrors, AreThoseOfADenseInverse) { expect_dense_inverse(Scene(false)); }

TEST(FactorErrors, OfSeveralEnergiesAreThoseOfADenseInverse) { expect_dense_inverse(Scene(true)); }

} // namespace
} // namespace kilobragg::pixelrefinement
