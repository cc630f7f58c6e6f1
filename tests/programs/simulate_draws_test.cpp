// Statistics of what simulate_stills draws: pulses, crystals, orientations, rings and bad pixels.
#include "simulate_challenges.hpp"
#include "simulate_spectrum.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/programs/simulate_shots.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace kilobragg::programs {
namespace {

SimulateBeam sase_beam(int channels) {
  SimulateBeam beam;
  beam.spectrum = SpectrumKind::Sase;
  beam.channels = channels;
  beam.bandwidth = 0.003;
  beam.spike_width = 1e-4;
  return beam;
}

TEST(SaseSpectrum, IsChaoticUnderItsGaussian) {
  const SimulateBeam beam = sase_beam(120);
  const auto mean = gaussian_spectrum(beam, 1.3).weights;
  constexpr int shots = 2000;
  std::vector<double> sum(120), square(120);
  double neighbours = 0, far = 0, variance = 0;
  for (int image = 0; image < shots; ++image) {
    const auto weights = sase_spectrum(beam, 1.3, 7, static_cast<std::uint32_t>(image)).weights;
    EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, 1e-12);
    for (std::size_t i = 0; i < 120; ++i)
      sum[i] += weights[i], square[i] += weights[i] * weights[i];
    // Around the middle: channels of 5e-5, spikes of 1e-4.
    variance += (weights[60] - mean[60]) * (weights[60] - mean[60]);
    neighbours += (weights[60] - mean[60]) * (weights[61] - mean[61]);
    far += (weights[60] - mean[60]) * (weights[70] - mean[70]);
  }
  for (std::size_t i = 30; i < 90; i += 5) {
    const double average = sum[i] / shots;
    EXPECT_NEAR(average / mean[i], 1, 0.1) << i; // 4 standard errors
    // Intensities of chaotic light vary as much as their mean where channels are narrower than spikes.
    const double contrast = std::sqrt(square[i] / shots - average * average) / average;
    EXPECT_NEAR(contrast, 0.95, 0.15) << i;
  }
  EXPECT_GT(neighbours / variance, 0.5);
  EXPECT_LT(std::abs(far / variance), 0.15);
}

TEST(SaseSpectrum, HasTheSameSpikesInAnyNumberOfChannels) {
  const auto fine = sase_spectrum(sase_beam(200), 1.3, 1, 4),
             coarse = sase_spectrum(sase_beam(50), 1.3, 1, 4);
  for (std::size_t i = 0; i < 50; ++i) {
    const double together = fine.weights[4 * i] + fine.weights[4 * i + 1] +
                            fine.weights[4 * i + 2] + fine.weights[4 * i + 3];
    EXPECT_NEAR(together, coarse.weights[i], 1e-3 * 0.02 + 1e-3 * together) << i;
    EXPECT_NEAR(2 / coarse.wavelengths[i],
                1 / fine.wavelengths[4 * i] + 1 / fine.wavelengths[4 * i + 3], 1e-12);
  }
  EXPECT_NE(sase_spectrum(sase_beam(50), 1.3, 1, 5).weights, coarse.weights);
  EXPECT_NE(sase_spectrum(sase_beam(50), 1.3, 2, 4).weights, coarse.weights);
}

Sample monoclinic() {
  return {models::UnitCell{50, 60, 70, 90, 100, 90}, models::SpaceGroup("P21")};
}

TEST(Lattices, ComeInTheAskedNumbers) {
  SimulateParams params;
  params.lattices.parts = parse_lattice_parts("1 2 1 4");
  std::map<std::size_t, int> count;
  for (std::uint32_t image = 0; image < 4000; ++image)
    ++count[draw_shot(params, monoclinic(), image).lattices.size()];
  const double expected[] = {500, 1000, 500, 2000};
  for (std::size_t n = 0; n < 4; ++n)
    EXPECT_NEAR(count[n], expected[n], 5 * std::sqrt(expected[n]));
  EXPECT_EQ(count.size(), 4u);
  const auto poisson = parse_lattice_parts("poisson 1.3");
  double sum = 0, mean = 0;
  for (std::size_t n = 0; n < poisson.size(); ++n)
    sum += poisson[n], mean += static_cast<double>(n) * poisson[n];
  EXPECT_NEAR(sum, 1, 1e-12);
  EXPECT_NEAR(mean, 1.3, 1e-6);
  for (const char* bad : {"", "0 0", "1 -1", "poisson", "poisson 1 2", "two", "1 2x"})
    EXPECT_THROW(parse_lattice_parts(bad), core::Error) << bad;
}

TEST(Lattices, PreferTheAskedDirectionEitherWayRound) {
  SimulateParams params;
  params.blanks = params.doubles = 0;
  params.crystal.orientation = {"0 0 1", "1 1 0", 5};
  const Vec3 along = unit(Vec3{1, 1, 0});
  int forwards = 0;
  double square = 0, turn = 0;
  constexpr int shots = 2000;
  for (std::uint32_t image = 0; image < shots; ++image) {
    const auto shot = draw_shot(params, monoclinic(), image);
    const Mat3 real = shot.lattices[0].crystal.real_space();
    const Vec3 c = unit(real.row(2)), a = unit(real.row(0));
    const double cosine = dot(c, along);
    forwards += cosine > 0;
    const double tilt = std::acos(std::min(1.0, std::abs(cosine))) / core::degree;
    square += tilt * tilt;
    turn +=
        a.z * a.z; // of a direction nearly perpendicular to `along`: half of it, all turns alike
  }
  EXPECT_NEAR(std::sqrt(square / shots), 5 * std::sqrt(2.0), 0.3);
  EXPECT_NEAR(forwards, shots / 2, 5 * std::sqrt(shots) / 2);
  EXPECT_NEAR(turn / shots, 0.5, 0.05);
  params.crystal.orientation.axis = "0 0 0";
  EXPECT_THROW(draw_shot(params, monoclinic(), 0), core::Error);
}

TEST(Lattices, FreeAnglesJitterAndOthersDoNot) {
  SimulateParams params;
  params.blanks = params.doubles = 0;
  params.crystal.angle_jitter = 0.2;
  double square = 0;
  for (std::uint32_t image = 0; image < 500; ++image) {
    const auto cell = draw_shot(params, monoclinic(), image).lattices[0].crystal.unit_cell();
    EXPECT_NEAR(cell.alpha, 90, 1e-9);
    EXPECT_NEAR(cell.gamma, 90, 1e-9);
    square += (cell.beta - 100) * (cell.beta - 100);
  }
  EXPECT_NEAR(std::sqrt(square / 500), 0.2, 0.03);
}

const PowderLine* line_at(const std::vector<PowderLine>& lines, double d) {
  for (const PowderLine& line : lines)
    if (std::abs(line.d - d) < 0.003 * d) return &line;
  return nullptr;
}

/// d spacings of hexagonal ice as lists of ice rings give them, and of sodium chloride.
TEST(Powder, RingsAreWhereTheyAreKnownToBe) {
  const auto ice = ice_lines(1.5), salt = salt_lines(1.2);
  for (const double d : {3.897, 3.669, 3.441, 2.671, 2.249, 2.072, 1.948, 1.918, 1.883, 1.721})
    EXPECT_TRUE(line_at(ice, d)) << d;
  EXPECT_NEAR(ice.front().d, 3.895, 0.01); // nothing lies further in
  EXPECT_EQ(line_at(ice, 3.897)->intensity, 1);
  EXPECT_GT(line_at(ice, 3.441)->intensity, 4 * line_at(ice, 2.671)->intensity / 3);
  for (const double d : {3.256, 2.820, 1.994, 1.628, 1.410, 1.261})
    EXPECT_TRUE(line_at(salt, d)) << d;
  EXPECT_EQ(line_at(salt, 2.820)->intensity, 1);
  EXPECT_LT(line_at(salt, 3.256)->intensity, 0.15); // 111: chlorine less sodium
}

TEST(Powder, ProfileHasCrestAndWidth) {
  const PowderProfile profile({{4, 1}, {2, 0.5}}, 0.01);
  EXPECT_NEAR(profile.at(0.25F), 1, 1e-3);
  EXPECT_NEAR(profile.at(0.5F), 0.5, 1e-3);
  EXPECT_NEAR(profile.at(0.25F * 1.005F), 0.5, 1e-2);
  EXPECT_EQ(profile.at(0.35F), 0);
  EXPECT_EQ(profile.at(5), 0);
  EXPECT_EQ(profile.at(-1), 0);
}

/// A run on a detector of 4 x 64 x 64 pixels, part of them masked.
class Challenges : public ::testing::Test {
protected:
  Challenges() {
    params_.seed = 3;
    params_.detector.pixels = 64;
    params_.detector.pixel_size = 1.2;
    detector_ = make_simulated_detector(params_.detector, 1.3);
    detector_.mask.assign(4 * 64 * 64, 1);
    for (std::size_t i = 0; i < 5000; ++i) detector_.mask[i] = 0;
    beam_.wavelength = 1.3;
  }
  SimulateParams params_;
  SimulatedDetector detector_;
  models::Beam beam_;
};

TEST_F(Challenges, BadPixelsAreUsableDistinctAndMaskedAsAsked) {
  auto& wanted = params_.challenges;
  wanted.hot_pixels = {200, true};
  wanted.dead_pixels = {300, false};
  wanted.dead_panels = {1, true};
  const BadPixels bad = draw_bad_pixels(params_, detector_);
  std::map<std::size_t, int> seen;
  int saturated = 0;
  for (const HotPixel& hot : bad.hot) ++seen[hot.pixel.index], saturated += hot.photons == 0;
  for (const PlacedPixel& pixel : bad.dead) ++seen[pixel.index];
  EXPECT_EQ(seen.size(), 500u);
  EXPECT_GE(seen.begin()->first, 5000u);
  EXPECT_NEAR(saturated, 100, 40);
  ASSERT_EQ(bad.dead_blocks.size(), 1u);
  const auto mask = file_mask(wanted, detector_, bad);
  for (const HotPixel& hot : bad.hot) EXPECT_EQ(mask[hot.pixel.index], 0);
  const auto panel_of = [](std::size_t index) { return static_cast<int>(index / (64 * 64)); };
  for (const PlacedPixel& pixel : bad.dead) {
    EXPECT_EQ(pixel.panel, panel_of(pixel.index));
    EXPECT_EQ(mask[pixel.index], pixel.panel == bad.dead_blocks[0].panel ? 0 : 1);
  }
  wanted.dead_panels.count = 5;
  EXPECT_THROW(draw_bad_pixels(params_, detector_), core::Error);
}

TEST_F(Challenges, CountsShowThem) {
  auto& wanted = params_.challenges;
  wanted.hot_pixels.count = 20;
  wanted.dead_panels.count = 1;
  wanted.zingers = 30;
  const BadPixels bad = draw_bad_pixels(params_, detector_);
  const Challenger challenger(params_, detector_, detector_.detector, beam_, bad);
  const auto drawn = draw_artefacts(params_, detector_.detector, beam_, 5);
  EXPECT_NEAR(static_cast<double>(drawn.zingers.size()), 30, 25);
  std::vector<std::int32_t> counts(4 * 64 * 64, 7);
  challenger.change_counts(drawn, 5, counts);
  const PixelBlock dead = bad.dead_blocks[0];
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (static_cast<int>(i / (64 * 64)) == dead.panel) {
      ASSERT_EQ(counts[i], 0);
    } else {
      ASSERT_GE(counts[i], 7);
    }
  for (const HotPixel& hot : bad.hot) {
    if (hot.pixel.panel == dead.panel) continue;
    if (hot.photons == 0) {
      EXPECT_EQ(counts[hot.pixel.index], 65001);
    } else {
      EXPECT_NEAR(counts[hot.pixel.index], hot.photons + 7, 6 * std::sqrt(hot.photons));
    }
  }
  const Zinger& zinger = *std::find_if(drawn.zingers.begin(), drawn.zingers.end(), [&](auto& z) {
    return z.start.panel != dead.panel && z.photons > 10;
  });
  EXPECT_GT(counts[zinger.start.index], 16);
}

TEST_F(Challenges, RingsAndSaltPeaksAreWhereTheTruthSays) {
  auto& wanted = params_.challenges;
  wanted.ice.fraction = 1;
  wanted.salt = {1, 0, 0.004};
  wanted.salt_peaks = 40;
  const Challenger challenger(params_, detector_, detector_.detector, beam_, {});
  auto drawn = draw_artefacts(params_, detector_.detector, beam_, 2);
  EXPECT_GT(drawn.ice, 0);
  EXPECT_EQ(drawn.salt, 0);
  ASSERT_GT(drawn.salt_peaks.size(), 5u);
  for (const SaltPeak& peak : drawn.salt_peaks) {
    const auto& panel = detector_.detector.panels[static_cast<std::size_t>(peak.panel)];
    EXPECT_NEAR(panel.resolution_at(beam_.s0(), peak.px), peak.d, 1e-6);
  }
  drawn.ice = 0;
  std::vector<float> photons(4 * 64 * 64);
  challenger.add_photons(drawn, 1.3, photons);
  const double sum = std::accumulate(photons.begin(), photons.end(), 0.0);
  double expected = 0;
  for (const SaltPeak& peak : drawn.salt_peaks) expected += peak.photons;
  EXPECT_LT(sum, expected * 1.001); // some lie over an edge
  EXPECT_GT(sum, expected * 0.7);
  // With ice alone, photons stand at its d spacings only.
  drawn.salt_peaks.clear();
  drawn.ice = 100;
  photons.assign(photons.size(), 0);
  challenger.add_photons(drawn, 1.3, photons);
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) {
      const double d = detector_.detector.panels[3].resolution_at(beam_.s0(), {x + 0.5, y + 0.5});
      const float value = photons[static_cast<std::size_t>(3 * 64 * 64 + y * 64 + x)];
      if (d > 4.0) {
        EXPECT_EQ(value, 0) << x << " " << y;
      }
      if (std::abs(d - 3.895) < 0.003) {
        EXPECT_GT(value, 50) << x << " " << y;
      }
    }
}

TEST_F(Challenges, PartsOfImagesHaveThem) {
  params_.challenges.ice.fraction = 0.3;
  int with = 0;
  double level = 0;
  for (std::uint32_t image = 0; image < 2000; ++image) {
    const double ice = draw_artefacts(params_, detector_.detector, beam_, image).ice;
    with += ice > 0;
    level += ice;
  }
  EXPECT_NEAR(with, 600, 100);
  EXPECT_NEAR(level / with, 10, 1);
}

} // namespace
} // namespace kilobragg::programs
