// Counts of simulated detectors: photons as ever, linear and staged responses, media, sensor layers.
#include "simulate_image.hpp"
#include "simulate_sample.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/units.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace kilobragg::programs {
namespace {

using Counts = std::vector<std::int32_t>;

/// A few panels of few pixels, with a mask.
class SimulatedCounts : public ::testing::Test {
protected:
  SimulatedCounts() {
    params_.seed = 9;
    params_.detector.pixels = 128;
    params_.detector.pixel_size = 0.6;
    params_.amplitudes.d_min = 3;
  }

  /// The run of the parameters as they are now.
  void prepare() {
    check_simulate_params(params_);
    scene_.detector = make_simulated_detector(params_.detector, params_.beam.wavelength);
    scene_.detector.mask.assign(4 * 128 * 128, 1);
    std::fill_n(scene_.detector.mask.begin(), 100, std::uint8_t{0});
    describe_counts(params_, scene_.detector.detector);
    scene_.amplitudes = make_amplitudes(params_, scene_.detector.detector);
  }
  DrawnShot shot(std::uint32_t image) const {
    return draw_shot(params_, {scene_.amplitudes.cell, scene_.amplitudes.space_group}, image);
  }
  /// An image that is no blank.
  DrawnShot hit() const {
    std::uint32_t image = 0;
    while (shot(image).lattices.empty()) ++image;
    return shot(image);
  }
  Counts make() {
    prepare();
    ImageMaker maker(params_, scene_);
    const auto counts = maker.make(hit(), {});
    return {counts.begin(), counts.end()};
  }
  std::vector<float> expect(const DrawnShot& drawn) {
    scene_.media = make_media(params_.background);
    ImageMaker maker(params_, scene_);
    const auto photons = maker.expect(drawn, {});
    return {photons.begin(), photons.end()};
  }
  const std::array<double, 2>& trusted() const {
    return scene_.detector.detector.panels[0].trusted_range;
  }
  void refuses(const std::string& words) const {
    try {
      check_simulate_params(params_);
      ADD_FAILURE() << "taken, though: " << words;
    } catch (const core::Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }

  SimulateParams params_;
  SimulatedScene scene_;
};

/// Step by step what simulate_stills has always done: defaults must change nothing.
TEST_F(SimulatedCounts, DefaultsAreCountedPhotons) {
  for (const double gain : {1.0, 2.5}) {
    params_.detector.gain = gain;
    const Counts counts = make();
    const DrawnShot drawn = hit();
    const auto render = to_render(drawn, params_);
    models::Beam beam;
    beam.wavelength = params_.beam.wavelength;
    beam.polarization_fraction = params_.beam.polarization_fraction;
    diffraction::Renderer renderer(absorption_planes(scene_.detector.detector), beam,
                                   diffraction::RenderParams{});
    std::vector<float> photons(counts.size());
    renderer.add_peaks(render,
                       diffraction::DeviceReflections(diffraction::expand_to_sphere(
                           scene_.amplitudes, 3, core::ev_angstrom / beam.wavelength)),
                       photons);
    renderer.add_background(render, photons);
    Counts expected(counts.size());
    diffraction::count_photons(photons, {.gain = gain, .seed = 9}, drawn.image, expected);
    std::fill_n(expected.begin(), 100, -1);
    EXPECT_EQ(counts, expected) << gain;
    EXPECT_EQ(trusted(), (std::array<double, 2>{0, 65000}));
    EXPECT_EQ(scene_.detector.detector.panels[0].gain, gain);
  }
}

TEST_F(SimulatedCounts, LinearWithoutNoiseArePhotons) {
  const Counts photons = make();
  params_.response.kind = ResponseKind::Linear;
  params_.response.readout_noise = 0;
  const Counts counts = make();
  EXPECT_TRUE(std::equal(counts.begin() + 100, counts.end(), photons.begin() + 100));
  EXPECT_EQ(counts[0], std::numeric_limits<std::int32_t>::min());
  EXPECT_GT(*std::max_element(photons.begin(), photons.end()), 100); // or it is a blank
}

/// Noise below zero is data, pixels that are not there are not, and the trusted range tells them apart.
TEST_F(SimulatedCounts, NegativeCountsAreTrustedAndMaskedOnesAreNot) {
  params_.response.kind = ResponseKind::Linear;
  params_.response.readout_noise = 4;
  params_.detector.gain = 0.5;
  const Counts counts = make();
  EXPECT_EQ(trusted()[0], -28);
  EXPECT_EQ(scene_.detector.detector.panels[0].gain, 0.5);
  int negative = 0, minus_one = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const bool absent = i < 100;
    EXPECT_EQ(counts[i] < trusted()[0], absent) << i;
    if (absent) continue;
    negative += counts[i] < 0;
    minus_one += counts[i] == -1; // marks masked pixels where counts are photons
  }
  EXPECT_GT(negative, 1000);
  EXPECT_GT(minus_one, 100);
}

TEST_F(SimulatedCounts, AnOffsetEndsAtZeroAndKeepsTheNoise) {
  params_.poisson = false;
  params_.background.level = 0;
  params_.lattices.parts = {1};
  params_.response.kind = ResponseKind::Linear;
  params_.response.readout_noise = 3;
  params_.response.adc_offset = 40;
  prepare();
  ImageMaker maker(params_, scene_);
  const auto made = maker.make(shot(0), {});
  const std::vector<double> counts(made.begin() + 100, made.end());
  const auto n = static_cast<double>(counts.size());
  const double mean = std::accumulate(counts.begin(), counts.end(), 0.0) / n;
  double square = 0;
  for (const double c : counts) square += (c - mean) * (c - mean);
  EXPECT_NEAR(mean, 40, 0.1);
  EXPECT_NEAR(std::sqrt(square / n), std::sqrt(9 + 1.0 / 12), 0.06);
  EXPECT_EQ(trusted()[0], 0);
  EXPECT_EQ(scene_.detector.detector.panels[0].pedestal, 40);
  params_.response.adc_offset = 2;
  prepare();
  ImageMaker low(params_, scene_);
  const auto cut = low.make(shot(0), {});
  EXPECT_EQ(*std::min_element(cut.begin() + 100, cut.end()), 0);
}

TEST_F(SimulatedCounts, OverloadsAreNeverTrusted) {
  params_.beam.fluence = 1e29; // every spot and the background overload
  params_.background.level = 100;
  params_.background.clip.max = 100;
  for (const ResponseKind kind : {ResponseKind::Linear, ResponseKind::GainStages})
    for (const std::optional<int> saturation : {std::optional<int>(), std::optional<int>(5000)}) {
      params_.response.kind = kind;
      params_.response.saturation = saturation;
      const Counts counts = make();
      const double largest = *std::max_element(counts.begin(), counts.end());
      if (kind == ResponseKind::GainStages && !saturation) {
        const double overload = 15000 / 0.11 / (core::ev_angstrom / 1300); // photons, 136 MeV
        EXPECT_NEAR(largest, overload, 0.51);
        EXPECT_EQ(trusted()[1], largest - 1);
      } else {
        EXPECT_EQ(largest, saturation.value_or(65001));
        EXPECT_EQ(trusted()[1], largest - 1);
      }
    }
}

/// Calibrated stages: photons again, with the noise of their stage, and finer units by the gain.
TEST_F(SimulatedCounts, GainStagesAreCalibrated) {
  params_.beam.fluence *= 20; // enough for the second stage
  const Counts photons = make();
  params_.response.kind = ResponseKind::GainStages;
  params_.detector.gain = 10;
  const Counts counts = make();
  double low = 0, high = 0;
  int n_low = 0, n_high = 0;
  for (std::size_t i = 100; i < counts.size(); ++i) {
    const double n = photons[i], off = counts[i] / 10.0 - n;
    if (n < 32) {
      low += off * off, ++n_low;
    } else if (n > 33 && n < 1000) {
      high += off * off, ++n_high;
    }
  }
  // 12.5 ADU at 9.54 keV: 0.0316 and 0.943 photons. Whole photons are whole tenths, so that rounding
  // sends all but 11 % of the deviations back to 0, and the others to 0.1.
  EXPECT_NEAR(std::sqrt(low / n_low), 0.1 * std::sqrt(0.113), 0.002);
  ASSERT_GT(n_high, 100);
  EXPECT_NEAR(std::sqrt(high / n_high), 0.943, 0.15);
  EXPECT_EQ(scene_.detector.detector.panels[0].pedestal, 0);
}

TEST_F(SimulatedCounts, GainsOfPixelsStayFromSeedToSeed) {
  params_.poisson = false;
  params_.background.level = 1000;
  params_.background.clip = {1000, 1000};
  params_.lattices.parts = {1};
  params_.background.blank = 1;
  params_.beam.fluence_spread = 0;
  params_.response.kind = ResponseKind::Linear;
  params_.response.readout_noise = 0;
  params_.response.calibration_noise = 0.03;
  const auto blank = [&] {
    prepare();
    ImageMaker maker(params_, scene_);
    const auto counts = maker.make(shot(1), {});
    return Counts(counts.begin() + 100, counts.end());
  };
  const Counts first = blank();
  params_.seed = 10;
  EXPECT_EQ(blank(), first);
  params_.response.calibration_seed = 2;
  EXPECT_NE(blank(), first);
}

TEST_F(SimulatedCounts, PointSpreadMakesSpotsWiderAndKeepsThem) {
  params_.poisson = false;
  params_.response.kind = ResponseKind::Linear;
  params_.response.readout_noise = 0;
  params_.detector.gain = 10; // so that little is lost to rounding
  const auto sums = [](const Counts& counts) {
    double sum = 0, square = 0;
    for (std::size_t i = 100; i < counts.size(); ++i) {
      sum += counts[i];
      square += static_cast<double>(counts[i]) * counts[i];
    }
    return std::array{sum, square};
  };
  params_.response.saturation = 2000000000;
  const auto sharp = sums(make());
  params_.response.point_spread.fwhm = 900; // a pixel and a half
  const auto spread = sums(make());
  EXPECT_NEAR(spread[0] / sharp[0], 1, 0.02);
  EXPECT_LT(spread[1], 0.8 * sharp[1]);
}

/// Water, air and a table as the room diffraction has them; a blank shot keeps the air.
TEST_F(SimulatedCounts, MediaAddTheirPhotons) {
  const testing::TemporaryFolder folder;
  core::write_file(folder / "f.txt", "0 3\n0.5 2\n");
  core::write_file(folder / "i.txt", "# F^2\n0 9\n0.5 4\n");
  params_.background.level = 0;
  params_.lattices.parts = {1};
  params_.beam.size_um = 3;
  prepare();
  const auto dark = expect(shot(1));
  EXPECT_EQ(*std::max_element(dark.begin(), dark.end()), 0);
  const auto total = [&] {
    check_simulate_params(params_);
    const auto photons = expect(shot(1));
    return std::accumulate(photons.begin(), photons.end(), 0.0);
  };
  params_.background.air = 20;
  const double air = total();
  params_.background.blank = 0;
  EXPECT_EQ(total(), air);
  models::Beam beam;
  beam.polarization_fraction = params_.beam.polarization_fraction;
  const DrawnShot drawn = shot(1);
  diffraction::AmorphousShot shot_of_air{drawn.beam, params_.beam.fluence * drawn.fluence, 9e-6};
  std::vector<float> expected(4 * 128 * 128);
  const diffraction::Medium medium = diffraction::air(20);
  diffraction::AmorphousScattering(scene_.detector.detector, beam)
      .add(shot_of_air, std::span(&medium, 1), expected);
  EXPECT_EQ(expect(drawn), expected);
  EXPECT_GT(air, 1000);

  params_.background.air = 0;
  params_.background.blank = 0.25;
  params_.background.water = 0.01;
  const double water = total();
  params_.background.water = 0.0025, params_.background.blank = 1;
  EXPECT_NEAR(total() / water, 1, 1e-5);

  params_.background.water = 0;
  params_.background.table = {folder / "f.txt", false, 0.01, 1, 18};
  const double by_f = total();
  params_.background.table = {folder / "i.txt", true, 0.01, 1, 18};
  EXPECT_NEAR(total() / by_f, 1, 1e-5);
  EXPECT_GT(by_f, 1000);
}

TEST_F(SimulatedCounts, WhatCannotBeIsRefused) {
  SimulateResponse& response = params_.response;
  response.readout_noise = 3;
  refuses("detector.readout_noise has no effect with detector.response=photons");
  response = {};
  response.point_spread.fwhm = 75;
  refuses("detector.response=linear?");
  response = {};
  response.stage_gain = "1 2 3";
  refuses("detector.response=gain_stages?");
  response.kind = ResponseKind::GainStages;
  response.stage_gain = "41.5 -1.39";
  refuses("has 2 numbers (3 are expected)");
  response.stage_gain = "60 -1.39 -0.11"; // 310 keV are more than 14 bits then
  refuses("detector.gain_stages.limit=310");
  response.stage_gain = "41.5 0 -0.11";
  refuses("gain stage 1 cannot be");
  response = {};
  response.kind = ResponseKind::GainStages;
  response.adc_offset = 40;
  refuses("detector.gain_stages.pedestal?");
  response = {};
  response.kind = ResponseKind::GainStages;
  response.readout_noise = 1;
  response.stage_noise = "1 1 1";
  refuses("leave one out?");
  response = {};
  response.kind = ResponseKind::Linear;
  response.saturation = 30;
  response.adc_offset = 40;
  refuses("detector.adc_offset=40");
  response = {};
  params_.background.table.path = 1;
  refuses("background.table_path=1 goes through nothing");
  params_.background.table = {};
  params_.background.table.file = "f.txt";
  refuses("scatters nothing");
  params_.background.table = {};
  params_.layers = 0;
  refuses("render.layers=0");
  EXPECT_THROW(layer_planes(make_simulated_detector(params_.detector, 1.3).detector, 3),
               core::Error); // no sensor
}

TEST_F(SimulatedCounts, TheTruthHasTheResponse) {
  params_.response.kind = ResponseKind::GainStages;
  params_.response.readout_noise = 20;
  params_.response.point_spread.fwhm = 75;
  prepare();
  const auto json = response_json(params_, scene_.detector.detector);
  EXPECT_EQ(json["response"], "gain_stages");
  EXPECT_EQ(json["gain_stages"]["stages"][1]["noise_adu"], 20);
  EXPECT_EQ(json["gain_stages"]["stages"][1]["gain_adu_per_kev"], -1.39);
  EXPECT_EQ(json["point_spread"]["fwhm_um"], 75);
  EXPECT_EQ(json["saturation"], trusted()[1] + 1);
}

/// One spot of a crystal whose only reflection fulfils Bragg's law exactly, for a ray (unit).
std::vector<float> one_spot(const models::Detector& detector, int layers, const Vec3& ray,
                            double wavelength) {
  models::Beam beam;
  beam.wavelength = wavelength;
  const Vec3 q = (1 / wavelength) * (ray + unit(beam.direction));
  const Vec3 side = unit(cross(q, Vec3{0.3, 1, 0}));
  diffraction::ShotLattice lattice;
  lattice.crystal.a_matrix =
      Mat3::from_columns(q, (1 / 80.0) * side, (1 / 80.0) * unit(cross(q, side)));
  // Blocks of 0.15 um each way: spots of half a pixel.
  lattice.size = {{1500 * norm(q), 0, 0, 0, 18.75, 0, 0, 0, 18.75}};
  lattice.scale = 1e-9;
  diffraction::Shot shot;
  shot.beam = beam;
  shot.lattices.push_back(lattice);
  diffraction::RenderParams render;
  render.layers = layers;
  render.oversample = 5;
  render.tail = 1e-9, render.floor = 1e-60;
  diffraction::Renderer renderer(layer_planes(detector, layers), beam, render);
  std::vector<float> photons(renderer.pixel_count());
  renderer.add_peaks(shot, diffraction::DeviceReflections({{{1, 0, 0}}, {1e4}, {}}), photons);
  return photons;
}

struct SpotShape {
  models::PanelPoint centre;
  double length = 0; ///< root of the mean squared distance from the centre (pixels)
};

SpotShape measure(const std::vector<float>& photons, const models::Panel& panel,
                  std::size_t offset) {
  double sum = 0, x = 0, y = 0, square = 0;
  const int width = panel.image_size[0], height = panel.image_size[1];
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column) {
      const double light = static_cast<double>(
          photons[offset + static_cast<std::size_t>(row) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(column)]);
      const double px = column + 0.5, py = row + 0.5;
      sum += light, x += light * px, y += light * py;
      square += light * (px * px + py * py);
    }
  x /= sum, y /= sum;
  return {{x, y}, std::sqrt(square / sum - x * x - y * y)};
}

TEST(CountsOfADetector, EndWhereTheResponseEndsNotWhereThePresetDid) {
  SimulateParams params;
  params.detector.preset = find_preset("jungfrau_4m");
  params.detector.gain = 10;
  params.response.kind = ResponseKind::GainStages;
  check_simulate_params(params);
  auto detector = make_simulated_detector(params.detector, 1.3).detector;
  describe_counts(params, detector);
  EXPECT_GT(detector.panels[0].trusted_range[1], 1e5) << "12 000 photons of 9.5 keV";
}

TEST(CountsOfADetector, NeedRoomAboveTheOffset) {
  SimulateParams params;
  params.detector.preset = find_preset("flat");
  params.response.kind = ResponseKind::Linear;
  params.response.adc_offset = 70000;
  check_simulate_params(params);
  auto detector = make_simulated_detector(params.detector, 1.3).detector;
  EXPECT_THROW(describe_counts(params, detector), core::Error);
}

/// Where the models predict a spot and where images show it. The models count photons that pass through
/// the sensor as recorded at its surface, as dxtbx does: their shift is the true one times the captured
/// share.
TEST(SensorLayers, SpotsAreWhereTheModelsPredictThemAndParallaxCountsOnce) {
  double elongated = 0;
  for (const double wavelength : {1.3, 0.8}) {
    SimulateDetector params;
    params.preset = find_preset("jungfrau_4m");
    params.distance = 60;
    models::Detector detector = make_simulated_detector(params, wavelength).detector;
    detector.panels.resize(1);
    const models::Panel& panel = detector.panels[0];
    for (const models::PanelPoint px : {models::PanelPoint{60.3, 70.2}, {500.7, 250.4}}) {
      const Vec3 ray = unit(panel.mm_to_lab({px.x * 0.075, px.y * 0.075}));
      const models::PanelPoint predicted = panel.mm_to_pixel(*panel.ray_to_mm(ray));
      const double path = panel.thickness / std::abs(dot(ray, panel.normal()));
      const double captured = -std::expm1(-panel.mu * path);
      const models::PanelPoint shift{predicted.x - px.x, predicted.y - px.y};
      const models::PanelPoint recorded{px.x + shift.x / captured, px.y + shift.y / captured};
      const SpotShape flat = measure(one_spot(detector, 1, ray, wavelength), panel, 0);
      const double moved = std::hypot(shift.x, shift.y);
      EXPECT_LT(std::hypot(flat.centre.x - predicted.x, flat.centre.y - predicted.y), 0.35)
          << wavelength;
      for (const int layers : {4, 8, 25}) {
        const SpotShape thick = measure(one_spot(detector, layers, ray, wavelength), panel, 0);
        const double off = std::hypot(thick.centre.x - recorded.x, thick.centre.y - recorded.y);
        const double bound = 0.01 + 0.35 / layers; // layers are moved as at the panel's middle
        EXPECT_LT(off, bound) << wavelength << " " << layers << " " << px.x;
        EXPECT_GT(moved, 3 * bound); // what a second shift would add
        EXPECT_LT(std::hypot(thick.centre.x - predicted.x, thick.centre.y - predicted.y),
                  moved * (1 / captured - 1) + bound);
        elongated = std::max(elongated, thick.length / flat.length);
      }
    }
  }
  EXPECT_GT(elongated, 1.2);
}

} // namespace
} // namespace kilobragg::programs
