// Scaling to the average of the others, on lattices with known scales.
#include "kilobragg/merging/self_scaling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace kilobragg::merging {
namespace {

struct Made {
  Observations observations;
  std::vector<double> log_scale, b;
};

// `lattices` lattices that each see 60 % of `indices` indices. `scatter`: relative, per observation.
Made make(int lattices, int indices, double scatter, double b_sigma, unsigned seed = 3) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> wilson(1.0 / 1000);
  std::uniform_real_distribution<double> uniform;
  std::normal_distribution<double> normal;
  std::vector<double> truth(static_cast<std::size_t>(indices));
  for (double& value : truth) value = wilson(random);
  Made made;
  Observations& o = made.observations;
  for (int n = 0; n < lattices; ++n) {
    made.log_scale.push_back(normal(random));
    made.b.push_back(b_sigma * normal(random));
    LatticeRecord record;
    record.identifier = std::to_string(n);
    record.begin = o.size();
    for (int i = 0; i < indices; ++i) {
      if (uniform(random) > 0.6) continue;
      const double inv_d2 = 0.25 * (i + 1) / indices;
      const double factor = std::exp(made.log_scale.back() - 0.5 * made.b.back() * inv_d2);
      o.index.push_back({static_cast<std::int16_t>(i), 0, 0, 0});
      o.intensity.push_back(
          static_cast<float>(factor * truth[std::size_t(i)] * std::exp(scatter * normal(random))));
      o.variance.push_back(1);
      o.inv_d2.push_back(static_cast<float>(inv_d2));
      o.nearness.push_back(1);
    }
    record.end = o.size();
    o.lattices.push_back(record);
  }
  return made;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / double(values.size());
}

TEST(SelfScaling, FindsExactScalesAndBs) {
  Made made = make(20, 300, 0, 4);
  SelfScalingParams params;
  params.tolerance = 1e-7;
  params.max_cycles = 200;
  params.b_sigma = 1e4; // no prior: the data are exact
  const auto result = self_scale(made.observations, params);
  EXPECT_TRUE(result.converged);
  const double mean_log = mean(made.log_scale), mean_b = mean(made.b);
  for (std::size_t n = 0; n < 20; ++n) {
    const LatticeRecord& l = made.observations.lattices[n];
    EXPECT_NEAR(l.log_scale, made.log_scale[n] - mean_log, 2e-3);
    EXPECT_NEAR(l.b_factor, made.b[n] - mean_b, 2e-2);
    EXPECT_NEAR(l.correlation, 1, 1e-4);
  }
}

TEST(SelfScaling, ScatterDoesNotPullScalesTogether) {
  Made made = make(40, 400, 0.5, 0);
  SelfScalingParams params;
  params.b_sigma = 0;
  const auto result = self_scale(made.observations, params);
  EXPECT_TRUE(result.converged);
  EXPECT_LE(result.cycles, 10);
  const double mean_log = mean(made.log_scale);
  double slope_xy = 0, slope_xx = 0;
  for (std::size_t n = 0; n < 40; ++n) {
    const double truth = made.log_scale[n] - mean_log;
    slope_xy += truth * made.observations.lattices[n].log_scale;
    slope_xx += truth * truth;
    EXPECT_NEAR(made.observations.lattices[n].log_scale, truth, 0.25);
  }
  EXPECT_NEAR(slope_xy / slope_xx, 1, 0.02);
}

TEST(SelfScaling, ThePriorHoldsBWhereDataSayLittle) {
  Made made = make(20, 100, 0.8, 0);
  SelfScalingParams loose, tight;
  loose.b_sigma = 1e4;
  tight.b_sigma = 1;
  Made again = made;
  self_scale(made.observations, loose);
  self_scale(again.observations, tight);
  double loose_sum = 0, tight_sum = 0;
  for (std::size_t n = 0; n < 20; ++n) {
    loose_sum += std::pow(made.observations.lattices[n].b_factor, 2);
    tight_sum += std::pow(again.observations.lattices[n].b_factor, 2);
  }
  EXPECT_LT(tight_sum, 0.1 * loose_sum);
}

TEST(SelfScaling, RejectsALatticeOfAnotherKindAndOneAlone) {
  Made made = make(15, 300, 0.2, 0);
  Observations& o = made.observations;
  // A lattice with the intensities in another order, and one with indices that nobody else has.
  const std::size_t first = o.lattices[14].begin;
  std::reverse(o.intensity.begin() + std::ptrdiff_t(first), o.intensity.end());
  LatticeRecord alone;
  alone.identifier = "alone";
  alone.begin = o.size();
  for (std::int16_t i = 0; i < 5; ++i) {
    o.index.push_back({i, 9, 9, 0});
    o.intensity.push_back(10);
    o.variance.push_back(1);
    o.inv_d2.push_back(0.1f);
    o.nearness.push_back(1);
  }
  alone.end = o.size();
  o.lattices.push_back(alone);
  SelfScalingParams params;
  params.min_correlation = 0.3;
  const std::size_t before = o.size();
  const auto result = self_scale(o, params);
  EXPECT_EQ(result.low_correlation, 1);
  EXPECT_EQ(result.low_signal, 1);
  EXPECT_EQ(o.lattices.size(), 14u);
  EXPECT_EQ(std::size_t(result.observations), before - o.size());
  for (const LatticeRecord& l : o.lattices) EXPECT_NE(l.identifier, "14");
}

TEST(SelfScaling, ScaledVariancesFollowIntensities) {
  Made made = make(5, 100, 0.1, 2);
  const Observations before = made.observations;
  self_scale(made.observations, {});
  for (std::size_t i = 0; i < before.size(); i += 17) {
    const double factor = double(made.observations.intensity[i]) / before.intensity[i];
    EXPECT_NEAR(made.observations.variance[i], before.variance[i] * factor * factor,
                1e-5 * factor * factor);
  }
}

} // namespace
} // namespace kilobragg::merging
