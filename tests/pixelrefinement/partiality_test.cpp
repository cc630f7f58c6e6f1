// Partialities against the forward model: its photons, over those of the same peak turned onto the sphere.
#include "support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/partiality.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::pixelrefinement {
namespace {

/// A lattice before a panel that catches all its light.
ShotModel shot_on_one_panel() {
  ShotModel shot = testing::model_of_shot(1);
  auto detector = std::make_shared<models::Detector>();
  models::Panel panel;
  panel.frame = {{1, 0, 0}, {0, -1, 0}, {-67.5, 67.5, -100}};
  panel.image_size = {450, 450};
  panel.pixel_size = {0.3, 0.3};
  detector->panels.push_back(panel);
  shot.detector = detector;
  return shot;
}

/// Photons of one reflection on one panel that catches all of it, a beam of one wavelength.
double photons(ShotModel shot, const Mat3& turn, const models::Miller& hkl, double wavelength) {
  shot.beam.wavelength = wavelength;
  shot.beam.spectrum = {};
  shot.lattices[0].crystal.a_matrix = turn * shot.lattices[0].crystal.a_matrix;
  // Spread about an axis that turns with the crystal.
  shot.lattices[0].rotation = turn * shot.lattices[0].rotation * transpose(turn);
  ShotPixels panel;
  panel.boxes.resize(1);
  panel.boxes[0].box = {0, 0, 450, 0, 450};
  double sum = 0;
  for (const double p :
       testing::bragg_of(shot, panel, {{hkl}, {1e6}, {}}, {.oversample = 6, .tail = 1e-12}))
    sum += p;
  return sum;
}

/// The rotation that brings q onto the sphere of a wavelength, in the plane of q and the beam.
Mat3 onto_sphere(const Vec3& q, const Vec3& k0, double wavelength) {
  const Vec3 along = unit(k0), across = unit(q - dot(q, along) * along);
  const double length = norm(q), on_along = -0.5 * length * length * wavelength;
  const double now = std::atan2(dot(q, across), dot(q, along)),
               then = std::atan2(std::sqrt(length * length - on_along * on_along), on_along);
  return rotation_about(cross(along, across), then - now);
}

TEST(Partiality, IsThePartOfThePhotonsThatAChannelGives) {
  ShotModel shot = shot_on_one_panel();
  shot.lattices[0].rotation = {{4e-6, 0, 0, 0, 1e-6, 0, 0, 0, 2e-6}};
  const auto table = testing::wilson_table(3, true, 0);
  const auto near = reflections_near(shot, expand_to_sphere(table), 0);
  const Vec3 k0 = -unit(shot.beam.direction);
  int compared = 0, small = 0;
  for (std::size_t i = 0; i < near.size(); i += 4) {
    const models::Miller& hkl = near.hkl[i];
    const double p = partiality(shot, 0, hkl);
    if (p < 0.01) continue;
    double expected = 0, weights = 0;
    const auto& spectrum = shot.beam.spectrum;
    for (std::size_t s = 0; s < spectrum.weights.size(); ++s) {
      const double wavelength = spectrum.wavelengths[s];
      const Mat3 turn = onto_sphere(shot.lattices[0].crystal.q(hkl), k0, wavelength);
      expected += spectrum.weights[s] * photons(shot, Mat3::identity(), hkl, wavelength) /
                  photons(shot, turn, hkl, wavelength);
      weights += spectrum.weights[s];
    }
    expected /= weights;
    EXPECT_NEAR(p, expected, 0.02 + 0.03 * expected) << hkl.h << ' ' << hkl.k << ' ' << hkl.l;
    EXPECT_LE(p, 1);
    ++compared;
    small += p < 0.5;
  }
  EXPECT_GT(compared, 25);
  EXPECT_GT(small, 8);
}

TEST(Partiality, OfAMonochromaticBeamIsOneOnTheSphere) {
  ShotModel shot = testing::model_of_shot(1);
  shot.beam.spectrum = {};
  const models::Miller hkl{5, -3, 7};
  const Vec3 q = shot.lattices[0].crystal.q(hkl), k0 = -unit(shot.beam.direction);
  shot.lattices[0].crystal.a_matrix =
      onto_sphere(q, k0, shot.beam.wavelength) * shot.lattices[0].crystal.a_matrix;
  EXPECT_NEAR(partiality(shot, 0, hkl), 1, 1e-9);
  shot.wavelength.scale = 1.01;
  EXPECT_LT(partiality(shot, 0, hkl), 0.99);
}

TEST(Partiality, ChangeWithSizeIsThatOfTheModelsPhotons) {
  ShotModel shot = shot_on_one_panel();
  shot.lattices[0].rotation = 1e-6 * Mat3::identity();
  const auto near = reflections_near(shot, expand_to_sphere(testing::wilson_table(3, true, 0)), 0);
  ShotPixels whole;
  whole.boxes.resize(1);
  whole.boxes[0].box = {0, 0, 450, 0, 450};
  double least = 3, most = 3;
  int compared = 0;
  for (std::size_t i = 0; i < near.size(); i += 3) {
    const models::Miller& hkl = near.hkl[i];
    const auto light = [&](double change) {
      ShotModel moved = shot;
      moved.lattices[0].size = std::exp(change) * moved.lattices[0].size;
      double sum = 0;
      for (const double p :
           testing::bragg_of(moved, whole, {{hkl}, {1e6}, {}}, {.oversample = 4, .tail = 1e-12}))
        sum += p;
      return sum;
    };
    if (light(0) < 100) continue;
    const double expected = std::log(light(0.01) / light(-0.01)) / 0.02,
                 found = change_with_size(shot, 0, hkl);
    EXPECT_NEAR(found, expected, 0.05) << hkl.h << ' ' << hkl.k << ' ' << hkl.l;
    least = std::min(least, found), most = std::max(most, found);
    ++compared;
  }
  EXPECT_GT(compared, 20);
  EXPECT_LT(least, 2); // far from the sphere light goes as blocks grow
  EXPECT_GT(most, 3.3);
}

} // namespace
} // namespace kilobragg::pixelrefinement
