// Detector response: distributions, independence of order, linear counts, gain stages.
#include "kernels/diffraction/normal.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/detector_response.hpp"
#include "kilobragg/diffraction/renderer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

namespace kilobragg::diffraction {
namespace {

using Counts = std::vector<std::int32_t>;
using Image = std::vector<float>;

double below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(NormalQuantile, InvertsTheDistribution) {
  for (int i = 1; i < 4000; ++i) {
    const double x = -6.2 + 12.4 * i / 4000;
    const double p = below(std::min(x, 0.0)); // above 0, 1 - p has too few digits to go back
    EXPECT_NEAR(normal_quantile(p), std::min(x, 0.0), 3e-6) << x;
    EXPECT_NEAR(normal_quantile(0.5 + 0.0001 * i) + normal_quantile(0.5 - 0.0001 * i), 0, 1e-9);
  }
  EXPECT_DOUBLE_EQ(normal_quantile(0.5), 0);
  EXPECT_NEAR(normal_quantile(1 - 1e-9), 5.997807015, 3e-6);
}

/// Chi-squared of values against the normal distribution, over 100 bins of equal probability, in
/// standard deviations of what it should be.
double chi_squared_excess(const std::vector<double>& deviates) {
  std::vector<double> seen(100);
  for (double x : deviates)
    seen[std::min<std::size_t>(99, static_cast<std::size_t>(100 * below(x)))] += 1;
  const double expected = static_cast<double>(deviates.size()) / 100;
  double chi2 = 0;
  for (double n : seen) chi2 += (n - expected) * (n - expected) / expected;
  return (chi2 - 99) / std::sqrt(2 * 99.0);
}

/// Readout deviates of one image: dark counts with much noise.
std::vector<double> readout_deviates(const NoiseKey& key, std::size_t pixels) {
  const LinearResponse response{1, 0, 1e6, 0, 0, -2147483647, 2147483647};
  Counts counts(pixels);
  read_out(response, {}, Image(pixels), key, counts);
  std::vector<double> deviates;
  for (std::int32_t c : counts) deviates.push_back(1e-6 * c);
  return deviates;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b, std::size_t lag) {
  double sum = 0;
  for (std::size_t i = 0; i + lag < a.size(); ++i) sum += a[i] * b[i + lag];
  return sum / std::sqrt(static_cast<double>(a.size() - lag)); // a normal deviate if independent
}

TEST(ReadoutNoise, IsNormalAndOfIndependentPixelsAndImages) {
  const auto first = readout_deviates({7, 0, 0}, 400000),
             second = readout_deviates({7, 1, 0}, 400000);
  EXPECT_LT(std::abs(chi_squared_excess(first)), 4);
  EXPECT_LT(std::abs(chi_squared_excess(second)), 4);
  for (std::size_t lag : {1u, 2u, 64u, 1024u})
    EXPECT_LT(std::abs(correlation(first, first, lag)), 4);
  EXPECT_LT(std::abs(correlation(first, second, 0)), 4);
  EXPECT_LT(std::abs(correlation(first, readout_deviates({8, 0, 0}, 400000), 0)), 4);
}

TEST(ReadoutNoise, IsIndependentOfThePhotons) {
  const Image means(400000, 30.0F);
  Image photons(means.size());
  draw_photons(means, {7, 0, 0}, photons);
  std::vector<double> counted;
  for (float n : photons) counted.push_back((static_cast<double>(n) - 30) / std::sqrt(30.0));
  EXPECT_LT(std::abs(correlation(counted, readout_deviates({7, 0, 0}, 400000), 0)), 4);
}

TEST(DrawPhotons, AreThoseOfCountPhotons) {
  Image means(1001);
  for (std::size_t i = 0; i < means.size(); ++i) means[i] = 0.05F * static_cast<float>(i);
  Image photons(means.size());
  Counts counts(means.size());
  draw_photons(means, {5, 9, 0}, photons);
  count_photons(means, {.seed = 5}, 9, counts);
  EXPECT_TRUE(std::equal(counts.begin(), counts.end(), photons.begin(),
                         [](std::int32_t a, float b) { return static_cast<float>(a) == b; }));
  draw_photons(means, {5, 9, 0}, means);
  EXPECT_EQ(means, photons) << "in place";
}

class PoissonMean : public ::testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Means, PoissonMean, ::testing::Values(0.03, 0.7, 9.9, 10.1, 300.0));

TEST_P(PoissonMean, PhotonsFollowTheDistribution) {
  const double mean = GetParam();
  Image photons(300000, static_cast<float>(mean));
  draw_photons(photons, {21, 2, 77}, photons);
  std::vector<double> seen(static_cast<std::size_t>(mean + 20 * std::sqrt(mean) + 40));
  for (float n : photons) seen[std::min(static_cast<std::size_t>(n), seen.size() - 1)] += 1;
  double chi2 = 0, rest_seen = 0, rest = 0;
  int bins = 0;
  for (std::size_t k = 0; k < seen.size(); ++k) {
    const double expected = static_cast<double>(photons.size()) *
                            std::exp(static_cast<double>(k) * std::log(mean) - mean -
                                     std::lgamma(static_cast<double>(k) + 1));
    if (expected < 10) {
      rest_seen += seen[k], rest += expected;
      continue;
    }
    chi2 += (seen[k] - expected) * (seen[k] - expected) / expected;
    ++bins;
  }
  if (rest > 1) chi2 += (rest_seen - rest) * (rest_seen - rest) / rest, ++bins;
  EXPECT_LT(std::abs(chi2 - (bins - 1)), 4 * std::sqrt(2.0 * bins)) << bins;
}

/// A CCD and a JUNGFRAU reading the same photons; in `pieces` of these sizes, last piece first.
struct Readings {
  Counts counts;
  std::vector<std::uint16_t> words;
  friend bool operator==(const Readings&, const Readings&) = default;
};

Readings read_in_pieces(const Image& means, const std::vector<std::size_t>& pieces) {
  const LinearResponse ccd{1.8, 40, 3, 0.03, 11, 0, 65535};
  StagedResponse staged = jungfrau(9.5);
  staged.gain_spread = 0.01;
  Readings result{Counts(means.size()), std::vector<std::uint16_t>(means.size())};
  const auto piece = [&](std::size_t start, std::size_t size) {
    const NoiseKey key{99, 4, static_cast<std::uint32_t>(start)};
    Image photons(size);
    draw_photons(std::span(means).subspan(start, size), key, photons);
    read_out(ccd, {}, photons, key, std::span(result.counts).subspan(start, size));
    read_out(staged, photons, key, std::span(result.words).subspan(start, size));
  };
  std::vector<std::thread> threads;
  std::size_t end = means.size();
  for (std::size_t size : pieces) {
    end -= size;
    threads.emplace_back(piece, end, size);
    if (threads.size() % 2 == 0) threads.back().join(), threads.pop_back();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(end, 0u);
  return result;
}

TEST(Response, DoesNotDependOnPiecesOrderOrThreads) {
  Image means(10007);
  for (std::size_t i = 0; i < means.size(); ++i) means[i] = static_cast<float>(i % 97) * 0.7F;
  const Readings whole = read_in_pieces(means, {10007});
  EXPECT_EQ(whole, read_in_pieces(means, {1, 63, 64, 65, 4000, 5, 2802, 3007}));
  EXPECT_EQ(whole, read_in_pieces(means, {5003, 5004}));
}

TEST(LinearResponse, CountsByHand) {
  const LinearResponse response{2.5, 10, 0, 0, 0, 0, 100};
  Counts counts(5);
  read_out(response, {}, Image{0, 1, 2, 36, 1e9F}, {}, counts);
  EXPECT_EQ(counts, (Counts{10, 13, 15, 100, 100}));
  read_out({1, -20, 0, 0, 0, -15, 100}, {}, Image{0, 1, 6, 7, 30}, {}, counts);
  EXPECT_EQ(counts, (Counts{-15, -15, -14, -13, 10}));
}

TEST(LinearResponse, MapsReplaceItsValues) {
  const Image gain{1, 2, 3}, pedestal{100, 200, 300}, photons{5, 5, 5};
  Counts counts(3);
  read_out({}, {gain, pedestal, {}}, photons, {}, counts);
  EXPECT_EQ(counts, (Counts{105, 210, 315}));
  const Image noise{0, 0, 1000}, dark(3);
  read_out({1, 1e6, 50}, {{}, {}, noise}, dark, {}, counts);
  EXPECT_EQ(counts[0], 1000000);
  EXPECT_EQ(counts[1], 1000000);
  EXPECT_NE(counts[2], 1000000);
  EXPECT_THROW(read_out({}, {dark, {}, {}}, Image(4), {}, counts), core::Error);
}

TEST(LinearResponse, PanelsHaveTheirOwnGain) {
  models::Detector detector;
  detector.panels.resize(2);
  for (auto& panel : detector.panels) panel.image_size = {3, 2};
  detector.panels[1].gain = 4, detector.panels[1].pedestal = 7;
  Counts counts(12), noisy(12), other(12);
  const Image photons(12, 10.0F);
  read_out(detector, {2, 1, 0}, photons, {}, counts);
  EXPECT_EQ(counts, (Counts{21, 21, 21, 21, 21, 21, 88, 88, 88, 88, 88, 88}));
  detector.panels[1].gain = 1, detector.panels[1].pedestal = 0;
  read_out(detector, {2, 1000, 30}, photons, {3, 1, 0}, noisy);
  read_out({2, 1000, 30}, {}, photons, {3, 1, 0}, other);
  EXPECT_EQ(noisy, other) << "random numbers belong to pixels of the detector, not of a panel";
}

TEST(LinearResponse, GainSpreadStaysFromImageToImage) {
  const LinearResponse response{1000, 0, 0, 0.05, 31};
  const Image photons(100000, 100.0F);
  Counts first(photons.size()), second(photons.size()), other(photons.size());
  read_out(response, {}, photons, {1, 1, 0}, first);
  read_out(response, {}, photons, {2, 2, 0}, second);
  EXPECT_EQ(first, second);
  LinearResponse recalibrated = response;
  recalibrated.calibration_seed = 32;
  read_out(recalibrated, {}, photons, {1, 1, 0}, other);
  EXPECT_NE(first, other);
  double sum = 0, square = 0;
  for (std::int32_t c : first) sum += c / 1e5 - 1, square += (c / 1e5 - 1) * (c / 1e5 - 1);
  EXPECT_NEAR(sum / 1e5, 0, 5 * 0.05 / std::sqrt(1e5));
  EXPECT_NEAR(std::sqrt(square / 1e5), 0.05, 5 * 0.05 / std::sqrt(2e5));
}

TEST(LinearResponse, VarianceIsThatOfPhotonsAndReadout) {
  Image photons(200000, 25.0F);
  draw_photons(photons, {6, 0, 0}, photons);
  Counts counts(photons.size());
  read_out({4, 500, 12}, {}, photons, {6, 0, 0}, counts);
  double sum = 0, square = 0;
  for (std::int32_t c : counts) sum += c - 600, square += (c - 600.0) * (c - 600.0);
  const double variance = 16 * 25 + 144 + 1.0 / 12, n = static_cast<double>(counts.size());
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n));
  EXPECT_NEAR(square / n / variance, 1, 5 * std::sqrt(2 / n));
}

/// Words of these photons of 12.4 keV without noise.
std::vector<std::uint16_t> quiet_words(const Image& photons) {
  StagedResponse response = jungfrau(12.4);
  for (GainStage& stage : response.pixel.stages) stage.noise = 0;
  std::vector<std::uint16_t> words(photons.size());
  read_out(response, photons, {}, words);
  return words;
}

TEST(Jungfrau, SwitchesItsStages) {
  const auto words = quiet_words({0, 1, 25, 26, 800, 807, 20000});
  const std::vector<std::uint16_t> expected{
      3000,                                          // dark
      3000 + 515,                                    // 12.4 keV * 41.5 ADU/keV = 514.6
      15865,                                         // 310 keV, the last of the first stage
      (1 << 14) | 14552,                             // 322.4 keV * 1.39 = 448.1 below 15000
      (1 << 14) | 1211,                              // 9920 keV: 13788.8 below
      static_cast<std::uint16_t>((3 << 14) | 13899), // 10006.8 keV * 0.11 = 1100.7 below
      static_cast<std::uint16_t>(3 << 14)};          // 248 MeV: beyond the converter
  EXPECT_EQ(words, expected);
  const StagedPixel pixel = jungfrau(12.4).pixel;
  for (std::size_t i = 0; i < words.size(); ++i)
    EXPECT_EQ(is_overloaded(pixel, words[i]), i == 6) << i;
}

TEST(Jungfrau, CalibratesToPhotonsAndEnergies) {
  const Image photons{0, 1, 25, 26, 800, 807, 20000};
  const StagedResponse response = jungfrau(12.4);
  const auto words = quiet_words(photons);
  Image calibrated(photons.size()), energy(photons.size());
  calibrate(response, words, CalibratedUnit::Photons, calibrated);
  calibrate(response, words, CalibratedUnit::KeV, energy);
  for (std::size_t i = 0; i < 6; ++i) {
    const double half_step = 0.51 / std::abs(response.pixel.stages[stage_of_word(words[i])].gain);
    EXPECT_NEAR(energy[i], 12.4 * photons[i], half_step) << i;
    EXPECT_NEAR(12.4 * calibrated[i], energy[i], 1e-6 * energy[i]) << i;
  }
  EXPECT_NEAR(calibrated[6], 15000 / 0.11 / 12.4, 0.1)
      << "an overload stays at the end of the range";
  Counts counts(photons.size());
  round_counts(calibrated, 1, 0, 10000, counts);
  EXPECT_EQ(counts, (Counts{0, 1, 25, 26, 800, 807, 10000}));
}

TEST(Jungfrau, TellsSinglePhotonsApart) {
  const StagedResponse response = jungfrau(12.4);
  Image photons(200000, 0.3F), calibrated(photons.size());
  draw_photons(photons, {12, 0, 0}, photons);
  std::vector<std::uint16_t> words(photons.size());
  Counts counts(photons.size());
  read_out(response, photons, {12, 0, 0}, words);
  calibrate(response, words, CalibratedUnit::Photons, calibrated);
  round_counts(calibrated, 1, -10, 1000, counts);
  double square = 0;
  for (std::size_t i = 0; i < photons.size(); ++i) {
    ASSERT_EQ(counts[i], static_cast<std::int32_t>(photons[i]));
    const auto error = static_cast<double>(calibrated[i] - photons[i]);
    square += error * error;
  }
  // 83 electrons of 3.62 eV are 0.0242 photons.
  EXPECT_NEAR(std::sqrt(square / 200000), 0.0242, 0.0005);
  EXPECT_TRUE(std::any_of(calibrated.begin(), calibrated.end(), [](float v) { return v < 0; }));
}

TEST(Jungfrau, ReadsMoreQuietlyThanPhotonsFluctuate) {
  const StagedResponse response = jungfrau(12.4);
  for (double photons : {1.0, 25.0, 26.0, 806.0, 807.0, 1e4}) {
    const GainStage& stage = response.pixel.stages[stage_of(response.pixel, 12.4 * photons)];
    EXPECT_LT(std::abs(stage.noise / stage.gain / 12.4), 0.5 * std::sqrt(photons)) << photons;
  }
}

TEST(StagedResponse, RefusesWhatHasNoSense) {
  std::vector<std::uint16_t> words(3);
  Image photons(3);
  StagedResponse response = jungfrau(12.4);
  response.pixel.stages[1].limit = 1;
  EXPECT_THROW(read_out(response, photons, {}, words), core::Error);
  response = jungfrau(12.4);
  response.pixel.stages[2].gain = 0;
  EXPECT_THROW(calibrate(response, words, CalibratedUnit::KeV, photons), core::Error);
  EXPECT_THROW(read_out(jungfrau(0), photons, {}, words), core::Error);
  EXPECT_THROW(read_out(jungfrau(9), Image(4), {}, words), core::Error);
}

} // namespace
} // namespace kilobragg::diffraction
