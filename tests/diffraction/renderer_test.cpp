// The spot-driven renderer against the plain model over every pixel.
#include "tests/reference/forward_reference.hpp"
#include "tests/support/tilted_panels.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/renderer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace kilobragg::diffraction {
namespace {

constexpr double degree = 3.14159265358979 / 180;

/// At 25 mm: about 1.5 angstrom at the outer corners.
models::Detector make_detector() {
  return testing::tilted_panels({{-21, 10, -25}, {1, 10, -25}, {0.5, 0.4}, {40, 50}});
}

models::Beam make_beam() { return testing::three_wavelengths(); }

structure_factors::Amplitudes make_amplitudes() {
  return testing::graded_amplitudes({30, 30, 40, 90, 90, 90}, 1.4);
}

ShotLattice make_lattice(const Vec3& axis, double angle, double sigma) {
  ShotLattice lattice;
  lattice.crystal = models::Crystal::from_cell(
      {30, 30, 40, 90, 90, 90}, rotation_about(unit(axis), angle), models::SpaceGroup("P43212"));
  lattice.size = Mat3{{16, 1, 0, 1, 18, 0, 0, 0, 14}};
  lattice.rotation = sigma * sigma * Mat3::identity();
  lattice.scale = 2;
  return lattice;
}

Shot make_shot(const std::vector<ShotLattice>& lattices) {
  Shot shot;
  shot.beam = make_beam();
  shot.lattices = lattices;
  shot.fluence = 1e24;
  return shot;
}

std::vector<float> render(const Shot& shot, const RenderParams& params,
                          RenderCounts* counts = nullptr) {
  Renderer renderer(make_detector(), make_beam(), params);
  std::vector<float> image(renderer.pixel_count());
  const DeviceReflections reflections(expand_to_sphere(make_amplitudes(), 0));
  const auto got = renderer.add_peaks(shot, reflections, image);
  if (counts != nullptr) *counts = got;
  return image;
}

double largest(const std::vector<double>& image) {
  return *std::max_element(image.begin(), image.end());
}

TEST(Renderer, AgreesWithThePlainModelOverEveryPixel) {
  const Shot shot = make_shot({make_lattice({1, 2, 3}, 0.6, 0)});
  for (int oversample : {1, 2}) {
    std::vector<double> expected(4000);
    reference::add_lattice(make_detector(), shot, shot.lattices[0], {reference::Block{}},
                           expand_to_sphere(make_amplitudes(), 0), oversample, expected);
    const auto image = render(shot, {.oversample = oversample, .tail = 1e-9, .floor = 1e-12});
    ASSERT_GT(largest(expected), 100);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // The plain model takes polarisation and solid angle at each point, the renderer at the
      // middle of the pixel (pixels here are 20 mrad wide).
      const double tolerance = oversample == 1 ? 1e-5 : 1.5e-2;
      EXPECT_NEAR(static_cast<double>(image[i]), expected[i],
                  tolerance * expected[i] + 1e-7 * largest(expected))
          << i;
    }
  }
}

TEST(Renderer, MosaicSpreadAgreesWithExplicitBlocks) {
  const double sigma = 0.15 * degree;
  Shot shot = make_shot({make_lattice({1, 2, 3}, 0.6, sigma)});
  Shot still = make_shot({make_lattice({1, 2, 3}, 0.6, 0)});
  shot.beam.spectrum = still.beam.spectrum = {}; // 2197 blocks are enough work
  std::vector<double> expected(4000);
  reference::add_lattice(make_detector(), shot, shot.lattices[0],
                         reference::gaussian_blocks(13, sigma),
                         expand_to_sphere(make_amplitudes(), 0), 1, expected);
  const auto image = render(shot, {.oversample = 1, .tail = 1e-9, .floor = 1e-12});
  const auto sharp = render(still, {.oversample = 1});
  double difference = 0, without = 0, sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::abs(static_cast<double>(image[i]) - expected[i]);
    without += std::abs(static_cast<double>(sharp[i]) - expected[i]);
    sum += expected[i];
  }
  EXPECT_LT(difference / sum, 0.02);
  EXPECT_GT(without / sum, 0.1) << "the spread must matter for this test to test";
}

TEST(Renderer, TheTailCutLosesLittleAndSparesMuch) {
  const Shot shot = make_shot({make_lattice({2, -1, 1}, 1.1, 0.05 * degree)});
  RenderCounts all, cut;
  const auto full = render(shot, {.oversample = 1, .tail = 1e-14, .floor = 1e-14}, &all);
  const auto fast = render(shot, {.oversample = 1, .tail = 1e-6, .floor = 1e-4}, &cut);
  EXPECT_LT(3 * cut.pixels, 2 * all.pixels);
  const double brightest = static_cast<double>(*std::max_element(full.begin(), full.end()));
  for (std::size_t i = 0; i < full.size(); ++i)
    EXPECT_NEAR(static_cast<double>(fast[i]), static_cast<double>(full[i]),
                1e-4 * 12 + 2e-6 * brightest);
}

TEST(Renderer, LatticesAddUp) {
  const ShotLattice a = make_lattice({1, 2, 3}, 0.6, 0.05 * degree);
  const ShotLattice b = make_lattice({3, -1, 1}, 2.1, 0.02 * degree);
  const auto image_a = render(make_shot({a}), {}), image_b = render(make_shot({b}), {});
  const auto both = render(make_shot({a, b}), {});
  EXPECT_GT(*std::max_element(image_a.begin(), image_a.end()), 10);
  EXPECT_GT(*std::max_element(image_b.begin(), image_b.end()), 10);
  for (std::size_t i = 0; i < both.size(); ++i)
    EXPECT_NEAR(both[i], image_a[i] + image_b[i], 1e-5F * both[i] + 1e-12F);
}

/// Forty spikes, evenly spaced in photon energy or in wavelength.
models::Spectrum many_channels(bool even_in_energy) {
  models::Spectrum spectrum;
  for (int i = 0; i < 40; ++i) {
    const double offset = 2.5e-4 * (i - 19.5);
    spectrum.wavelengths.push_back(even_in_energy ? 1.3 / (1 + offset) : 1.3 * (1 + offset));
    spectrum.weights.push_back(1 + i * i % 7);
  }
  return spectrum;
}

TEST(Renderer, ManyChannelsAgreeWithThePlainModel) {
  for (const bool even : {true, false}) {
    Shot shot = make_shot({make_lattice({1, 2, 3}, 0.6, 0)});
    shot.beam.spectrum = many_channels(even);
    std::vector<double> expected(4000);
    reference::add_lattice(make_detector(), shot, shot.lattices[0], {reference::Block{}},
                           expand_to_sphere(make_amplitudes(), 0), 1, expected);
    const auto image = render(shot, {.oversample = 1, .tail = 1e-9, .floor = 1e-12});
    ASSERT_GT(largest(expected), 10);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(static_cast<double>(image[i]), expected[i],
                  1e-5 * expected[i] + 1e-7 * largest(expected))
          << i;
  }
}

TEST(Renderer, SeveralShotsAtOnceAreThoseOneByOne) {
  std::vector<Shot> shots;
  for (int i = 0; i < 5; ++i)
    shots.push_back(make_shot(
        {make_lattice({1, 2, 3}, 0.3 * i, 1e-3), make_lattice({-1, i + 1.0, 0.5}, 1.1, 0)}));
  shots[1].lattices.clear();
  shots[2].beam.spectrum = many_channels(true);
  shots[3].lattices[0].rotation = {};
  shots[3].lattices[0].shape = CrystalShape::Tophat;
  shots[4].lattices[1].shape = CrystalShape::Square;
  Renderer renderer(make_detector(), make_beam(), {.oversample = 2});
  const DeviceReflections reflections(expand_to_sphere(make_amplitudes(), 0));
  std::vector<float> together(5 * renderer.pixel_count());
  renderer.add_peaks(shots, reflections, together);
  for (std::size_t s = 0; s < 5; ++s) {
    std::vector<float> alone(renderer.pixel_count());
    renderer.add_peaks(shots[s], reflections, alone);
    const float brightest = *std::max_element(alone.begin(), alone.end());
    EXPECT_EQ(brightest > 10, !shots[s].lattices.empty()) << s;
    const auto first = together.begin() + std::ptrdiff_t(s * alone.size());
    for (std::size_t i = 0; i < alone.size(); ++i)
      EXPECT_NEAR(first[std::ptrdiff_t(i)], alone[i], 1e-6F * alone[i]) << s << ' ' << i;
  }
}

TEST(Renderer, EachChannelTakesTheAmplitudesOfItsEnergy) {
  // Two layers, at the first and the last of three energies: the middle one takes from both.
  auto layered = expand_to_sphere(make_amplitudes(), 0);
  const std::size_t n = layered.size();
  for (std::size_t i = 0; i < n; ++i)
    layered.f_squared.push_back(layered.f_squared[i] * (2 + std::sin(double(i))));
  const auto energy = [](double wavelength) { return 12398.419843320026 / wavelength; };
  const std::vector<double> wavelengths = {1.31, 1.3, 1.295};
  layered.energies = {energy(1.31), energy(1.295)};
  for (const CrystalShape shape : {CrystalShape::Gauss, CrystalShape::Square}) {
    Shot shot = make_shot({make_lattice({1, 2, 3}, 0.6, 0)});
    shot.lattices[0].shape = shape;
    Renderer renderer(make_detector(), make_beam(), {.oversample = 1, .tail = 1e-12});
    std::vector<float> image(renderer.pixel_count());
    std::vector<double> expected(image.size());
    shot.beam.spectrum = {wavelengths, {1, 2, 3}};
    renderer.add_peaks(shot, DeviceReflections(layered), image);
    for (std::size_t c = 0; c < 3; ++c) {
      ReflectionSphere own{layered.hkl, {}, {}};
      const double part = (energy(wavelengths[c]) - layered.energies[0]) /
                          (layered.energies[1] - layered.energies[0]);
      for (std::size_t i = 0; i < n; ++i)
        own.f_squared.push_back((1 - part) * layered.f_squared[i] +
                                part * layered.f_squared[n + i]);
      std::vector<float> of_channel(image.size());
      shot.beam.spectrum = {{wavelengths[c]}, {1}};
      renderer.add_peaks(shot, DeviceReflections(own), of_channel);
      for (std::size_t i = 0; i < image.size(); ++i)
        expected[i] += (1.0 + double(c)) / 6 * static_cast<double>(of_channel[i]);
    }
    ASSERT_GT(largest(expected), 10);
    for (std::size_t i = 0; i < image.size(); ++i)
      EXPECT_NEAR(static_cast<double>(image[i]), expected[i],
                  1e-5 * expected[i] + 1e-7 * largest(expected));
  }
}

TEST(Renderer, NoCrystalNoLight) {
  const auto image = render(make_shot({}), {});
  EXPECT_EQ(std::count(image.begin(), image.end(), 0.0F), 4000);
}

TEST(Renderer, IntensityDoesNotDependOnSamplingOnceFine) {
  const Shot shot = make_shot({make_lattice({1, 2, 3}, 0.6, 0.05 * degree)});
  const auto sum = [&](int oversample) {
    const auto image = render(shot, {.oversample = oversample});
    return std::accumulate(image.begin(), image.end(), 0.0);
  };
  EXPECT_NEAR(sum(16) / sum(32), 1, 1e-3);
}

TEST(Renderer, BackgroundHasItsMeanAndTheWaterRing) {
  const Renderer renderer(make_detector(), make_beam(), {});
  Shot shot = make_shot({});
  shot.background = 7;
  std::vector<float> image(renderer.pixel_count());
  renderer.add_background(shot, image);
  const double sum = std::accumulate(image.begin(), image.end(), 0.0);
  EXPECT_NEAR(sum / static_cast<double>(image.size()), 7, 1e-4);
  EXPECT_GT(*std::max_element(image.begin(), image.end()), 10);
  EXPECT_GT(*std::min_element(image.begin(), image.end()), 0);
}

TEST(Renderer, RefusesWhatCannotBeRendered) {
  EXPECT_THROW(Renderer({}, make_beam(), {}), core::Error);
  EXPECT_THROW(Renderer(make_detector(), make_beam(), {.oversample = 0}), core::Error);
  auto open = make_detector();
  open.panels[1].mu = 0;
  EXPECT_NO_THROW(Renderer(open, make_beam(), {}));
  EXPECT_THROW(Renderer(open, make_beam(), {.layers = 5}), core::Error);
  Renderer renderer(make_detector(), make_beam(), {});
  std::vector<float> small(10);
  EXPECT_THROW(renderer.add_background(make_shot({}), small), core::Error);
  Shot dark = make_shot({});
  dark.beam.spectrum.weights = {0, 0, 0};
  std::vector<float> image(renderer.pixel_count());
  EXPECT_THROW(renderer.add_peaks(dark, DeviceReflections({}), image), core::Error);
}

TEST(ReflectionSphere, HoldsEveryEquivalentOnce) {
  const auto amplitudes = make_amplitudes();
  const auto sphere = expand_to_sphere(amplitudes, 2.0);
  EXPECT_TRUE(std::is_sorted(sphere.hkl.begin(), sphere.hkl.end()));
  EXPECT_EQ(std::adjacent_find(sphere.hkl.begin(), sphere.hkl.end()), sphere.hkl.end());
  std::size_t expected = 0; // every index of the sphere that is not absent
  for (int h = -15; h <= 15; ++h)
    for (int k = -15; k <= 15; ++k)
      for (int l = -20; l <= 20; ++l) {
        const models::Miller hkl{h, k, l};
        if (hkl == models::Miller{} || amplitudes.cell.d(hkl) < 2.0) continue;
        if (!amplitudes.space_group.is_absent(hkl)) ++expected;
      }
  EXPECT_EQ(sphere.size(), expected);
  for (std::size_t i = 0; i < sphere.size(); i += 97) {
    const auto asu = amplitudes.space_group.to_asu(sphere.hkl[i]);
    const auto at = std::lower_bound(amplitudes.hkl.begin(), amplitudes.hkl.end(), asu);
    ASSERT_TRUE(at != amplitudes.hkl.end() && *at == asu);
    const double f = amplitudes.f[static_cast<std::size_t>(at - amplitudes.hkl.begin())];
    EXPECT_EQ(sphere.f_squared[i], f * f);
  }
}

TEST(ReflectionSphere, RefusesAnEmptyOne) {
  EXPECT_THROW(expand_to_sphere(make_amplitudes(), 100), core::Error);
}

} // namespace
} // namespace kilobragg::diffraction
