// Shoeboxes of drawn images: planes without bias at few photons, states, and who counts a pixel.
#include "reference/shoeboxes_plain.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/pixelrefinement/shoeboxes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

namespace kilobragg::pixelrefinement {
namespace {

constexpr int edge = 400;

/// Two panels of edge x edge pixels in one buffer, and an image of them.
struct Scene {
  models::Detector detector;
  models::Image image;
  std::vector<float> pixels = std::vector<float>(2 * edge * edge);
  models::PixelMask mask = models::PixelMask(2 * edge * edge, 1);
  std::mt19937 random{7};

  Scene() {
    detector.panels.resize(2);
    auto layout = std::make_shared<models::ImageLayout>();
    for (std::size_t i = 0; i < 2; ++i) {
      detector.panels[i].image_size = {edge, edge};
      detector.panels[i].trusted_range = {-10, 60000};
      layout->panels.push_back({i * edge, 2 * edge, edge, edge}); // side by side
    }
    layout->size = pixels.size();
    image.layout = layout;
  }
  std::size_t at(int panel, int x, int y) const {
    return std::size_t(panel * edge) + std::size_t(y) * 2 * edge + std::size_t(x);
  }
  float& operator()(int panel, int x, int y) { return pixels[at(panel, x, y)]; }
  /// Draws every pixel from mean(x, y), and adds noise of the readout.
  template <typename Mean>
  void draw(const Mean& mean, double readout = 0) {
    std::normal_distribution<double> noise(0, 1);
    for (int panel = 0; panel < 2; ++panel)
      for (int y = 0; y < edge; ++y)
        for (int x = 0; x < edge; ++x) {
          const double photons = std::poisson_distribution<int>(mean(x, y))(random);
          (*this)(panel, x, y) = float(photons + readout * noise(random));
        }
  }
  ShotPixels cut(const std::vector<PredictedSpot>& spots, const ShoeboxParams& params = {}) {
    image.pixels = pixels;
    image.mask = std::make_shared<models::PixelMask>(mask);
    return cut_shoeboxes(image, detector, spots, "a shot", params);
  }
};

PredictedSpot spot_at(int panel, double x, double y, int radius = 2) {
  const int cx = int(x), cy = int(y);
  return {{cx, cy, panel}, 0, panel, {cx - radius, cx + radius + 1, cy - radius, cy + radius + 1},
          {x, y},          10};
}

/// Spots that are far apart, over both panels.
std::vector<PredictedSpot> separate_spots() {
  std::vector<PredictedSpot> spots;
  for (int panel = 0; panel < 2; ++panel)
    for (int y = 10; y + 10 < edge; y += 14)
      for (int x = 10; x + 10 < edge; x += 14) spots.push_back(spot_at(panel, x + 0.5, y + 0.5));
  return spots;
}

/// Mean of background - truth over the cores, in units of its own standard error.
template <typename Mean>
double bias_in_sigmas(const ShotPixels& pixels, const std::vector<PredictedSpot>& spots,
                      const Mean& mean) {
  double sum = 0, squares = 0, n = 0;
  for (std::size_t i = 0; i < spots.size(); ++i) {
    const auto& box = pixels.boxes[i];
    if (!is_good(box.state)) continue;
    const double d = box.background.at(spots[i].px.x, spots[i].px.y) -
                     mean(int(spots[i].px.x), int(spots[i].px.y));
    sum += d, squares += d * d, ++n;
  }
  return (sum / n) / std::sqrt((squares / n - sum / n * sum / n) / n);
}

class Levels : public ::testing::TestWithParam<std::pair<double, double>> {};

TEST_P(Levels, PlanesAreUnbiased) {
  const auto [level, readout] = GetParam();
  Scene scene;
  const double height = level;
  const auto mean = [height](int x, int y) { return height * (1 + 0.001 * (x - y)); };
  scene.draw(mean, readout);
  ShoeboxParams params;
  params.readout = readout;
  const auto spots = separate_spots();
  ShotPixels pixels = scene.cut(spots, params);
  const auto counts = count_boxes(pixels.boxes);
  EXPECT_GT(double(counts[0]), 0.98 * double(spots.size()));
  EXPECT_LT(std::abs(bias_in_sigmas(pixels, spots, mean)), 3);
  const double used = std::accumulate(pixels.used.begin(), pixels.used.end(), 0.0);
  EXPECT_GT(used, 0.999 * double(pixels.size()) * double(counts[0]) / double(spots.size()));
  const std::vector<double> no_bragg(pixels.size(), 0.0);
  fit_backgrounds(pixels, no_bragg, params);
  EXPECT_LT(std::abs(bias_in_sigmas(pixels, spots, mean)), 3);
}

INSTANTIATE_TEST_SUITE_P(Background, Levels,
                         ::testing::Values(std::pair{0.2, 0.0}, std::pair{1.0, 0.0},
                                           std::pair{1.0, 0.3}, std::pair{5.0, 1.0},
                                           std::pair{40.0, 3.0}, std::pair{2000.0, 0.0}));

TEST(Shoeboxes, PlaneIsThatOfWeightedLeastSquares) {
  Scene scene;
  scene.draw([](int x, int y) { return 10 + 0.5 * (x % 50) + 0.2 * (y % 50); });
  const auto spots = std::vector{spot_at(1, 75.2, 80.9)};
  const auto pixels = scene.cut(spots);
  const auto& box = pixels.boxes[0].box;
  Plane plane;
  for (int round = 0; round < 2; ++round) {
    std::vector<testing::PlainPixel> all;
    for (int y = box.y0; y < box.y1; ++y)
      for (int x = box.x0; x < box.x1; ++x)
        if (std::abs(x - 75) > 2 || std::abs(y - 80) > 2)
          all.push_back(
              {x + 0.5, y + 0.5, scene(1, x, y), round == 0 ? 1 : 1 / plane.at(x + 0.5, y + 0.5)});
    plane = testing::plain_plane(all);
  }
  EXPECT_NEAR(pixels.boxes[0].background.a, plane.a, 1e-9);
  EXPECT_NEAR(pixels.boxes[0].background.b, plane.b, 1e-9);
  EXPECT_NEAR(pixels.boxes[0].background.c, plane.c, 1e-7);
  EXPECT_FLOAT_EQ(pixels.background[0],
                  float(plane.at(box.x0 + 0.5, box.y0 + 0.5))); // the first pixel
}

TEST(Shoeboxes, BoxesHaveABorderAndALeastSize) {
  Scene scene;
  scene.draw([](int, int) { return 5.0; });
  const std::vector<PredictedSpot> spots{
      {{}, 0, 0, {50, 51, 60, 61}, {50.5, 60.5}, 1},  // one pixel
      {{}, 0, 0, {100, 140, 60, 63}, {120, 61.5}, 1}, // a streak
      {{}, 0, 1, {-2, 4, 398, 402}, {1, 400}, 1},     // over a corner
      {{}, 0, 1, {-40, -30, 50, 60}, {-35, 55}, 1},   // beside the panel
  };
  const auto pixels = scene.cut(spots);
  const auto expect = [&](std::size_t i, int x0, int x1, int y0, int y1) {
    const auto& b = pixels.boxes[i].box;
    EXPECT_EQ((std::array{b.x0, b.x1, b.y0, b.y1}), (std::array{x0, x1, y0, y1})) << i;
  };
  expect(0, 46, 56, 56, 66);
  expect(1, 96, 144, 56, 67);
  expect(2, 0, 8, 394, 400);
  expect(3, 0, 1, 46, 64);
  EXPECT_EQ(pixels.boxes[1].state, BoxState::Used);
  EXPECT_EQ(pixels.boxes[3].state, BoxState::Untrusted);
}

TEST(Shoeboxes, StatesSayWhatIsWrong) {
  Scene scene;
  scene.draw([](int x, int) { return x < 200 ? 20.0 : 0.0; });
  std::vector<PredictedSpot> spots;
  for (const double x : {20.5, 60.5, 100.5, 140.5, 300.5}) spots.push_back(spot_at(0, x, 50.5));
  spots.push_back(spot_at(0, 20.5, 50.5)); // hidden by the first
  for (int x = 58; x < 63; ++x)
    for (int y = 48; y < 50; ++y) scene.mask[scene.at(0, x, y)] = 0; // 10 of 25 pixels
  scene(0, 101, 51) = 60000;
  for (int x = 130; x < 152; ++x)
    for (int y = 40; y < 62; ++y)
      if (std::abs(x - 140) > 2 || std::abs(y - 50) > 2) scene(0, x, y) = 1e6;
  const auto pixels = scene.cut(spots);
  const std::vector expected{
      BoxState::Used,         BoxState::Untrusted,          BoxState::Saturated,
      BoxState::NoBackground, BoxState::NegativeBackground, BoxState::Overlapped};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(pixels.boxes[i].state, expected[i]) << i;
    const auto first = pixels.used.begin() + std::ptrdiff_t(pixels.boxes[i].first);
    const auto used = std::accumulate(first, first + std::ptrdiff_t(pixels.boxes[i].box.size()), 0);
    EXPECT_EQ(used > 0, i == 0) << i;
  }
  EXPECT_EQ(count_boxes(pixels.boxes), (BoxCounts{1, 0, 1, 1, 1, 1, 1}));
  for (const float value : pixels.value) EXPECT_LE(value, 60000); // untrusted pixels hold nothing
}

TEST(Shoeboxes, HotPixelsAndNeighboursStayOutOfThePlane) {
  Scene clean, dirty;
  const auto mean = [](int, int) { return 3.0; };
  clean.draw(mean), dirty.draw(mean);
  const std::vector spots{spot_at(0, 100.5, 100.5), spot_at(0, 106.5, 100.5)};
  std::vector<std::pair<int, int>> hot{{95, 95}, {95, 104}, {103, 95}, {100, 94}, {95, 100}};
  for (const auto& [x, y] : hot) dirty(0, x, y) = 20000;
  dirty(0, 97, 100) = 50; // may be the spot's tail
  for (int y = 98; y < 103; ++y)
    for (int x = 104; x < 109; ++x) dirty(0, x, y) = 500; // the neighbour's light
  const auto a = clean.cut(spots), b = dirty.cut(spots);
  EXPECT_NEAR(a.boxes[0].background.at(100, 100), b.boxes[0].background.at(100, 100), 0.2);
  const auto& box = b.boxes[0];
  const auto at = [&](int x, int y) {
    return box.first + std::size_t((y - box.box.y0) * (box.box.x1 - box.box.x0) + x - box.box.x0);
  };
  for (const auto& [x, y] : hot) {
    EXPECT_EQ(a.used[at(x, y)], 1);
    EXPECT_EQ(b.used[at(x, y)], 0);
  }
  EXPECT_EQ(b.used[at(97, 100)], 1);
}

TEST(Shoeboxes, APixelCountsOnceWhereItsSpotIsNearest) {
  Scene scene;
  scene.draw([](int, int) { return 30.0; });
  std::uniform_real_distribution<double> place(-3, edge + 3.0);
  std::vector<PredictedSpot> spots;
  for (int i = 0; i < 700; ++i)
    spots.push_back(spot_at(i % 2, place(scene.random), place(scene.random), i % 3 + 1));
  for (std::size_t i = 0; i < 20; ++i) spots.push_back(spots[i * 7]); // hidden by their twins
  spots.push_back(spot_at(0, 90.5, 90.5));                            // a tie half way
  spots.push_back(spot_at(0, 97.5, 90.5));
  for (int i = 0; i < 40; ++i)
    scene(i % 2, int(spots[std::size_t(i)].px.x) % edge & 511, 200) = 60000;
  const auto pixels = scene.cut(spots);
  const auto counts = count_boxes(pixels.boxes);
  EXPECT_GT(counts[std::size_t(BoxState::Overlapped)], 0u);
  EXPECT_GT(counts[std::size_t(BoxState::Used)], 300u);
  std::size_t shared = 0;
  std::set<std::tuple<int, int, int>> counted;
  for (std::size_t i = 0; i < spots.size(); ++i) {
    const auto& box = pixels.boxes[i];
    std::size_t at = box.first;
    for (int y = box.box.y0; y < box.box.y1; ++y)
      for (int x = box.box.x0; x < box.box.x1; ++x, ++at) {
        const int owner = testing::plain_owner(pixels, spots, box.box.panel, x, y);
        shared += is_good(box.state) && owner != int(i);
        if (pixels.used[at] == 0) continue;
        ASSERT_EQ(owner, int(i)) << x << " " << y;
        ASSERT_TRUE(counted.emplace(box.box.panel, x, y).second);
      }
  }
  EXPECT_GT(shared, 1000u);
  // All that belong to a good box count, but for a few outliers and what saturated spots spoil.
  std::size_t owned = 0;
  for (int panel = 0; panel < 2; ++panel)
    for (int y = 0; y < edge; ++y)
      for (int x = 0; x < edge; ++x) owned += testing::plain_owner(pixels, spots, panel, x, y) >= 0;
  EXPECT_GT(double(counted.size()), 0.98 * double(owned));
}

TEST(Shoeboxes, CountsBecomePhotons) {
  Scene scene;
  scene.draw([](int, int) { return 1000.0; });
  scene.detector.panels[1].gain = 2;
  scene.detector.panels[1].pedestal = 100;
  std::vector<float> dark(scene.pixels.size(), 5);
  dark[scene.at(1, 50, 50)] = 35;
  ShoeboxParams params;
  params.gain = 3.5;
  params.dark_rms = dark;
  const std::vector spots{spot_at(1, 50.5, 50.5, 5)};
  const auto pixels = scene.cut(spots, params);
  const std::size_t middle = 9 * 19 + 9;
  ASSERT_EQ(pixels.boxes[0].box.size(), 19u * 19u);
  EXPECT_FLOAT_EQ(pixels.value[middle], (scene(1, 50, 50) - 100) / 7);
  EXPECT_FLOAT_EQ(pixels.readout_of(middle), 5);
  EXPECT_FLOAT_EQ(pixels.readout_of(0), 5.0f / 7);
  params.dark_rms = {};
  params.readout = 7;
  const std::vector elsewhere{spots[0], spot_at(0, 50.5, 50.5)};
  const auto plain = scene.cut(elsewhere, params); // panels of different gain
  EXPECT_FLOAT_EQ(plain.readout_of(0), 1);
  EXPECT_FLOAT_EQ(plain.readout_of(plain.boxes[1].first), 2);
  params.dark_rms = std::span(dark).first(10);
  EXPECT_THROW(scene.cut(spots, params), core::Error);
}

TEST(Shoeboxes, ThePartLeftOutFollowsFromNames) {
  Scene scene;
  scene.draw([](int, int) { return 20.0; });
  ShoeboxParams params;
  params.left_out = 0.1;
  auto spots = separate_spots();
  const auto left_out = [&] {
    const auto pixels = scene.cut(spots, params);
    std::set<models::Miller> out;
    for (const auto& box : pixels.boxes)
      if (box.state == BoxState::LeftOut) out.insert(box.hkl);
    return out;
  };
  const auto once = left_out();
  std::reverse(spots.begin(), spots.end());
  EXPECT_EQ(left_out(), once);
  const double n = double(spots.size());
  EXPECT_NEAR(double(once.size()), 0.1 * n, 3 * std::sqrt(0.09 * n));
  for (auto& spot : spots) spot.lattice = 1;
  EXPECT_NE(left_out(), once);
}

TEST(Shoeboxes, BackgroundsAreRefittedUnderTheModel) {
  Scene scene;
  const auto spots = separate_spots();
  const auto bragg = [](int x, int y) { // about every centre, beyond its core
    const int dx = (x - 10 + 7 + 14) % 14 - 7, dy = (y - 10 + 7 + 14) % 14 - 7;
    return 300 * std::exp(-0.5 * (dx * dx + dy * dy) / 1.5);
  };
  const auto mean = [](int, int) { return 2.0; };
  scene.draw([&](int x, int y) { return mean(x, y) + bragg(x, y); });
  ShotPixels pixels = scene.cut(spots);
  EXPECT_GT(bias_in_sigmas(pixels, spots, mean), 10); // tails were taken for background
  std::vector<double> model(pixels.size());
  for (const auto& box : pixels.boxes) {
    std::size_t at = box.first;
    for (int y = box.box.y0; y < box.box.y1; ++y)
      for (int x = box.box.x0; x < box.box.x1; ++x) model[at++] = bragg(x, y);
  }
  fit_backgrounds(pixels, model, {});
  EXPECT_LT(std::abs(bias_in_sigmas(pixels, spots, mean)), 3);
  const ShotPixels before = pixels;
  std::fill(model.begin(), model.end(), 1e4); // more than was measured
  fit_backgrounds(pixels, model, {});
  EXPECT_EQ(pixels.background, before.background);
  std::fill(model.begin(), model.end(), std::nan(""));
  fit_backgrounds(pixels, model, {});
  EXPECT_EQ(pixels.background, before.background);
}

} // namespace
} // namespace kilobragg::pixelrefinement
