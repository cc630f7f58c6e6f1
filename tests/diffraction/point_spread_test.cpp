// Point spread: exact weights, convolution as plainly done, photons kept.
#include "../reference/point_spread_plain.hpp"

#include "kernels/diffraction/point_spread_share.hpp"
#include "kernels/diffraction/random.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/point_spread.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace kilobragg::diffraction {
namespace {

constexpr std::array<double, 2> square{0.1, 0.1}, oblong{0.08, 0.13};

double density(PointSpreadShape shape, double fwhm, double x, double y) {
  const double r2 = x * x + y * y, pi = std::acos(-1.0);
  if (shape == PointSpreadShape::Gaussian) {
    const double a = 4 * std::log(2.0) / (fwhm * fwhm);
    return a / pi * std::exp(-a * r2);
  }
  const double g = fwhm / (2 * std::sqrt(std::cbrt(4.0) - 1));
  return g / (2 * pi) * std::pow(g * g + r2, -1.5);
}

/// The integral over a pixel by a midpoint sum of 400 x 400 points.
double summed_weight(PointSpreadShape shape, double fwhm, const std::array<double, 2>& pixel,
                     int dx, int dy) {
  constexpr int n = 400;
  double sum = 0;
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < n; ++k)
      sum += density(shape, fwhm, 1e3 * pixel[0] * (dx - 0.5 + (i + 0.5) / n),
                     1e3 * pixel[1] * (dy - 0.5 + (k + 0.5) / n));
  return sum * 1e6 * pixel[0] * pixel[1] / (n * n);
}

class BothShapes : public ::testing::TestWithParam<PointSpreadShape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, BothShapes,
                         ::testing::Values(PointSpreadShape::Gaussian, PointSpreadShape::Fibre));

TEST_P(BothShapes, WeightsAreIntegralsOverPixels) {
  const PointSpreadParams params{GetParam(), 90, 0};
  const auto weights = point_spread_weights(params, oblong, 3);
  for (int dy = 0; dy < 4; ++dy)
    for (int dx = 0; dx < 4; ++dx)
      EXPECT_NEAR(weights[static_cast<std::size_t>(dy * 4 + dx)] /
                      summed_weight(GetParam(), 90, oblong, dx, dy),
                  1, 4e-4)
          << dx << ' ' << dy;
}

TEST_P(BothShapes, IsHalfAsHighAtHalfTheWidth) {
  const auto weights = point_spread_weights({GetParam(), 80, 0}, {0.001, 0.001}, 40);
  EXPECT_NEAR(weights[40] / weights[0], 0.5, 1e-3);
}

TEST(Fibre, TailsFollowTheInverseCube) {
  const auto weights = point_spread_weights({PointSpreadShape::Fibre, 80, 0}, square, 128);
  EXPECT_NEAR(weights[128] / weights[64], 0.125, 1e-3);
  const double g = 80 * 0.652383013252053;
  EXPECT_NEAR(weights[128] / (g / (2 * std::acos(-1.0)) * 1e4 / std::pow(12800.0, 3)), 1, 1e-3);
}

/// Random photons on a panel, most pixels dark, one in twenty bright.
std::vector<float> spotty_image(int width, int height) {
  std::vector<float> image(static_cast<std::size_t>(width * height));
  RandomStream random(3, 0, 0);
  for (float& value : image)
    value = static_cast<float>(random.uniform() < 0.05 ? random.uniform(0, 1e4) : random.uniform());
  return image;
}

TEST_P(BothShapes, ConvolvesAsThePlainSum) {
  for (double fwhm : {40.0, 120.0, 350.0})
    for (int radius : {0, 1, 7, 40}) {
      const PointSpreadParams params{GetParam(), fwhm, radius};
      const PointSpread spread(params, oblong);
      auto image = spotty_image(75, 50);
      const auto plain = reference::spread_points(image, 75, 50, params, oblong, spread.radius());
      spread.apply(image, 75, 50);
      for (std::size_t i = 0; i < image.size(); ++i)
        ASSERT_NEAR(static_cast<double>(image[i]) / plain[i], 1, 2e-4)
            << fwhm << ' ' << radius << ' ' << i;
    }
}

TEST_P(BothShapes, EveryWeightIsRightToAThousandth) {
  const PointSpreadParams params{GetParam(), 130, 0};
  const PointSpread spread(params, oblong);
  const int r = spread.radius(), side = 2 * r + 1;
  std::vector<float> image(static_cast<std::size_t>(side * side));
  image[static_cast<std::size_t>(r * side + r)] = 1;
  spread.apply(image, side, side);
  const auto weights = point_spread_weights(params, oblong, r);
  const double evenly = spread.outside() / (side * side);
  for (int dy = 0; dy <= r; ++dy)
    for (int dx = 0; dx <= r; ++dx) {
      const auto weight = weights[static_cast<std::size_t>(dy * (r + 1) + dx)];
      if (weight < 1e-12) continue;
      for (int sign : {-1, 1})
        ASSERT_NEAR(static_cast<double>(
                        image[static_cast<std::size_t>((r + sign * dy) * side + r - sign * dx)]) -
                        evenly,
                    weight, 1.1e-3 * weight + 1e-6 * evenly)
            << dx << ' ' << dy;
    }
  EXPECT_LE(spread.terms(), 16u);
}

TEST_P(BothShapes, KeepsPhotonsButForTheEdge) {
  const PointSpread spread({GetParam(), 100, 12}, square);
  std::vector<float> middle(40 * 41), corner(40 * 41);
  middle[20 * 40 + 20] = 1000;
  corner[0] = 1000;
  spread.apply(middle, 40, 41);
  spread.apply(corner, 40, 41);
  const auto sum = [](const std::vector<float>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0);
  };
  EXPECT_NEAR(sum(middle), 1000, 2e-3);
  const double quarter = GetParam() == PointSpreadShape::Gaussian
                             ? std::pow(gaussian_share(-50, 1250, 100), 2)
                             : fibre_share(-50, 1250, -50, 1250, fibre_length(100));
  EXPECT_NEAR(sum(corner), 1000 * (quarter + spread.outside()), 5e-3);
}

TEST(Gaussian, NeedsOneTermAndLeavesNothingOut) {
  for (double fwhm : {10.0, 70.0, 400.0}) {
    const PointSpread spread({PointSpreadShape::Gaussian, fwhm, 0}, oblong);
    EXPECT_EQ(spread.terms(), 1u) << fwhm;
    EXPECT_LT(spread.outside(), 1e-6) << fwhm;
  }
}

TEST(SpreadPoints, KeepsPanelsApart) {
  models::Detector detector;
  detector.panels.resize(3);
  for (auto& panel : detector.panels) panel.image_size = {30, 20};
  detector.panels[1].pixel_size = {0.3, 0.3};
  std::vector<float> image(1800), one(600);
  image[600 + 10 * 30 + 15] = one[10 * 30 + 15] = 50;
  const PointSpreadParams params{PointSpreadShape::Fibre, 200, 5};
  spread_points(detector, params, image);
  PointSpread(params, {0.3, 0.3}).apply(one, 30, 20);
  EXPECT_TRUE(std::equal(one.begin(), one.end(), image.begin() + 600));
  for (std::size_t i = 0; i < 600; ++i) EXPECT_EQ(image[i] + image[1200 + i], 0) << i;
}

TEST(PointSpread, RefusesWhatHasNoSense) {
  EXPECT_THROW(PointSpread({PointSpreadShape::Fibre, 0, 3}, square), core::Error);
  EXPECT_THROW(PointSpread({PointSpreadShape::Fibre, 80, -1}, square), core::Error);
  std::vector<float> image(10);
  EXPECT_THROW(PointSpread({PointSpreadShape::Fibre, 80, 3}, square).apply(image, 3, 3),
               core::Error);
  EXPECT_THROW(spread_points({}, {PointSpreadShape::Fibre, 80, 3}, image), core::Error);
}

} // namespace
} // namespace kilobragg::diffraction
