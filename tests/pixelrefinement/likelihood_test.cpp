// Likelihoods of pixels against brute sums, finite differences and what probabilities must obey.
#include "kernels/pixelrefinement/likelihood.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <random>

namespace kilobragg::pixelrefinement {
namespace {

void expect_slope(const std::function<PixelFit(double)>& fit, double m) {
  const double step = 1e-4 * m;
  const double slope = (8 * (fit(m + step).value - fit(m - step).value) -
                        (fit(m + 2 * step).value - fit(m - 2 * step).value)) /
                       (12 * step);
  EXPECT_NEAR(fit(m).slope, slope, 1e-7 * (1 + std::abs(slope))) << m;
}

/// Poisson times normal, all n.
double plain_density(double d, double m, double readout) {
  double sum = 0;
  for (int n = 0; n < 400; ++n) {
    const double u = (d - n) / readout;
    sum += std::exp(n * std::log(m) - m - std::lgamma(n + 1.0) - 0.5 * u * u);
  }
  return sum / (readout * std::sqrt(2 * std::numbers::pi));
}

TEST(FitNormal, IsTheNormalDensity) {
  const PixelFit fit = fit_normal(7, 5, 2);
  EXPECT_NEAR(std::exp(-fit.value), std::exp(-4.0 / 18) / std::sqrt(2 * std::numbers::pi * 9),
              1e-14);
  for (const double m : {0.3, 2.0, 50.0})
    for (const double d : {-1.0, 0.0, 3.0, 60.0})
      expect_slope([&](double x) { return fit_normal(d, x, 0.7); }, m);
}

TEST(FitPoisson, IsThePoissonProbability) {
  EXPECT_NEAR(std::exp(-fit_poisson(3, 2).value), 8.0 / 6 * std::exp(-2), 1e-14);
  for (const double m : {0.01, 2.0, 50.0})
    for (const double d : {0.0, 1.0, 3.0, 60.0})
      expect_slope([&](double x) { return fit_poisson(d, x); }, m);
}

TEST(FitNoisyPhotons, IsPoissonConvolvedWithANormal) {
  for (const double readout : {0.06, 0.2, 0.5, 1.0, 3.0})
    for (const double m : {0.02, 0.5, 2.0, 20.0, 120.0})
      for (const double d : {-2 * readout, 0.0, 0.4, 1.0, 5.3, 19.0, 110.5}) {
        SCOPED_TRACE(testing::Message() << d << ' ' << m << ' ' << readout);
        const double density = plain_density(d, m, readout);
        if (density < 1e-200) continue;
        EXPECT_NEAR(-fit_noisy_photons(d, m, readout).value, std::log(density), 1e-11);
        expect_slope([&](double x) { return fit_noisy_photons(d, x, readout); }, m);
      }
}

/// The same of many photons: logarithms of terms, in long double.
long double plain_log_density(double d, double m, double readout) {
  const auto log_term = [&](int n) {
    const long double u = (d - n) / static_cast<long double>(readout);
    return n * std::log(static_cast<long double>(m)) - m - std::lgamma(n + 1.0L) - u * u / 2;
  };
  long double largest = log_term(0), sum = 0;
  for (int n = 0; n < 150000; ++n) largest = std::max(largest, log_term(n));
  for (int n = 0; n < 150000; ++n) sum += std::exp(log_term(n) - largest);
  return largest + std::log(sum / (readout * std::sqrt(2 * std::numbers::pi_v<long double>)));
}

TEST(FitNoisyPhotons, CountsManyPhotonsWhereverTheyAre) {
  for (const auto& [d, m, readout] : {std::array{5000.0, 5100.0, 2.2},
                                      {5000.4, 5000.0, 0.06},
                                      {16.2, 15.5, 0.3},
                                      {60000.0, 59000.0, 100.0},
                                      {1e5, 10.0, 100.0},
                                      {3.0, 4000.0, 30.0},
                                      {-200.0, 3000.0, 20.0},
                                      {40.0, 1e-6, 0.07},
                                      {-3.0, 25.0, 0.05}}) {
    SCOPED_TRACE(testing::Message() << d << ' ' << m << ' ' << readout);
    const double expected = -static_cast<double>(plain_log_density(d, m, readout));
    EXPECT_NEAR(fit_noisy_photons(d, m, readout).value, expected, 3e-12 * (1 + std::abs(expected)));
    expect_slope(
        [&, d = d, readout = readout](double x) { return fit_noisy_photons(d, x, readout); }, m);
  }
}

TEST(FitNoisyPhotons, EndsWhereNumbersDo) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [d, m] : {std::array{none, 5.0},
                             {5.0, none},
                             {infinite, 5.0},
                             {-infinite, 5.0},
                             {5.0, infinite},
                             {1e300, 5.0},
                             {-1e300, 5.0}})
    EXPECT_FALSE(fit_noisy_photons(d, m, 0.3).value < 1e290) << d << ' ' << m;
}

TEST(FitNoisyPhotons, WithoutNoiseCountsPhotons) {
  EXPECT_EQ(fit_noisy_photons(3.01, 2, 0).value, fit_poisson(3, 2).value);
  EXPECT_EQ(fit_noisy_photons(-0.02, 2, 0.01).value, fit_poisson(0, 2).value);
}

/// Of the slope over data drawn from the model: mean 0, and the information.
struct SlopeMoments {
  double mean = 0, square = 0;
};
SlopeMoments draw_slopes(const std::function<PixelFit(double)>& fit, double m, double readout) {
  std::mt19937 random(1);
  std::poisson_distribution<int> photons(m);
  std::normal_distribution<double> noise(0, 1);
  SlopeMoments moments;
  constexpr int draws = 200000;
  for (int i = 0; i < draws; ++i) {
    const double slope = fit(photons(random) + readout * noise(random)).slope;
    moments.mean += slope / draws;
    moments.square += slope * slope / draws;
  }
  return moments;
}

TEST(FitNoisyPhotons, HasTheInformationThatItSays) {
  for (const auto& [m, readout] : {std::pair{1.0, 0.3}, {4.0, 1.0}, {30.0, 2.0}}) {
    const auto fit = [m = m, readout = readout](double d) {
      return fit_noisy_photons(d, m, readout);
    };
    const SlopeMoments moments = draw_slopes(fit, m, readout);
    EXPECT_NEAR(moments.mean, 0, 0.01 / std::sqrt(m));
    EXPECT_NEAR(moments.square / fit(0).information, 1, 0.06) << m;
  }
}

TEST(FitNormal, OverstatesWhatFewPhotonsTell) {
  const auto fit = [](double d) { return fit_normal(d, 1, 0.3); };
  EXPECT_GT(fit(0).information, 1.2 / (1 + 0.09)) << "photons tell 1 / V";
}

} // namespace
} // namespace kilobragg::pixelrefinement
