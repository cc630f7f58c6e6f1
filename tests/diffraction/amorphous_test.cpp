// Scattering tables and the background in absolute units that follows from them.
#include "../reference/amorphous_plain.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/diffraction/amorphous.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <string>

namespace kilobragg::diffraction {
namespace {

/// The text of the error that `text` gives as a table.
std::string complaint(const std::string& text) {
  try {
    parse_scattering_table(text, "bg.stol");
  } catch (const core::Error& error) {
    return error.what();
  }
  return "none";
}

TEST(ScatteringTable, HoldsItsNodesAndItsEnds) {
  const ScatteringTable table({0.1, 0.2, 0.25, 0.4, 0.6}, {5, 7, 3, 2, 1.5});
  EXPECT_DOUBLE_EQ(table.f(0.1), 5);
  EXPECT_NEAR(table.f(0.2), 7, 1e-12);
  EXPECT_NEAR(table.f(0.25), 3, 1e-12);
  EXPECT_NEAR(table.f(0.4), 2, 1e-12);
  EXPECT_DOUBLE_EQ(table.f(0.6), 1.5);
  EXPECT_DOUBLE_EQ(table.f(0), 5);
  EXPECT_DOUBLE_EQ(table.f(9), 1.5);
  EXPECT_DOUBLE_EQ(ScatteringTable({0.3}, {4}).f(0.7), 4);
  EXPECT_DOUBLE_EQ(ScatteringTable({0.3}, {-4}).intensity(0.7), -16);
}

TEST(ScatteringTable, InterpolatesAsNanoBragg) {
  const ScatteringTable water = water_scattering();
  std::vector<double> f;
  for (double stol : water.stol()) f.push_back(water.f(stol));
  for (int i = 0; i < 1000; ++i) {
    const double stol = 0.0005 * i;
    ASSERT_NEAR(water.f(stol), reference::four_point_lagrange(water.stol(), f, stol), 1e-10)
        << stol;
  }
  // Between the nodes (0.12, 5) and (0.162, 8): by hand from Lagrange's formula.
  EXPECT_NEAR(water.f(0.14), 6.890499, 1e-6);
}

TEST(ScatteringTable, FollowsCubics) {
  const auto cubic = [](double x) { return 2 - x + 3 * x * x - 40 * x * x * x; };
  std::vector<double> stol{0, 0.05, 0.2, 0.25, 0.4, 0.7, 0.75}, f;
  for (double x : stol) f.push_back(cubic(x));
  const ScatteringTable table(stol, f);
  for (double x = 0.051; x < 0.7; x += 0.01) EXPECT_NEAR(table.f(x), cubic(x), 1e-12) << x;
  EXPECT_GT(std::abs(table.f(0.73) - cubic(0.73)), 1e-4) << "three nodes cannot hold a cubic";
}

TEST(ScatteringTable, ReadsTwoColumns) {
  const ScatteringTable table = parse_scattering_table("# stol F\n\n 0 2.5 # forward\r\n"
                                                       "0.1,3\n\t2e-1  +4\n",
                                                       "bg.stol");
  ASSERT_EQ(table.stol(), (std::vector<double>{0, 0.1, 0.2}));
  EXPECT_NEAR(table.f(0.2), 4, 1e-12);
  EXPECT_NEAR(table.f(0), 2.5, 1e-12);
}

TEST(ScatteringTable, SaysWhatIsWrongWithAFile) {
  for (const char* text : {"0 1\n0.1\n", "0 1\n0.1 2 3\n", "0 1\n0.1 x\n", "0 1\n0.1 2x\n"})
    EXPECT_NE(complaint(text).find("bg.stol, line 2: two numbers"), std::string::npos) << text;
  for (const char* text : {"0.2 1\n0.1 2\n", "0.1 1\n0.1 2\n", "0 1\nnan 2\n", "0 1\n0.1 inf\n"})
    EXPECT_NE(complaint(text).find("bg.stol, line 2: sin(theta)/lambda"), std::string::npos)
        << text;
  EXPECT_NE(complaint("# nothing\n").find("no scattering table"), std::string::npos);
  EXPECT_THROW(ScatteringTable({0, 0.1}, {1}), core::Error);
  EXPECT_THROW(ScatteringTable({0.1, 0}, {1, 2}), core::Error);
  EXPECT_THROW(ScatteringTable({}, {}), core::Error);
}

TEST(ScatteringTable, ReadsFiles) {
  const std::string path = ::testing::TempDir() + "kilobragg_water.stol";
  core::write_file(path, std::string_view("0 2.57\n0.5 3.17\n"));
  EXPECT_NEAR(read_scattering_table(path).f(0.25), 2.87, 1e-12);
  std::remove(path.c_str());
  EXPECT_THROW(read_scattering_table(path), core::Error);
}

TEST(Air, AgreesWithTheTableInUseAndWithItsElectrons) {
  const ScatteringTable table = air_scattering();
  // Forward, N2, O2 and Ar scatter with all 14, 16 and 18 electrons in phase.
  EXPECT_NEAR(table.intensity(0), (0.78084 * 196 + 0.20946 * 256 + 0.00934 * 324) / 0.99964, 0.2);
  // The five points that simtbx uses for air.
  const double used[5][2] = {{0, 14.1}, {0.045, 13.5}, {0.174, 8.35}, {0.35, 4.78}, {0.5, 4.22}};
  for (const auto& point : used) EXPECT_NEAR(table.f(point[0]) / point[1], 1, 0.07) << point[0];
  // Far out, two free electrons of Compton scattering for each proton but for the innermost.
  EXPECT_NEAR(table.intensity(2), 2 * (0.781 * 6.86 + 0.2095 * 7.76) + 0.00934 * 16.3, 1.2);
  for (double stol = 0; stol < 0.5; stol += 0.01) EXPECT_GT(table.f(stol), table.f(stol + 0.01));
}

/// Two panels, tilted and apart, with a sensor.
models::Detector two_panels() {
  models::Detector detector;
  for (int i = 0; i < 2; ++i) {
    models::Panel panel;
    panel.image_size = {40, 30};
    panel.pixel_size = {2, 3};
    panel.thickness = 0.45, panel.mu = 3.1;
    const Mat3 turn = rotation_about({0, 1, 0}, i == 0 ? 0.1 : -0.3);
    panel.frame.fast = turn * Vec3{1, 0, 0};
    panel.frame.slow = {0, -1, 0};
    panel.frame.origin = {i == 0 ? -85.0 : 3.0, 40, -100};
    detector.panels.push_back(panel);
  }
  return detector;
}

AmorphousShot pink_shot() {
  AmorphousShot shot;
  shot.beam.wavelength = 1.3;
  shot.beam.polarization_fraction = 0.9;
  shot.beam.spectrum = {{1.25, 1.28, 1.3, 1.33, 1.4}, {1, 0, 3, 2, 0.5}};
  shot.fluence = 1e22;
  shot.beam_area = 1e-4;
  return shot;
}

void expect_close(const std::vector<float>& image, const std::vector<double>& expected,
                  double tolerance) {
  ASSERT_EQ(image.size(), expected.size());
  for (std::size_t i = 0; i < image.size(); ++i)
    ASSERT_NEAR(static_cast<double>(image[i]) / expected[i], 1, tolerance) << i;
}

TEST(AmorphousScattering, AgreesWithThePlainSum) {
  const models::Detector detector = two_panels();
  const std::vector<Medium> media{
      water(0.05), air(100), {ScatteringTable({0, 0.3}, {4, 1}), 0.1, 2, 50}};
  AmorphousShot shot = pink_shot();
  const AmorphousScattering scattering(detector, shot.beam);
  std::vector<float> image(scattering.pixel_count());
  scattering.add(shot, media, image);
  expect_close(image, reference::amorphous_scattering(detector, shot, media), 1e-5);
  shot.beam.spectrum = {};
  std::fill(image.begin(), image.end(), 0.0F);
  scattering.add(shot, media, image);
  expect_close(image, reference::amorphous_scattering(detector, shot, media), 3e-5);
}

TEST(AmorphousScattering, AgreesWithNanoBragg) {
  // Six pixels of a tilted panel of 200 x 180 as computed by nanoBragg's add_background, with the
  // weights of its five sources summing to 1.
  struct Known {
    int x, y;
    double photons;
  };
  constexpr Known known[]{{0, 0, 798983.939},   {3, 100, 1136532.59},  {80, 90, 13387497.3},
                          {90, 95, 15870294.4}, {150, 20, 4908647.99}, {199, 179, 1109693.65}};
  models::Panel panel;
  panel.image_size = {200, 180};
  panel.pixel_size = {1, 1};
  panel.thickness = 0.45, panel.mu = 3.1;
  const Mat3 turn = rotation_about({0, 1, 0}, 0.2) * rotation_about({1, 0, 0}, -0.1);
  panel.frame = {turn * Vec3{1, 0, 0}, turn * Vec3{0, -1, 0}, turn * Vec3{-90, 95, -120}};
  models::Detector detector;
  detector.panels = {panel};
  AmorphousShot shot;
  shot.beam.polarization_fraction = 0.95;
  shot.beam.spectrum = {{1.2, 1.22, 1.24, 1.26, 1.28}, {1, 3, 4, 2, 0.5}};
  shot.fluence = 1e24, shot.beam_area = 1e-4;
  const std::vector<Medium> media{
      water(0.05),
      {ScatteringTable({0, 0.045, 0.174, 0.35, 0.5, 0.9}, {14.1, 13.5, 8.35, 4.78, 4.22, 3.9}), 100,
       1.2e-3, 28}};
  const AmorphousScattering scattering(detector, shot.beam);
  std::vector<float> image(scattering.pixel_count());
  scattering.add(shot, media, image);
  for (const auto& [x, y, photons] : known)
    EXPECT_NEAR(image[static_cast<std::size_t>(200 * y + x)] / photons, 1, 1e-5) << x << ' ' << y;
}

TEST(AmorphousScattering, IsInPhotonsOfTheFluence) {
  models::Detector detector;
  models::Panel panel;
  panel.image_size = {1, 1};
  panel.frame.slow = {0, -1, 0};
  panel.frame.origin = {-0.05, 0.05, -100};
  detector.panels = {panel};
  AmorphousShot shot; // 1e12 photons on 10 x 10 um of 10 um water: 3.3369e13 molecules
  shot.fluence = 1e22;
  shot.beam_area = 1e-4;
  EXPECT_NEAR(molecules_in_beam(water(0.01), shot.beam_area), 3.33686e13, 1e9);
  std::vector<float> image(1, 2.0F);
  const std::vector<Medium> media{water(0.01)};
  AmorphousScattering(detector, shot.beam).add(shot, media, image);
  // 7.94079e-30 m^2 * 1e22 / m^2 * 3.33686e13 * 2.57^2 * 1e-6 sr = 17.501
  EXPECT_NEAR(image[0], 2 + 17.501, 2e-3);
}

TEST(AmorphousScattering, TakesAllChannelsAtTheirMeanWhenAsked) {
  const models::Detector detector = two_panels();
  AmorphousShot shot = pink_shot();
  const AmorphousScattering scattering(detector, shot.beam);
  const std::vector<Medium> media{water(0.05)};
  std::vector<float> channels(scattering.pixel_count()), mean(channels.size()),
      mono(channels.size());
  scattering.add(shot, media, channels);
  shot.per_channel = false;
  scattering.add(shot, media, mean);
  shot.beam.wavelength = shot.beam.spectrum.mean_wavelength();
  shot.beam.spectrum = {};
  scattering.add(shot, media, mono);
  EXPECT_EQ(mean, mono);
  EXPECT_NE(mean, channels);
}

TEST(AmorphousScattering, RefusesWhatHasNoSense) {
  const models::Detector detector = two_panels();
  AmorphousShot shot = pink_shot();
  const AmorphousScattering scattering(detector, shot.beam);
  std::vector<float> image(scattering.pixel_count()), small(3);
  const std::vector<Medium> good{water(1)}, bad{water(-1)};
  EXPECT_THROW(scattering.add(shot, good, small), core::Error);
  EXPECT_THROW(scattering.add(shot, bad, image), core::Error);
  shot.fluence = -1;
  EXPECT_THROW(scattering.add(shot, good, image), core::Error);
  EXPECT_THROW(AmorphousScattering({}, shot.beam), core::Error);
}

} // namespace
} // namespace kilobragg::diffraction
