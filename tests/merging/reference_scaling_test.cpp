// Slopes to a reference.
#include "kilobragg/merging/reference_scaling.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kilobragg::merging {
namespace {

const std::vector<double> observed{1, 2, 3, 4.5}, sigma{1, 1, 2, 2}, reference{2.1, 3.9, 6.3, 8.6};

// sum (reference - m observed)^2 / s^2 by brute force.
double best_slope(const std::vector<double>& s) {
  double best = 0, least = 1e300;
  for (double m = 1; m < 3; m += 1e-5) {
    double chi2 = 0;
    for (std::size_t i = 0; i < s.size(); ++i)
      chi2 += std::pow((reference[i] - m * observed[i]) / s[i], 2);
    if (chi2 < least) least = chi2, best = m;
  }
  return best;
}

TEST(FitSlope, MinimisesTheWeightedResidual) {
  const double unit = fit_slope(observed, sigma, reference, ScalingWeights::Unit).slope;
  EXPECT_NEAR(unit, best_slope({1, 1, 1, 1}), 2e-5);
  std::vector<double> icalc, both;
  for (std::size_t i = 0; i < 4; ++i) {
    icalc.push_back(std::sqrt(reference[i] / unit));
    both.push_back(std::hypot(reference[i] / unit, sigma[i]));
  }
  EXPECT_NEAR(fit_slope(observed, sigma, reference, ScalingWeights::Icalc).slope, best_slope(icalc),
              2e-5);
  EXPECT_NEAR(fit_slope(observed, sigma, reference, ScalingWeights::IcalcSigma).slope,
              best_slope(both), 2e-5);
}

TEST(FitSlope, CorrelationIsPearsons) {
  EXPECT_NEAR(fit_slope({1, 2, 3}, {1, 1, 1}, {2, 4, 6}, ScalingWeights::Unit).correlation, 1,
              1e-12);
  EXPECT_NEAR(fit_slope({1, 2, 3}, {1, 1, 1}, {3, 2, 1}, ScalingWeights::Unit).correlation, -1,
              1e-12);
  EXPECT_NEAR(fit_slope({1, 2, 3}, {1, 1, 1}, {1, 3, 2}, ScalingWeights::Unit).correlation, 0.5,
              1e-12);
}

Observations three_lattices() {
  Observations o;
  const std::vector<std::vector<float>> rows{{1, 2, 3, 4}, {4, 3, 2, 1}, {1, 2}};
  for (const auto& values : rows) {
    LatticeRecord record;
    record.begin = o.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
      o.index.push_back({static_cast<std::int16_t>(i), 0, 0, 0});
      o.intensity.push_back(values[i]);
      o.variance.push_back(1);
      o.inv_d2.push_back(0.01f);
      o.nearness.push_back(1);
    }
    record.end = o.size();
    o.lattices.push_back(record);
  }
  return o;
}

TEST(ScaleToReference, ScalesAndCountsWhatItRejects) {
  ReferenceTable table;
  for (int h = 0; h < 4; ++h) {
    table.hkl.push_back({h, 0, 0});
    table.intensity.push_back(2.0 * (h + 1));
  }
  Observations o = three_lattices();
  const auto counts = scale_to_reference(o, table, ScalingWeights::Unit, 0.1);
  EXPECT_EQ(counts.low_correlation, 1); // the reversed one
  EXPECT_EQ(counts.low_signal, 1);      // two in common
  EXPECT_EQ(counts.observations, 6);
  ASSERT_EQ(o.lattices.size(), 1u);
  EXPECT_FLOAT_EQ(o.intensity[2], 6);
  EXPECT_FLOAT_EQ(o.variance[2], 4);
  EXPECT_NEAR(o.lattices[0].log_scale, -std::log(2.0), 1e-12);
  EXPECT_NEAR(o.lattices[0].correlation, 1, 1e-12);
}

TEST(ScaleToReference, MinusOneKeepsEveryPositiveSlope) {
  ReferenceTable table{{{0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 0, 0}}, {2, 4, 6, 8}};
  Observations o = three_lattices();
  EXPECT_EQ(scale_to_reference(o, table, ScalingWeights::Unit, -1).low_correlation, 0);
  EXPECT_EQ(o.lattices.size(), 2u);
}

} // namespace
} // namespace kilobragg::merging
