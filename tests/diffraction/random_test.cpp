// Counter-based random numbers and Poisson noise: known answers, distributions, reproducibility.
#include "kernels/diffraction/random.hpp"

#include "kilobragg/diffraction/renderer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace kilobragg::diffraction {
namespace {

void expect_words(const Words4& words, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                  std::uint32_t d) {
  EXPECT_EQ(words.w[0], a);
  EXPECT_EQ(words.w[1], b);
  EXPECT_EQ(words.w[2], c);
  EXPECT_EQ(words.w[3], d);
}

TEST(Philox, KnownAnswers) { // published with the algorithm
  expect_words(philox({}, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  const std::uint32_t ones = 0xffffffff;
  expect_words(philox({{ones, ones, ones, ones}}, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
               0x6d5451fd);
  expect_words(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0),
               0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
}

TEST(RandomStream, StreamsImagesAndSeedsDiffer) {
  const auto first = [](std::uint64_t seed, std::uint32_t image, std::uint32_t stream,
                        std::uint32_t item) {
    return RandomStream(seed, image, stream, item).bits();
  };
  std::vector<std::uint32_t> all{first(1, 2, 3, 4), first(2, 2, 3, 4), first(1, 3, 3, 4),
                                 first(1, 2, 4, 4), first(1, 2, 3, 5), first(1ull << 40, 2, 3, 4)};
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
  EXPECT_EQ(first(1, 2, 3, 4), first(1, 2, 3, 4));
}

TEST(RandomStream, ManyStreamsAtOnceAreTheSameStreams) {
  Words4 words[8];
  first_words(9, 4, 2, 100, words);
  for (std::uint32_t i = 0; i < 8; ++i) {
    RandomStream one(9, 4, 2, 100 + i), other(9, 4, 2, 100 + i, words[i]);
    for (int k = 0; k < 9; ++k) EXPECT_EQ(one.bits(), other.bits()) << i << ' ' << k;
  }
}

TEST(RandomStream, NormalHasItsMoments) {
  RandomStream random(5, 0, 0);
  const int n = 200000;
  double sum = 0, square = 0, fourth = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x, square += x * x, fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(square / n, 1, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96.0 / n));
}

TEST(LogFactorial, AgreesWithLgamma) {
  for (double k : {0., 1., 2., 9., 10., 11., 100., 12345.})
    EXPECT_NEAR(log_factorial(k), std::lgamma(k + 1), 1e-9 * std::max(1.0, std::lgamma(k + 1)));
}

class Poisson : public ::testing::TestWithParam<double> {};

TEST_P(Poisson, CountsFollowTheDistribution) {
  const double mean = GetParam();
  const int n = 400000;
  const std::vector<float> photons(n, static_cast<float>(mean));
  std::vector<std::int32_t> counts(n);
  count_photons(photons, {.poisson = true, .gain = 1, .seed = 17}, 3, counts);

  double sum = 0, square = 0;
  for (std::int32_t c : counts) sum += c, square += (c - mean) * (c - mean);
  EXPECT_NEAR(sum / n, mean, 5 * std::sqrt(mean / n));
  EXPECT_NEAR(square / n / mean, 1, 5 * std::sqrt((2 + 1 / mean) / n));

  // Chi-squared over values with at least ten expected; within 5 sigma of its degrees of freedom.
  std::vector<int> seen(static_cast<std::size_t>(mean + 20 * std::sqrt(mean) + 40));
  for (std::int32_t c : counts) ++seen[std::min(static_cast<std::size_t>(c), seen.size() - 1)];
  double chi2 = 0;
  int freedom = 0;
  for (std::size_t k = 0; k < seen.size(); ++k) {
    const double log_p =
        static_cast<double>(k) * std::log(mean) - mean - std::lgamma(double(k) + 1);
    const double expected = n * std::exp(log_p);
    if (expected < 10) continue;
    chi2 += (seen[k] - expected) * (seen[k] - expected) / expected;
    ++freedom;
  }
  EXPECT_LT(std::abs(chi2 - freedom), 5 * std::sqrt(2.0 * freedom)) << freedom;
}

INSTANTIATE_TEST_SUITE_P(Means, Poisson,
                         ::testing::Values(0.1, 1.0, 5.0, 9.99, 10.01, 40.0, 2000.0));

TEST(CountPhotons, DependsOnSeedAndImageAlone) {
  const std::vector<float> photons(1000, 8.0F), head(400, 8.0F);
  std::vector<std::int32_t> a(1000), b(1000), c(400), other(1000);
  count_photons(photons, {.seed = 4}, 7, a);
  count_photons(photons, {.seed = 4}, 7, b);
  count_photons(head, {.seed = 4}, 7, c);
  count_photons(photons, {.seed = 4}, 8, other);
  EXPECT_EQ(a, b);
  EXPECT_TRUE(std::equal(c.begin(), c.end(), a.begin())) << "a pixel must not see its neighbours";
  EXPECT_NE(a, other);
}

TEST(CountPhotons, WithoutNoiseRoundsAndScalesByGain) {
  const std::vector<float> photons{0.0F, 0.4F, 0.6F, 10.0F, 1e12F};
  std::vector<std::int32_t> counts(photons.size());
  count_photons(photons, {.poisson = false, .gain = 2.5, .seed = 0}, 0, counts);
  EXPECT_EQ(counts, (std::vector<std::int32_t>{0, 1, 2, 25, 2147483647}));
}

TEST(CountPhotons, EmptyAndVeryBrightPixels) {
  const std::vector<float> photons{0.0F, -1.0F, 1e9F, 1e20F};
  std::vector<std::int32_t> counts(photons.size());
  count_photons(photons, {.seed = 1}, 0, counts);
  EXPECT_EQ(counts[0], 0);
  EXPECT_EQ(counts[1], 0);
  EXPECT_NEAR(counts[2], 1e9, 5 * std::sqrt(1e9));
  EXPECT_EQ(counts[3], 2147483647);
}

} // namespace
} // namespace kilobragg::diffraction
