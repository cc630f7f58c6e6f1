// The Rayleigh fit and where outliers begin.
#include "kilobragg/refinement/outliers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace kilobragg {
namespace {

/// Quantiles of a Rayleigh distribution: a sample without luck.
std::vector<double> rayleigh(int n, double scale) {
  std::vector<double> values;
  for (int i = 0; i < n; ++i) values.push_back(scale * std::sqrt(-2 * std::log1p(-(i + 0.5) / n)));
  return values;
}

TEST(SauterPoon, ScaleOfACleanDistribution) {
  for (const double scale : {0.01, 0.08, 0.3})
    EXPECT_NEAR(refinement::rayleigh_scale(rayleigh(400, scale)), scale, 0.01 * scale);
}

TEST(SauterPoon, ScaleIgnoresTheTail) {
  std::vector<double> values = rayleigh(400, 0.05);
  for (int i = 0; i < 40; ++i) values[360 + i] = 2.0 + i;
  EXPECT_NEAR(refinement::rayleigh_scale(values), 0.05, 0.005);
}

TEST(SauterPoon, FlagsWhatLagsBehind) {
  std::vector<double> values = rayleigh(100, 0.05);
  for (int i = 0; i < 10; ++i) values.push_back(0.6 + 0.05 * i);
  std::mt19937 random(5);
  std::shuffle(values.begin(), values.end(), random);
  const std::vector<bool> outlier = refinement::sauter_poon_outliers(values);
  int kept = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_TRUE(values[i] < 0.6 || outlier[i]) << values[i];
    kept += !outlier[i];
  }
  EXPECT_GE(kept, 90);
}

TEST(SauterPoon, CleanDistributionLosesLittle) {
  const std::vector<bool> outlier = refinement::sauter_poon_outliers(rayleigh(200, 0.1));
  EXPECT_LE(std::count(outlier.begin(), outlier.end(), true), 4);
}

TEST(SauterPoon, FewerThanFourSpotsHaveNoOutliers) {
  const std::vector<bool> outlier =
      refinement::sauter_poon_outliers(std::vector<double>{0.01, 0.01, 9});
  EXPECT_EQ(std::count(outlier.begin(), outlier.end(), true), 0);
}

TEST(SauterPoon, AllEqualAndZeroLengthsAreHarmless) {
  EXPECT_EQ(refinement::sauter_poon_outliers(std::vector<double>(20, 0.0)).size(), 20U);
  EXPECT_EQ(refinement::sauter_poon_outliers(std::vector<double>(20, 0.05)).size(), 20U);
}

} // namespace
} // namespace kilobragg
