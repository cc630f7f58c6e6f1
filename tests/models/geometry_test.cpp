// Panels, hierarchy and spot mapping against numbers from dxtbx.
#include "models/dxtbx_numbers.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/mapping.hpp"

using namespace kilobragg;
using namespace kilobragg::models;
using kilobragg::testing::dxtbx_numbers;
using kilobragg::testing::expect_near;
using kilobragg::testing::vec3;

namespace {

Panel panel_from(const nlohmann::json& j) {
  Panel panel;
  panel.frame = {vec3(j["fast"]), vec3(j["slow"]), vec3(j["origin"])};
  panel.pixel_size = {j["pixel_size"][0], j["pixel_size"][1]};
  panel.image_size = {j["image_size"][0], j["image_size"][1]};
  if (j.contains("mu")) panel.parallax = Parallax{j["mu"], j["t0"]};
  return panel;
}

Frame frame_from(const nlohmann::json& j) { return {vec3(j[0]), vec3(j[1]), vec3(j[2])}; }

void expect_same_frame(const Frame& a, const Frame& b) {
  expect_near(a.fast, b.fast, 1e-12);
  expect_near(a.slow, b.slow, 1e-12);
  expect_near(a.origin, b.origin, 1e-9);
}

TEST(Panel, MapsAsDxtbxDoes) {
  const auto numbers = dxtbx_numbers();
  for (const auto& j : numbers["panels"]) {
    const Panel panel = panel_from(j);
    const Vec3 s0 = Beam{.wavelength = 1.3}.s0();
    for (const auto& point : j["points"]) {
      const PanelPoint px{point["px"][0], point["px"][1]};
      const PanelPoint mm = panel.pixel_to_mm(px);
      EXPECT_NEAR(mm.x, point["mm"][0].get<double>(), 1e-9);
      EXPECT_NEAR(mm.y, point["mm"][1].get<double>(), 1e-9);
      expect_near(panel.pixel_to_lab(px), vec3(point["lab"]), 1e-9);
      const PanelPoint back = panel.mm_to_pixel(mm);
      EXPECT_NEAR(back.x, point["px_of_mm"][0].get<double>(), 1e-8);
      EXPECT_NEAR(back.y, point["px_of_mm"][1].get<double>(), 1e-8);
      const auto hit = panel.ray_to_pixel(vec3(point["s1"]));
      ASSERT_TRUE(hit);
      EXPECT_NEAR(hit->x, point["px_of_ray"][0].get<double>(), 1e-8);
      EXPECT_NEAR(hit->y, point["px_of_ray"][1].get<double>(), 1e-8);
      EXPECT_NEAR(panel.resolution_at(s0, px), point["d"].get<double>(), 1e-9);
    }
  }
}

TEST(Panel, PixelToMillimetreAndBackIsTheIdentity) {
  const auto numbers = dxtbx_numbers();
  for (const auto& j : numbers["panels"]) {
    const Panel panel = panel_from(j);
    const double tolerance = panel.parallax ? 5e-3 : 1e-10; // first-order inverse, as dxtbx
    for (double x = 0; x <= 1000; x += 125)
      for (double y = 0; y <= 700; y += 100) {
        const PanelPoint px = panel.mm_to_pixel(panel.pixel_to_mm({x, y}));
        EXPECT_NEAR(px.x, x, tolerance);
        EXPECT_NEAR(px.y, y, tolerance);
      }
  }
}

TEST(Panel, RayAwayFromThePlaneMissesIt) {
  Panel panel;
  panel.frame = {{1, 0, 0}, {0, -1, 0}, {-50, 50, -100}};
  panel.image_size = {1000, 1000};
  EXPECT_TRUE(panel.ray_to_mm({0, 0, -1}));
  EXPECT_FALSE(panel.ray_to_mm({0, 0, 1}));
  EXPECT_FALSE(panel.ray_to_mm({1, 0, 0}));
}

TEST(Frame, ComposesAsTheHierarchyOfDxtbx) {
  const auto j = dxtbx_numbers()["hierarchy"];
  const Frame root = frame_from(j["root"]["lab"]), group = frame_from(j["group"]["lab"]),
              panel = frame_from(j["panel"]["lab"]);
  expect_same_frame(root.compose(frame_from(j["group"]["local"])), group);
  expect_same_frame(group.compose(frame_from(j["panel"]["local"])), panel);
  expect_same_frame(root.relative(group), frame_from(j["group"]["local"]));
  expect_same_frame(group.relative(panel), frame_from(j["panel"]["local"]));
}

Detector two_panels() {
  Detector detector;
  for (const double shift : {0.0, 60.0}) {
    Panel panel;
    panel.frame = {{1, 0, 0}, {0, -1, 0}, {-55 + shift, 25, -100}};
    panel.image_size = {500, 500};
    detector.panels.push_back(panel);
  }
  return detector;
}

TEST(Detector, FindsThePanelOfARay) {
  const Detector detector = two_panels();
  const auto left = detector.intersect({-0.3, 0, -1}), right = detector.intersect({0.3, 0, -1});
  ASSERT_TRUE(left && right);
  EXPECT_EQ(left->panel, 0);
  EXPECT_EQ(right->panel, 1);
  EXPECT_NEAR(right->px.x, 250, 1e-9);
  EXPECT_FALSE(detector.intersect({0, 0, -1})) << "the gap between the panels";
  EXPECT_EQ(detector.pixel_count(), 500000);
  EXPECT_NEAR(detector.max_resolution({0, 0, -1}),
              detector.panels[0].resolution_at({0, 0, -1}, {0, 0}), 1e-12);
}

TEST(MapSpots, ReciprocalVectorsLieOnTheEwaldSphere) {
  const Detector detector = two_panels();
  const Beam beam{.wavelength = 1.3};
  SpotList list;
  list.spots.resize(2);
  list.spots[0].px = {10.5, 20.5};
  list.spots[0].px_variance = {1.0 / 12, 1.0 / 6};
  list.spots[1].panel = 1;
  list.spots[1].px = {250, 250};
  map_spots(list, detector, beam);
  for (const Spot& spot : list.spots) {
    EXPECT_NEAR(norm(spot.s1), 1 / 1.3, 1e-12);
    EXPECT_NEAR(norm(spot.rlp + beam.s0()), 1 / 1.3, 1e-12);
  }
  EXPECT_NEAR(list.spots[0].mm.x, 1.05, 1e-12);
  EXPECT_NEAR(list.spots[0].mm_variance.y, 0.01 / 6, 1e-12);
}

TEST(Spectrum, MeanIsWeighted) {
  EXPECT_NEAR((Spectrum{{1.0, 2.0}, {3.0, 1.0}}.mean_wavelength()), 1.25, 1e-12);
  EXPECT_THROW((Spectrum{{1.0}, {0.0}}.mean_wavelength()), core::Error);
  EXPECT_THROW((Spectrum{{1.0, 1.1}, {1.0}}.mean_wavelength()), core::Error);
}

} // namespace
