// Presets are laid out like the real detectors, names are understood, and parallax is where it belongs.
#include "simulate_presets.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/programs/simulate_detectors.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kilobragg::programs {
namespace {

SimulatedDetector made(const std::string& name) {
  SimulateDetector params;
  params.preset = find_preset(name);
  return make_simulated_detector(params, 1.3);
}

TEST(SimulateDetectors, UnderstandTheNamesOfTheirMakers) {
  const auto& names = detector_presets();
  const auto same = [&](const char* text, const std::string& preset) {
    EXPECT_EQ(names.at(static_cast<std::size_t>(find_preset(text))), preset) << text;
  };
  for (const std::string& name : names) same(name.c_str(), name);
  same("CSPAD", "cspad");
  same("Jungfrau 16M", "jungfrau_16m");
  same("ePix10ka 2M", "epix10k_2m");
  same("EIGER 16M", "eiger_16m");
  same("eiger2-16M", "eiger_16m");
  same("Rayonix MX340-HS", "rayonix_340");
  same("Rayonix MX225", "rayonix_225");
  EXPECT_THROW(find_preset("eiger_17m"), core::Error);
  EXPECT_EQ(find_preset("four_panels"), 0);
}

struct Expected {
  const char* name;
  std::size_t panels;
  long pixels;
  double usable; ///< million pixels
  double pixel_size;
};

class Presets : public ::testing::TestWithParam<Expected> {};

TEST_P(Presets, HaveTheSizeOfTheRealOnes) {
  const Expected& want = GetParam();
  const SimulatedDetector detector = made(want.name);
  EXPECT_EQ(detector.detector.panels.size(), want.panels);
  EXPECT_EQ(detector.detector.pixel_count(), want.pixels);
  EXPECT_EQ(detector.detector.panels[0].pixel_size[0], want.pixel_size);
  long usable = want.pixels;
  for (const std::uint8_t pixel : detector.mask) usable -= pixel == 0;
  EXPECT_NEAR(static_cast<double>(usable) / 1e6, want.usable, 0.001);
  long in_modules = 0;
  for (const PixelBlock& block : detector.modules)
    in_modules += static_cast<long>(block.x1 - block.x0) * (block.y1 - block.y0);
  EXPECT_EQ(in_modules, usable);
}

INSTANTIATE_TEST_SUITE_P(
    All, Presets,
    ::testing::Values(Expected{"cspad", 64, 64L * 194 * 185, 2.29696, 0.10992},
                      Expected{"epix10k_2m", 16, 16L * 352 * 384, 2.162688, 0.1},
                      Expected{"jungfrau_16m", 256, 32L * 512 * 1024, 16.777216, 0.075},
                      Expected{"jungfrau_4m", 8, 8L * 514 * 1030, 4.23536, 0.075},
                      Expected{"eiger_16m", 1, 4150L * 4371, 32 * 0.52942, 0.075},
                      Expected{"eiger_4m", 1, 2070L * 2167, 8 * 0.52942, 0.075},
                      Expected{"pilatus_6m", 1, 2463L * 2527, 60 * 0.094965, 0.172},
                      Expected{"rayonix_340", 1, 1920L * 1920, 3.6864, 0.17688},
                      Expected{"rayonix_340_2x2", 1, 3840L * 3840, 14.7456, 0.08844},
                      Expected{"rayonix_225_2x2", 1, 2880L * 2880, 8.2944, 0.078125}),
    [](const auto& name) { return std::string(name.param.name); });

/// Do two panels of one plane, with sides along x and y, share any area?
bool overlap(const models::Panel& a, const models::Panel& b) {
  const auto box = [](const models::Panel& panel) {
    const Vec3 p = panel.frame.origin,
               q = panel.mm_to_lab({panel.image_size[0] * panel.pixel_size[0],
                                    panel.image_size[1] * panel.pixel_size[1]});
    return std::array{std::min(p.x, q.x), std::max(p.x, q.x), std::min(p.y, q.y),
                      std::max(p.y, q.y)};
  };
  const auto m = box(a), n = box(b);
  const double slack = 1e-9;
  return m[0] < n[1] - slack && n[0] < m[1] - slack && m[2] < n[3] - slack && n[2] < m[3] - slack;
}

TEST(SimulateDetectors, PanelsLieBesideEachOtherAroundAHole) {
  for (const char* name : {"cspad", "epix10k_2m", "jungfrau_16m", "jungfrau_4m"}) {
    const models::Detector detector = made(name).detector;
    for (std::size_t i = 0; i < detector.panels.size(); ++i) {
      const models::Panel& panel = detector.panels[i];
      EXPECT_NEAR(norm(panel.normal() - Vec3{0, 0, -1}), 0, 1e-12) << name << " " << i;
      for (std::size_t j = 0; j < i; ++j)
        EXPECT_FALSE(overlap(panel, detector.panels[j])) << name << " " << i << " " << j;
    }
    // The beam passes between the panels; the four quadrants are near it.
    EXPECT_FALSE(detector.intersect({0, 0, -1})) << name;
    for (const Vec3& ray : {Vec3{0.07, 0.02, -1}, Vec3{-0.02, 0.07, -1}, Vec3{-0.07, -0.02, -1},
                            Vec3{0.02, -0.07, -1}}) {
      const auto hit = detector.intersect(ray);
      EXPECT_TRUE(hit) << name << " " << ray.x << " " << ray.y;
    }
  }
}

TEST(SimulateDetectors, DefaultDetectorHasNoSensor) {
  const SimulatedDetector detector = made("four_panels");
  for (const models::Panel& panel : detector.detector.panels) {
    EXPECT_EQ(panel.mu, 0);
    EXPECT_FALSE(panel.parallax);
  }
  EXPECT_TRUE(detector.mask.empty());
}

/// A ray meets the moved plane where the models of both programs say that it is recorded.
TEST(SimulateDetectors, AbsorptionPlanesShowTheParallax) {
  for (const char* name : {"jungfrau_16m", "cspad"}) {
    const models::Detector detector = made(name).detector, planes = absorption_planes(detector);
    double largest = 0;
    for (std::size_t i = 0; i < detector.panels.size(); ++i) {
      const models::Panel &front = detector.panels[i], &plane = planes.panels[i];
      ASSERT_GT(front.mu, 0);
      for (const models::PanelPoint px :
           {models::PanelPoint{0, 0},
            {double(front.image_size[0]), 0},
            {double(front.image_size[0]), double(front.image_size[1])}}) {
        const Vec3 ray = front.mm_to_lab({px.x * front.pixel_size[0], px.y * front.pixel_size[1]});
        const auto mm = plane.ray_to_mm(ray), mm_front = front.ray_to_mm(ray);
        ASSERT_TRUE(mm && mm_front);
        const models::PanelPoint want = front.mm_to_pixel(*mm_front);
        const double dx = mm->x / front.pixel_size[0] - want.x,
                     dy = mm->y / front.pixel_size[1] - want.y;
        EXPECT_LT(std::hypot(dx, dy), 0.15) << name << " " << i;
        largest = std::max(largest, std::hypot(want.x - px.x, want.y - px.y));
      }
    }
    EXPECT_GT(largest, 0.5) << name; // or there would be nothing to agree on
  }
}

TEST(SimulateDetectors, OptionsThatCannotBeAreRefused) {
  SimulateDetector params;
  params.preset = find_preset("jungfrau_16m");
  params.pixels = 100;
  EXPECT_THROW(make_simulated_detector(params, 1.3), core::Error);
  params = {};
  params.from = "/nowhere/master.h5";
  EXPECT_THROW(make_simulated_detector(params, 1.3), core::Error);
  params.pixels = 100;
  EXPECT_THROW(make_simulated_detector(params, 1.3), core::Error);
}

} // namespace
} // namespace kilobragg::programs
