// Orientations of blocks have the distributions that they are drawn from.
#include "kernels/diffraction/mosaic_blocks.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kilobragg::diffraction {
namespace {

constexpr int draws = 20000;

/// The rotation vector of a small rotation: the axis times sin(angle).
Vec3 vector_of(const Mat3& r) {
  return 0.5 * Vec3{r(2, 1) - r(1, 2), r(0, 2) - r(2, 0), r(1, 0) - r(0, 1)};
}

TEST(MosaicBlocks, AnglesOfACapAreThoseOfItsFormula) {
  const double spread = 0.01;
  std::vector<double> angles;
  Vec3 mean;
  RandomStream random(7, 0, 1);
  for (int i = 0; i < draws; ++i) {
    const Vec3 w = vector_of(cap_rotation(random, spread));
    angles.push_back(norm(w));
    mean += (1.0 / draws) * w;
  }
  std::sort(angles.begin(), angles.end());
  EXPECT_LE(angles.back(), spread);
  EXPECT_LT(norm(mean), 4 * spread / std::sqrt(double(draws)));
  // P(angle < a) = 1 - sqrt(1 - (a / spread)^3)
  double largest = 0;
  for (int i = 0; i < draws; ++i) {
    const double cube = std::pow(std::min(1.0, angles[std::size_t(i)] / spread), 3);
    largest = std::max(largest, std::abs(1 - std::sqrt(1 - cube) - (i + 0.5) / draws));
  }
  EXPECT_LT(largest, 1.95 / std::sqrt(double(draws))) << "Kolmogorov and Smirnov, 0.1 %";
}

TEST(MosaicBlocks, GaussianSpreadHasTheCovarianceOfItsRoot) {
  const Mat3 root = 1e-3 * Mat3{{2, 0, 0, 1, 3, 0, -0.5, 0.5, 1}};
  const Mat3 expected = root * transpose(root);
  RandomStream random(8, 0, 1);
  Mat3 covariance;
  for (int n = 0; n < draws; ++n) {
    const Vec3 w = vector_of(gaussian_rotation(random, root));
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) covariance(i, j) += w[i] * w[j] / draws;
  }
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      EXPECT_NEAR(
          covariance(i, j), expected(i, j),
          4 * std::sqrt((expected(i, i) * expected(j, j) + expected(i, j) * expected(i, j)) /
                        draws));
}

TEST(MosaicBlocks, TheSameSeedGivesTheSameBlocks) {
  RandomStream a(9, 0, 1), b(9, 0, 1), c(10, 0, 1);
  const Mat3 first = cap_rotation(a, 0.1);
  EXPECT_EQ(first, cap_rotation(b, 0.1));
  EXPECT_FALSE(first == cap_rotation(c, 0.1));
}

} // namespace
} // namespace kilobragg::diffraction
