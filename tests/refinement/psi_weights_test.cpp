// The spread of delta-psi and its causes.
#include "kilobragg/refinement/psi_weights.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace kilobragg {
namespace {

using models::PsiSpread;
using refinement::PsiObservation;

/// Draws spots from a spread; each cause draws its own part, and wavelengths move the ray by twice it.
std::vector<PsiObservation> draw(const PsiSpread& truth, int n) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(0.05, 0.5);
  std::vector<PsiObservation> spots;
  for (int i = 0; i < n; ++i) {
    PsiObservation s;
    const double q = uniform(random);
    s.d = 1 / q;
    s.theta = std::asin(0.5 * 1.3 * q);
    const double band = truth.bandwidth * std::tan(s.theta) * normal(random);
    s.delta_psi = truth.alpha * s.d * normal(random) + truth.beta * normal(random) + band;
    s.excess = 2 * band + 1e-4 * normal(random);
    spots.push_back(s);
  }
  return spots;
}

TEST(PsiSpread, FindsEachCause) {
  const PsiSpread truth{2e-4, 5e-4, 2e-3};
  const PsiSpread found = refinement::fit_psi_spread(draw(truth, 4000));
  EXPECT_NEAR(found.alpha, truth.alpha, 0.15 * truth.alpha);
  EXPECT_NEAR(found.beta, truth.beta, 0.15 * truth.beta);
  EXPECT_NEAR(found.bandwidth, truth.bandwidth, 0.1 * truth.bandwidth);
}

TEST(PsiSpread, NoBandwidthIsInventedFromNoise) {
  const PsiSpread found = refinement::fit_psi_spread(draw({3e-4, 4e-4, 0}, 200));
  EXPECT_EQ(found.bandwidth, 0);
}

TEST(PsiSpread, PerfectSpotsKeepAFloor) {
  std::vector<PsiObservation> spots(20);
  for (std::size_t i = 0; i < spots.size(); ++i)
    spots[i].d = 2 + 0.1 * double(i), spots[i].theta = 0.3;
  const PsiSpread found = refinement::fit_psi_spread(spots);
  EXPECT_GT(found.variance(3, 0.2), 0);
}

TEST(PsiSpread, LeanIsBetweenItsLimits) {
  EXPECT_EQ((PsiSpread{1e-4, 1e-4, 0}.lean(3, 0.2)), 0);
  EXPECT_NEAR((PsiSpread{0, 0, 1e-3}.lean(3, 0.2)), 2, 1e-12);
  EXPECT_EQ((PsiSpread{0, 0, 1e-3}.lean_of(2.0, 1.3)), 0); // beyond the sphere
}

} // namespace
} // namespace kilobragg
