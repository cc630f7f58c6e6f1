// Spots of small made-up images: centroids, filters, masks, errors.
#include "kilobragg/core/error.hpp"
#include "kilobragg/spotfinding/mask_builder.hpp"
#include "kilobragg/spotfinding/spot_filters.hpp"
#include "kilobragg/spotfinding/spot_finder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace kilobragg::spotfinding {
namespace {

/// A flat image of a few panels side by side in one buffer, on a detector across the beam.
struct Scene {
  models::Detector detector;
  models::Beam beam;
  models::Image image;
  int width, height;

  Scene(int panels, int w, int h, std::int32_t level)
      : width(w)
      , height(h) {
    auto layout = std::make_shared<models::ImageLayout>();
    layout->size = static_cast<std::size_t>(panels) * w * h;
    for (int i = 0; i < panels; ++i) {
      models::Panel panel;
      panel.image_size = {w, h};
      panel.frame = {{1, 0, 0}, {0, -1, 0}, {-0.05 * w + 0.1 * w * i, 0.05 * h, -100}};
      detector.panels.push_back(panel);
      layout->panels.push_back(
          {static_cast<std::size_t>(i) * w, static_cast<std::size_t>(panels) * w, w, h});
    }
    image.layout = layout;
    image.pixels = std::vector<std::int32_t>(layout->size, level);
  }
  std::int32_t& at(int panel, int x, int y) {
    const auto& window = image.layout->panels[panel];
    return std::get<std::vector<std::int32_t>>(
        image.pixels)[window.offset + static_cast<std::size_t>(y) * window.stride + x];
  }
  /// A cross of five pixels.
  void cross(int panel, int x, int y, int peak, int arm) {
    at(panel, x, y) = peak;
    for (const auto& [dx, dy] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}})
      at(panel, x + dx, y + dy) = arm;
  }
  models::SpotList find(const SpotfinderParams& params) {
    return SpotFinder(params).find(image, detector, beam);
  }
};

SpotfinderParams plain_params() {
  SpotfinderParams params;
  params.algorithm = ThresholdAlgorithm::Dispersion;
  params.filter.min_spot_size = 1;
  return params;
}

TEST(SpotFinder, CentroidVarianceAndBox) {
  Scene scene(2, 60, 50, 3);
  scene.at(1, 20, 10) = 300, scene.at(1, 21, 10) = 100, scene.at(1, 20, 11) = 100;
  const auto list = scene.find(plain_params());
  ASSERT_EQ(list.size(), 1u);
  const models::Spot& spot = list.spots[0];
  EXPECT_EQ(spot.panel, 1);
  EXPECT_EQ(spot.pixel_count, 3u);
  EXPECT_DOUBLE_EQ(spot.intensity, 500);
  EXPECT_DOUBLE_EQ(spot.variance, 500);
  EXPECT_DOUBLE_EQ(spot.px.x, 20.7);
  EXPECT_DOUBLE_EQ(spot.px.y, 10.7);
  EXPECT_EQ(spot.box.x0, 20);
  EXPECT_EQ(spot.box.x1, 22);
  EXPECT_EQ(spot.box.y0, 10);
  EXPECT_EQ(spot.box.y1, 12);
  const double moment = 400 * 0.2 * 0.2 + 100 * 0.8 * 0.8, s = 500, s2 = 110000;
  EXPECT_NEAR(spot.px_variance.x, moment * s / (s * s - s2) / s + 1.0 / 12, 1e-12);
  EXPECT_EQ(spot.flags, models::flag_strong);
  EXPECT_EQ(list.pixels.size(), 3u);
  EXPECT_EQ(list.pixels[0].value, 300);
}

TEST(SpotFinder, SinglePixelAndOverload) {
  Scene scene(1, 40, 40, 3);
  scene.at(0, 12, 30) = 65535;
  const auto list = scene.find(plain_params());
  ASSERT_EQ(list.size(), 1u);
  EXPECT_DOUBLE_EQ(list.spots[0].px_variance.x, 1.0 / 12);
  EXPECT_TRUE(list.spots[0].flags & models::flag_overloaded);
  scene.at(0, 12, 30) = 65536; // outside the trusted range
  EXPECT_EQ(scene.find(plain_params()).size(), 0u);
}

TEST(SpotFinder, OrderIsPanelThenRaster) {
  Scene scene(2, 60, 50, 3);
  scene.cross(1, 30, 10, 300, 100), scene.cross(0, 10, 40, 300, 100);
  scene.cross(0, 40, 20, 300, 100), scene.cross(0, 20, 20, 300, 100);
  const auto list = scene.find(plain_params());
  ASSERT_EQ(list.size(), 4u);
  const std::pair<int, double> expected[] = {{0, 20.5}, {0, 40.5}, {0, 10.5}, {1, 30.5}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(list.spots[i].panel, expected[i].first);
    EXPECT_DOUBLE_EQ(list.spots[i].px.x, expected[i].second);
    EXPECT_EQ(list.spots[i].first_pixel, 5 * i);
  }
}

TEST(SpotFinder, SizeLimits) {
  Scene scene(1, 60, 50, 3);
  scene.cross(0, 20, 20, 300, 100);
  SpotfinderParams params = plain_params();
  for (const auto& [low, high, n] :
       {std::tuple{5, 5, 1u}, std::tuple{6, 9, 0u}, std::tuple{1, 4, 0u}}) {
    params.filter.min_spot_size = low, params.filter.max_spot_size = high;
    EXPECT_EQ(scene.find(params).size(), n);
  }
}

TEST(SpotFinder, AutoSizeDependsOnTheSensor) {
  Scene scene(1, 60, 50, 3);
  scene.cross(0, 20, 20, 300, 100); // five pixels
  SpotfinderParams params = plain_params();
  params.filter.min_spot_size.reset();
  EXPECT_EQ(scene.find(params).size(), 1u);
  scene.detector.panels[0].type = "SENSOR_CCD";
  EXPECT_EQ(scene.find(params).size(), 0u);
}

TEST(SpotFinder, PeakFarFromCentroidIsDropped) {
  Scene scene(1, 60, 50, 3);
  for (int x = 20; x < 30; ++x) scene.at(0, x, 25) = 300;
  scene.at(0, 20, 25) = 310;
  SpotfinderParams params = plain_params();
  EXPECT_EQ(scene.find(params).size(), 0u);
  params.filter.max_separation = 10;
  EXPECT_EQ(scene.find(params).size(), 1u);
}

TEST(SpotFinder, BorderAndMasks) {
  Scene scene(1, 60, 50, 3);
  scene.cross(0, 20, 3, 300, 100);
  SpotfinderParams params = plain_params();
  EXPECT_EQ(scene.find(params).size(), 1u);
  params.filter.border = 5;
  EXPECT_EQ(scene.find(params).size(), 0u);
  params.filter.border = 0;
  scene.detector.panels[0].mask.push_back({15, 0, 25, 8});
  EXPECT_EQ(scene.find(params).size(), 0u);
  scene.detector.panels[0].mask.clear();
  auto mask = std::make_shared<models::PixelMask>(scene.image.layout->size, std::uint8_t{1});
  for (int y = 0; y < 8; ++y) std::fill_n(mask->begin() + y * 60 + 15, 10, std::uint8_t{0});
  scene.image.mask = mask;
  EXPECT_EQ(scene.find(params).size(), 0u);
}

TEST(SpotFinder, ReusedFinderSeesEveryChange) {
  Scene scene(1, 200, 200, 3);
  scene.cross(0, 150, 40, 300, 100);
  SpotfinderParams params = plain_params();
  const double d = scene.detector.panels[0].resolution_at(scene.beam.s0(), {150.5, 40.5});
  params.filter.d_min = d * 1.02;
  SpotFinder finder(params);
  const auto count = [&] { return finder.find(scene.image, scene.detector, scene.beam).size(); };
  EXPECT_EQ(count(), 0u);
  scene.beam.wavelength = 1.1; // the same pixel is now at lower resolution
  EXPECT_EQ(count(), 1u);
  scene.beam.wavelength = 1;
  EXPECT_EQ(count(), 0u);
  scene.detector.panels[0].frame.origin.z = -120;
  EXPECT_EQ(count(), 1u);
  auto mask = std::make_shared<models::PixelMask>(scene.image.layout->size, std::uint8_t{0});
  scene.image.mask = mask;
  EXPECT_EQ(count(), 0u);
  scene.image.mask.reset();
  EXPECT_EQ(count(), 1u);
}

TEST(MaskBuilder, ResolutionLimitsPixelByPixel) {
  Scene scene(2, 150, 130, 3);
  scene.detector.panels[1].frame.fast = unit(Vec3{1, 0.05, 0.2});
  SpotFilterParams filter;
  const Vec3 s0 = scene.beam.s0();
  const double d_mid = scene.detector.panels[0].resolution_at(s0, {20.5, 30.5});
  filter.d_min = d_mid * 0.9;
  filter.d_max = d_mid * 4;
  filter.resolution_range = {{d_mid, d_mid * 1.05}}; // an end exactly on a pixel: included
  MaskBuilder builder(filter);
  for (const double wavelength : {1.0, 1.01, 0.98}) {
    scene.beam.wavelength = wavelength;
    builder.update(scene.image, scene.detector, scene.beam);
    int kept = 0, masked = 0;
    for (int p = 0; p < 2; ++p)
      for (int y = 0; y < 130; ++y)
        for (int x = 0; x < 150; ++x) {
          const double d =
              scene.detector.panels[p].resolution_at(scene.beam.s0(), {x + 0.5, y + 0.5});
          const bool allowed = d > d_mid * 0.9 && d < d_mid * 4 && (d < d_mid || d > d_mid * 1.05);
          const bool bit = (builder.panel(p)[y * 3 + x / 64] >> (x % 64)) & 1u;
          ASSERT_EQ(bit, allowed) << p << ' ' << x << ' ' << y;
          ++(allowed ? kept : masked);
        }
    EXPECT_GT(kept, 1000);
    EXPECT_GT(masked, 1000);
  }
}

TEST(MaskBuilder, IceRings) {
  const auto rings = ice_ring_ranges(0.002, 2.0);
  ASSERT_GE(rings.size(), 6u);
  const double strongest[] = {3.895, 3.669, 3.441, 2.671, 2.249, 2.072};
  for (const double d : strongest)
    EXPECT_TRUE(std::any_of(rings.begin(), rings.end(), [&](const auto& r) {
      return r.d_min < d && d < r.d_max;
    })) << d;
  for (std::size_t i = 1; i < rings.size(); ++i) EXPECT_GT(rings[i].d_min, rings[i - 1].d_max);
}

TEST(SpotFinder, TooManyStrongPixels) {
  Scene scene(1, 64, 64, 3);
  for (int y = 10; y < 40; y += 2)
    for (int x = 10; x < 40; x += 7) scene.at(0, x, y) = 900;
  SpotfinderParams params = plain_params();
  EXPECT_NO_THROW(scene.find(params));
  params.filter.max_strong_pixel_fraction = 0.001;
  EXPECT_THROW(scene.find(params), core::Error);
}

TEST(SpotFinder, BackgroundSlope) {
  Scene scene(1, 60, 50, 3);
  for (int y = 0; y < 50; ++y)
    for (int x = 0; x < 60; ++x) scene.at(0, x, y) = 100 + 5 * x - 2 * y;
  models::Spot spot;
  spot.box = {20, 23, 20, 24};
  const auto slope = background_slope(scene.image, scene.detector.panels[0], spot, 2);
  EXPECT_NEAR(slope.x, 5, 1e-9);
  EXPECT_NEAR(slope.y, -2, 1e-9);
}

TEST(SpotFinder, CrowdedRegionIsDropped) {
  models::SpotList list;
  const auto add = [&](double x, double y) {
    models::Spot spot;
    spot.px = {x, y};
    list.spots.push_back(spot);
  };
  std::mt19937 rng(7);
  std::uniform_real_distribution<double> anywhere(0, 1000), in_crowd(702, 748);
  for (int i = 0; i < 1600; ++i) add(anywhere(rng), anywhere(rng));
  const std::size_t sparse = list.size();
  for (int i = 0; i < 60; ++i) add(in_crowd(rng), in_crowd(rng));
  const auto keep = density_filter(list, 20);
  std::size_t kept_sparse = 0, kept_crowd = 0;
  for (std::size_t i = 0; i < keep.size(); ++i) (i < sparse ? kept_sparse : kept_crowd) += keep[i];
  EXPECT_GT(kept_sparse, sparse * 9 / 10);
  EXPECT_EQ(kept_crowd, 0u);
}

TEST(SpotFinder, WrongInputIsRefusedWithItsName) {
  SpotfinderParams params = plain_params();
  params.dispersion.kernel_size = {0, 3};
  EXPECT_THROW(SpotFinder{params}, core::Error);
  params.dispersion.kernel_size = {3, 17};
  EXPECT_THROW(SpotFinder{params}, core::Error);
  Scene scene(1, 30, 30, 3);
  scene.detector.panels[0].image_size = {31, 30};
  EXPECT_THROW(scene.find(plain_params()), core::Error);
  scene.detector.panels[0].image_size = {30, 30};
  scene.image.mask = std::make_shared<models::PixelMask>(10, std::uint8_t{1});
  EXPECT_THROW(scene.find(plain_params()), core::Error);
}

} // namespace
} // namespace kilobragg::spotfinding
