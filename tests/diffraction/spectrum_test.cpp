// Peaks summed over channels: the fast ways against one exponential per channel.
#include "kernels/diffraction/plane_of_peak.hpp"
#include "kernels/diffraction/spectrum.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace kilobragg::diffraction {
namespace {

/// Even channels around 0.77 per angstrom, spikes as weights.
struct Channels {
  std::vector<double> wave_number, weight;
  double step;
  explicit Channels(int count, double spacing = 4e-5)
      : step(spacing) {
    std::mt19937 random(1);
    for (int j = 0; j < count; ++j) {
      wave_number.push_back(0.77 + j * step);
      weight.push_back(std::exponential_distribution<double>()(random));
    }
  }
  SpectrumView view() const {
    return {wave_number.data(), static_cast<int>(wave_number.size()), step};
  }
};

/// Said plainly: every channel, moments of u - centre.
std::vector<double> plain_moments(const Channels& channels, const SpectralPeak<double>& peak,
                                  double chi2_max = 1e9) {
  std::vector<double> sums(4);
  for (std::size_t j = 0; j < channels.weight.size(); ++j) {
    const double w = channels.wave_number[j] - peak.centre, chi2 = peak.a * w * w;
    if (chi2 + peak.least < chi2_max)
      for (int k = 0; k < 4; ++k)
        sums[std::size_t(k)] += channels.weight[j] * std::exp(-0.5 * chi2) * std::pow(w, k);
  }
  return sums;
}

SpectralPeak<double> peak_of_width(double sigma, double centre) {
  return {1 / (sigma * sigma), centre, 0};
}

TEST(SumChannels, FollowingByMultiplicationIsTheSumOfExponentials) {
  const Channels channels(101);
  for (const double sigma : {3e-5, 1e-4, 4e-4, 3e-3, 1.0})
    for (const double centre : {0.768, 0.77, 0.7715, 0.774, 0.777}) {
      const auto peak = peak_of_width(sigma, centre);
      const auto expected = plain_moments(channels, peak);
      const auto even =
          sum_even_channels<4>(channels.view(), channels.weight.data(), {0, 101}, peak);
      const auto any = sum_any_channels<4>(channels.view(), channels.weight.data(), {0, 101}, peak);
      for (std::size_t k = 0; k < 4; ++k) {
        // Beyond the reach of a peak, in 1e-30, they may be zero. Odd moments nearly cancel: they are compared with what they are the difference of.
        const double size = expected[0] * std::pow(sigma + std::abs(centre - 0.772), double(k));
        EXPECT_NEAR(even.sum[k], expected[k], 1e-10 * size + 1e-30) << sigma << ' ' << centre;
        EXPECT_NEAR(any.sum[k], expected[k], 1e-12 * size + 1e-300) << sigma << ' ' << centre;
      }
    }
}

TEST(SumChannels, EightLanesAreEightPeaks) {
  const Channels channels(60);
  SpectralPeak<Wide> eight{};
  for (int i = 0; i < wide_count; ++i) {
    eight.a[i] = 1e7 * (1 + 0.2 * i);
    eight.centre[i] = 0.769 + 5e-4 * i;
  }
  const auto sums =
      sum_channels<4>(channels.view(), channels.weight.data(), ChannelRange{0, 60}, eight);
  for (int i = 0; i < wide_count; ++i) {
    const SpectralPeak<double> one{eight.a[i], eight.centre[i], 0};
    const auto expected = plain_moments(channels, one);
    for (std::size_t k = 0; k < 4; ++k)
      EXPECT_NEAR(sums.sum[k][i], expected[k], 1e-11 * expected[0] * std::pow(5e-3, double(k)));
  }
}

TEST(SumChannels, PeaksNarrowerThanAStepDoNotUnderflow) {
  const Channels channels(40, 1e-3);
  const auto peak = peak_of_width(2e-5, 0.77 + 23e-3);
  const auto sums = sum_channels<1>(channels.view(), channels.weight.data(), {0, 40}, peak);
  EXPECT_NEAR(sums.sum[0], channels.weight[23], 1e-12);
}

TEST(SumChannels, PeaksFarFromTheSpectrumGiveNothingButNoNonsense) {
  const Channels channels(40);
  for (const double centre : {0.1, 0.9, 70.0}) {
    const auto sums = sum_channels<4>(channels.view(), channels.weight.data(), {0, 40},
                                      peak_of_width(1e-4, centre));
    for (const double sum : sums.sum) EXPECT_EQ(sum, 0);
  }
}

TEST(ChannelsNear, LeavesOutWhatCannotMatter) {
  const Channels channels(200);
  std::mt19937 random(2);
  std::uniform_real_distribution<double> part(0, 1);
  int narrower = 0;
  for (int i = 0; i < 200; ++i) {
    SpectralPeak<double> peak =
        peak_of_width(1e-5 * std::exp(5 * part(random)), 0.765 + 0.02 * part(random));
    peak.least = 30 * part(random);
    const ChannelRange near = channels_near(channels.view(), {0, 200}, peak, 20);
    const auto within = plain_moments(channels, peak, 20);
    double sum = 0;
    for (int j = near.first; j < near.last; ++j) {
      const double w = channels.wave_number[std::size_t(j)] - peak.centre;
      if (peak.a * w * w + peak.least < 20)
        sum += channels.weight[std::size_t(j)] * std::exp(-0.5 * peak.a * w * w);
    }
    EXPECT_DOUBLE_EQ(sum, within[0]) << i;
    EXPECT_TRUE(peak.least < 20 || near.empty());
    if (!near.empty() && near.last - near.first < 190) ++narrower;
  }
  EXPECT_GT(narrower, 50);
}

TEST(SpectralPeak, HasNoWidthInTheDirectBeam) {
  const auto peak = spectral_peak<double>(0, 0, 9, 1e4);
  EXPECT_EQ(peak.least, 9);
  const Channels channels(3);
  const auto sums = sum_channels<1>(channels.view(), channels.weight.data(), {0, 3}, peak);
  EXPECT_DOUBLE_EQ(sums.sum[0], channels.weight[0] + channels.weight[1] + channels.weight[2]);
}

/// As the renderer meets it: products of long vectors that cancel, at a point exactly in the beam and beside it.
TEST(SpectralPeak, StaysFiniteWhereTheBeamHitsThePanel) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 2000; ++i) {
    const Vec3 axis = unit({normal(random), normal(random), normal(random)});
    const Mat3 a = rotation_about(axis, 3 * normal(random)) * (1 / 160.0 * Mat3::identity());
    const LatticeShape shape =
        make_lattice_shape(a, make_block_shape(CrystalShape::Gauss, 14 * Mat3::identity()), Mat3{});
    const PeakShape peak = make_peak_shape(shape, a * Vec3{0, 1, 0});
    const Vec3 k0{0, 0, -1};
    const PlaneOfPeak plane =
        plane_of_peak(peak, k0, {-50.05, 50.05, -80}, {0.1, 0, 0}, {0, -0.1, 0});
    for (const double x : {500.0, 500.0 + 1e-7, 500.0 + 1e-4}) {
      const SpectralPeak<double> at = line_of_peak(plane, 0.5, 500.5).at(x);
      const Vec3 d = unit({(x - 500) * 0.1, 0, -80}) - k0;
      const double exact = quadratic_form(peak.inverse_covariance, 0.77 * d - peak.centre);
      const double w = 0.77 - at.centre;
      EXPECT_GE(at.a, 0);
      EXPECT_GE(at.least, 0);
      // What cancellation leaves of `a` costs a few per cent of chi^2, where e^-600 is all that is lit.
      EXPECT_NEAR(at.a * w * w + at.least, exact, 0.05 * exact) << x;
    }
  }
}

TEST(CountChannels, AddsTheWeightsWithinATophat) {
  const Channels channels(50);
  const SpectralPeak<double> peak{1 / 1e-6, 0.7708, 0.36}; // within 0.8e-3
  double expected = 0;
  for (std::size_t j = 0; j < 50; ++j)
    if (std::abs(channels.wave_number[j] - 0.7708) < 0.8e-3) expected += channels.weight[j];
  EXPECT_DOUBLE_EQ(count_channels(channels.view(), channels.weight.data(), {0, 50}, peak),
                   expected);
}

} // namespace
} // namespace kilobragg::diffraction
