// What a shot's errors do to F, against derivatives by differences and a dense inverse.
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/factor_errors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace kilobragg::pixelrefinement {
namespace {

using testing::make_pixel_shot;
using testing::PixelShot;

using Matrix = std::vector<std::vector<double>>;

Matrix square(std::size_t n) { return Matrix(n, std::vector<double>(n)); }

void add_outer(Matrix& m, double weight, const std::vector<double>& v) {
  for (std::size_t i = 0; i < v.size(); ++i)
    for (std::size_t j = 0; j < v.size(); ++j) m[i][j] += weight * v[i] * v[j];
}

/// Gauss and Jordan, with the largest pivot of each column.
Matrix inverse_of(Matrix m) {
  const std::size_t n = m.size();
  Matrix inverse = square(n);
  for (std::size_t i = 0; i < n; ++i) inverse[i][i] = 1;
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t best = c;
    for (std::size_t r = c; r < n; ++r)
      if (std::abs(m[r][c]) > std::abs(m[best][c])) best = r;
    std::swap(m[c], m[best]), std::swap(inverse[c], inverse[best]);
    const double pivot = m[c][c];
    for (std::size_t k = 0; k < n; ++k) m[c][k] /= pivot, inverse[c][k] /= pivot;
    for (std::size_t r = 0; r < n; ++r) {
      const double factor = r == c ? 0 : m[r][c];
      for (std::size_t k = 0; k < n; ++k)
        m[r][k] -= factor * m[c][k], inverse[r][k] -= factor * inverse[c][k];
    }
  }
  return inverse;
}

struct Scene {
  PixelShot shot = make_pixel_shot({.lattices = 2, .readout = 0.4, .sigma = 0});
  Stage1Params params;
  std::vector<double> x;

  Scene() {
    params.rules.b_factor.fixed = false;
    params.target.likelihood = Likelihood::NoisyPoisson;
    params.target.tail = 1e-14; // no pixel gains or loses its light as parameters move
    for (std::size_t b = 0; b < shot.pixels.boxes.size(); b += 7)
      shot.pixels.boxes[b].state = b % 2 == 0 ? BoxState::LeftOut : BoxState::Overlapped;
    x = ParameterSpace(shot.truth, params.rules).start();
  }
  ParameterSpace space() const { return ParameterSpace(shot.truth, params.rules); }
  std::vector<double> bragg_at(const std::vector<double>& at) const {
    const ShotModel model = space().model(at);
    const auto near = reflections_near(shot.truth, shot.sphere, 0.01);
    return testing::bragg_of(model, shot.pixels, with_factors(near, shot.table, model.b_factor),
                             {.oversample = params.target.oversample, .tail = params.target.tail});
  }
  /// d photons / d parameters: [pixel][parameter].
  Matrix derivatives() const {
    Matrix d(shot.pixels.size(), std::vector<double>(x.size()));
    for (std::size_t q = 0; q < x.size(); ++q) {
      const double h = 1e-4;
      std::vector<double> up = x, down = x;
      up[q] += h, down[q] -= h;
      const std::vector<double> above = bragg_at(up), below = bragg_at(down);
      for (std::size_t i = 0; i < above.size(); ++i) d[i][q] = (above[i] - below[i]) / (2 * h);
    }
    return d;
  }
};

TEST(FactorErrors, AreThoseOfADenseInverse) {
  const Scene scene;
  const ShotPixels& pixels = scene.shot.pixels;
  const std::vector<double> bragg = scene.bragg_at(scene.x);
  const Matrix d = scene.derivatives();
  const std::size_t n = scene.x.size();
  const auto weight = [&](std::size_t i) {
    const double noise = double(pixels.readout_of(i));
    return 1 / (double(pixels.background[i]) + bragg[i] + noise * noise);
  };
  std::vector<double> gradient(scene.x.size()), restraints(scene.x.size());
  scene.space().restrain(scene.x, gradient, restraints);
  Matrix m = square(n);
  for (std::size_t q = 0; q < n; ++q) m[q][q] = restraints[q];
  for (const ReflectionBox& box : pixels.boxes)
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i)
      if (box.state == BoxState::Used && pixels.used[i] != 0) add_outer(m, weight(i), d[i]);
  const Matrix covariance = inverse_of(m);

  const auto found =
      factor_errors(scene.shot.truth, pixels, scene.shot.table, scene.shot.sphere, scene.params);
  std::size_t at = 0, bright = 0;
  for (const ReflectionBox& box : pixels.boxes) {
    if (box.state != BoxState::Used) continue;
    ASSERT_LT(at, found.size());
    const FactorError& error = found[at++];
    EXPECT_EQ(error.row, scene.shot.table.row_of(box.hkl));
    std::vector<double> c(n);
    Matrix with_plane = square(4); // ln F, then the plane
    const int width = box.box.x1 - box.box.x0;
    for (std::size_t i = 0; i < box.box.size(); ++i) {
      const std::size_t pixel = box.first + i;
      if (pixels.used[pixel] == 0) continue;
      for (std::size_t q = 0; q < n; ++q) c[q] += weight(pixel) * 2 * bragg[pixel] * d[pixel][q];
      add_outer(with_plane, weight(pixel),
                {2 * bragg[pixel], 1, double(int(i) % width), double(int(i) / width)});
    }
    const double information = with_plane[0][0];
    if (information < 1e-3) continue; // hardly any light
    const double of_plane =
        information * information * (inverse_of(with_plane)[0][0] - 1 / information);
    double expected = of_plane;
    for (std::size_t q = 0; q < n; ++q)
      for (std::size_t r = 0; r < n; ++r) expected += c[q] * covariance[q][r] * c[r];
    EXPECT_NEAR(error.variance, expected, 1e-3 * expected + 1e-9);
    bright += expected > 1;
  }
  EXPECT_EQ(at, found.size());
  EXPECT_GT(bright, 20u);
}

} // namespace
} // namespace kilobragg::pixelrefinement
