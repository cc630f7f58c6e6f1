// Predicted spots against images of whole panels: totals, centres, cores, edges, thresholds.
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/shot_prediction.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

constexpr int width = 150, height = 140;

/// One reflection of one lattice on both panels, by the renderer.
struct Rendered {
  std::array<double, 2> photons{}, x{}, y{}, brightest{};
  std::vector<float> image;
};

Rendered render(const ShotModel& shot, int lattice, const models::Miller& hkl, double f_squared,
                double tail) {
  const models::Detector detector = *moved_detector(shot);
  diffraction::Renderer renderer(detector, shot.beam,
                                 {.oversample = 1, .tail = tail, .floor = 1e-30});
  diffraction::Shot one;
  one.beam = shot.beam;
  one.lattices = {shot.lattices[std::size_t(lattice)]};
  diffraction::ReflectionSphere sphere;
  sphere.hkl = {hkl};
  sphere.f_squared = {f_squared};
  Rendered r;
  r.image.resize(renderer.pixel_count());
  renderer.add_peaks(one, diffraction::DeviceReflections(sphere), r.image);
  for (std::size_t i = 0; i < r.image.size(); ++i) {
    const std::size_t panel = i / (width * height);
    const double photons = double(r.image[i]);
    r.photons[panel] += photons;
    r.x[panel] += photons * (double(i % width) + 0.5);
    r.y[panel] += photons * (double(i / width % height) + 0.5);
    r.brightest[panel] = std::max(r.brightest[panel], photons);
  }
  return r;
}

struct Scene {
  FactorTable table = testing::wilson_table(3, true, 0);
  FactorSphere sphere = expand_to_sphere(table);
  std::vector<double> f_squared = mean_intensities(table);
  ShotModel shot = testing::model_of_shot(2);
  ShotPredictionParams params{.threshold = 20, .core_share = 0.02, .tail = 1e-4};
  std::vector<PredictedSpot> predict() const {
    return predict_shot(shot, sphere, f_squared, params);
  }
  double f_squared_of(const models::Miller& hkl) const {
    return f_squared[std::size_t(table.row_of(hkl))];
  }
};

/// Spots stand where rays of the same directions are recorded in a thick sensor.
TEST(PredictShot, SpotsShowTheParallaxOfSensors) {
  Scene scene;
  scene.params.oversample = 4;
  const auto flat = scene.predict();
  auto detector = std::make_shared<models::Detector>(*scene.shot.detector);
  for (models::Panel& panel : detector->panels)
    panel.parallax = models::Parallax{0.5 / panel.pixel_size[0], 8 * panel.pixel_size[0]};
  scene.shot.detector = detector;
  std::map<std::pair<models::Miller, int>, PredictedSpot> thick;
  for (const PredictedSpot& spot : scene.predict()) thick[{spot.hkl, spot.lattice}] = spot;
  double along = 0, squares = 0;
  std::size_t compared = 0;
  for (const PredictedSpot& spot : flat) {
    const auto found = thick.find({spot.hkl, spot.lattice});
    if (found == thick.end() || found->second.panel != spot.panel) continue;
    const models::Panel& panel = detector->panels[std::size_t(spot.panel)];
    const models::PanelPoint px = spot.px;
    const models::PanelPoint want =
        panel.mm_to_pixel({px.x * panel.pixel_size[0], px.y * panel.pixel_size[1]});
    if (px.x < 10 || px.x > width - 10 || px.y < 10 || px.y > height - 10) continue;
    // Centroids of peaks of hardly a pixel depend on where in it they stand, by a tenth of one.
    const double dx = want.x - px.x, dy = want.y - px.y, found_dx = found->second.px.x - px.x,
                 found_dy = found->second.px.y - px.y;
    EXPECT_NEAR(found_dx, dx, 0.25);
    EXPECT_NEAR(found_dy, dy, 0.25);
    along += dx * found_dx + dy * found_dy;
    squares += dx * dx + dy * dy;
    ++compared;
  }
  EXPECT_GT(compared, 50u);
  EXPECT_GT(std::sqrt(squares / double(compared)), 0.4); // px
  EXPECT_NEAR(along / squares, 1, 0.03);
}

TEST(PredictShot, AgreesWithTheRenderer) {
  Scene scene;
  scene.shot.distance = 0.4;
  scene.params.tail = 1e-7; // what a tail leaves out is not the same pixel by pixel
  const auto spots = scene.predict();
  ASSERT_GT(spots.size(), 100u);
  std::array<int, 2> of_lattice{}, of_panel{};
  for (const PredictedSpot& spot : spots) {
    const Rendered r =
        render(scene.shot, spot.lattice, spot.hkl, scene.f_squared_of(spot.hkl), scene.params.tail);
    const auto panel = std::size_t(spot.panel);
    EXPECT_NEAR(spot.photons, r.photons[panel], 1e-4 * spot.photons);
    EXPECT_NEAR(spot.px.x, r.x[panel] / r.photons[panel], 1e-3);
    EXPECT_NEAR(spot.px.y, r.y[panel] / r.photons[panel], 1e-3);
    EXPECT_GE(r.photons[panel], r.photons[1 - panel]);
    models::PixelBox core{int(spot.px.x), int(spot.px.x) + 1, int(spot.px.y), int(spot.px.y) + 1};
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        if (double(r.image[panel * width * height + std::size_t(y * width + x)]) >=
            0.02 * r.brightest[panel]) {
          core.x0 = std::min(core.x0, x);
          core.x1 = std::max(core.x1, x + 1);
          core.y0 = std::min(core.y0, y);
          core.y1 = std::max(core.y1, y + 1);
        }
    EXPECT_EQ(spot.core.x0, core.x0);
    EXPECT_EQ(spot.core.x1, core.x1);
    EXPECT_EQ(spot.core.y0, core.y0);
    EXPECT_EQ(spot.core.y1, core.y1);
    ++of_lattice[std::size_t(spot.lattice)];
    ++of_panel[panel];
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_GT(of_lattice[std::size_t(i)], 20);
    EXPECT_GT(of_panel[std::size_t(i)], 20);
  }
}

TEST(PredictShot, ListsEveryReflectionAboveTheThresholdOnce) {
  const Scene scene;
  std::map<std::pair<int, models::Miller>, PredictedSpot> found;
  const auto spots = scene.predict();
  for (const PredictedSpot& spot : spots) {
    EXPECT_GE(spot.photons, 20);
    EXPECT_TRUE(found.emplace(std::pair(spot.lattice, spot.hkl), spot).second);
  }
  EXPECT_TRUE(std::is_sorted(spots.begin(), spots.end(), [](const auto& a, const auto& b) {
    return std::pair(a.lattice, a.hkl) < std::pair(b.lattice, b.hkl);
  }));
  const ShotReflections near = reflections_near(scene.shot, scene.sphere, 0.002);
  std::size_t above = 0;
  for (int l = 0; l < 2; ++l)
    for (std::size_t i = 0; i < near.size(); i += 16) { // a sample: each takes an image
      const Rendered r =
          render(scene.shot, l, near.hkl[i], scene.f_squared_of(near.hkl[i]), scene.params.tail);
      const double most = std::max(r.photons[0], r.photons[1]);
      if (std::abs(most - 20) < 0.01) continue;
      EXPECT_EQ(found.contains({l, near.hkl[i]}), most > 20);
      above += most > 20 ? 1 : 0;
    }
  EXPECT_GT(above, 4u);
}

TEST(PredictShot, HigherThresholdsKeepTheBrightOnes) {
  Scene scene;
  const auto all = scene.predict();
  scene.params.threshold = 200;
  const auto bright = scene.predict();
  std::size_t next = 0;
  for (const PredictedSpot& spot : all) {
    if (spot.photons < 200) continue;
    ASSERT_LT(next, bright.size());
    EXPECT_EQ(bright[next].hkl, spot.hkl);
    EXPECT_EQ(bright[next++].photons, spot.photons);
  }
  EXPECT_EQ(next, bright.size());
  EXPECT_LT(bright.size(), all.size());
}

TEST(PredictShot, CutsSpotsAtTheEdgeOfThePanel) {
  Scene scene;
  scene.shot.lattices.resize(1);
  scene.params.tail = 1e-7;
  const auto spots = scene.predict();
  const auto spot = std::find_if(spots.begin(), spots.end(), [](const PredictedSpot& s) {
    return s.photons > 200 && s.core.x1 > int(s.px.x) + 2;
  });
  ASSERT_NE(spot, spots.end());
  // The panel ends in the middle of the brightest spot.
  models::Detector detector = *scene.shot.detector;
  models::Panel& panel = detector.panels[std::size_t(spot->panel)];
  const int edge = int(spot->px.x) + 1;
  panel.image_size[0] = edge;
  scene.shot.detector = std::make_shared<models::Detector>(detector);
  const auto cut = scene.predict();
  const auto found =
      std::find_if(cut.begin(), cut.end(), [&](const auto& s) { return s.hkl == spot->hkl; });
  ASSERT_NE(found, cut.end());
  EXPECT_LT(found->photons, 0.999 * spot->photons);
  EXPECT_GT(found->photons, 0.2 * spot->photons);
  EXPECT_LT(found->px.x, edge);
  EXPECT_EQ(found->core.x1, edge);
}

TEST(PredictShot, WithoutReflectionsIsEmpty) {
  Scene scene;
  scene.sphere = {};
  EXPECT_TRUE(scene.predict().empty());
  scene = Scene();
  scene.shot.lattices.clear();
  EXPECT_TRUE(scene.predict().empty());
}

TEST(ShotPrediction, BWeakensSpotsByTheirResolution) {
  Scene scene;
  scene.params.threshold = 0;
  std::map<std::pair<int, models::Miller>, double> before;
  for (const PredictedSpot& spot : scene.predict()) before[{spot.lattice, spot.hkl}] = spot.photons;
  scene.shot.b_factor = 30;
  const Mat3 b = scene.table.cell.b_matrix();
  std::size_t seen = 0;
  for (const PredictedSpot& spot : scene.predict()) {
    const auto at = before.find({spot.lattice, spot.hkl});
    ASSERT_NE(at, before.end());
    const double inv_d2 =
        norm2(b * Vec3{double(spot.hkl.h), double(spot.hkl.k), double(spot.hkl.l)});
    EXPECT_NEAR(spot.photons / at->second, std::exp(-15 * inv_d2), 1e-5);
    ++seen;
  }
  EXPECT_EQ(seen, before.size());
}

} // namespace
} // namespace kilobragg::pixelrefinement
