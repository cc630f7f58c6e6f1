// The usual parameters of a shot against finite differences of a shot that is really moved.
#include "tests/support/tilted_panels.hpp"

#include "kernels/geometry/small_solve.hpp"

#include "kilobragg/diffraction/shot_parameters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

namespace kilobragg::diffraction {
namespace {

/// A crystal whose cell obeys its group, and how many parameters that leaves.
struct System {
  const char* group;
  models::UnitCell cell;
  std::size_t free;
};
const System systems[] = {
    {"P1", {40, 45, 50, 80, 95, 100}, 6},     {"C2", {40, 45, 50, 90, 110, 90}, 4},
    {"P212121", {40, 45, 50, 90, 90, 90}, 3}, {"P43212", {40, 40, 50, 90, 90, 90}, 2},
    {"P6122", {40, 40, 50, 90, 90, 120}, 2},  {"R3:R", {45, 45, 45, 80, 80, 80}, 2},
    {"P213", {45, 45, 45, 90, 90, 90}, 1}};

/// A shot of one such crystal, and boxes around its brightest pixels.
struct Scene {
  models::Detector detector =
      testing::tilted_panels({{-31, 15, -60}, {1, 15, -60}, {0.2, 0.21}, {150, 140}});
  ReflectionSphere sphere;
  ShoeboxShot shot;

  explicit Scene(const System& system) {
    structure_factors::Amplitudes amplitudes;
    amplitudes.cell = system.cell;
    amplitudes.space_group = models::SpaceGroup(system.group);
    amplitudes.hkl = amplitudes.space_group.unique_indices(system.cell, 2.5);
    for (const auto& hkl : amplitudes.hkl) amplitudes.f.push_back(100 + hkl.h * hkl.h + hkl.l);
    sphere = expand_to_sphere(amplitudes, 0);
    ShotLattice lattice;
    lattice.crystal = models::Crystal::from_cell(system.cell, rotation_about(unit({1, 2, 3}), 0.8),
                                                 amplitudes.space_group);
    lattice.size = Mat3{{16, 1, 0.5, 1, 18, -0.7, 0.5, -0.7, 14}};
    lattice.rotation = 1e-6 * Mat3{{4, 1, 0, 1, 5, 0.5, 0, 0.5, 3}};
    shot.shot.beam = testing::three_wavelengths();
    shot.shot.fluence = 1e25;
    shot.shot.lattices = {lattice};
    for (int panel = 0; panel < 2; ++panel)
      for (int x = 20; x < 130; x += 30)
        for (int y = 20; y < 130; y += 30) shot.boxes.push_back({panel, x, x + 20, y, y + 20});
  }

  ShoeboxImage evaluate(const ShoeboxShot& of) const {
    return model_shoeboxes(detector, of.shot.beam, of, DeviceReflections(sphere),
                           {2, 1e-14, false});
  }
};

/// Derivative of a direction against central differences of fourth order of what `move` does.
void expect_differences(const Scene& scene, const ParameterDirection& direction,
                        const std::function<void(ShoeboxShot&, double)>& move, double step) {
  ShoeboxShot derived = scene.shot;
  derived.parameters = {direction};
  const auto image = scene.evaluate(derived);
  const auto at = [&](double p) {
    ShoeboxShot moved = scene.shot;
    move(moved, p);
    return scene.evaluate(moved).photons;
  };
  const auto p1 = at(step), m1 = at(-step), p2 = at(2 * step), m2 = at(-2 * step);
  double largest = 0;
  for (const double d : image.derivatives) largest = std::max(largest, std::abs(d));
  ASSERT_GT(largest, 0);
  for (std::size_t i = 0; i < p1.size(); ++i)
    ASSERT_NEAR(image.derivatives[i], (8 * (p1[i] - m1[i]) - (p2[i] - m2[i])) / (12 * step),
                1e-5 * largest)
        << i;
}

TEST(ShotParameters, FreeCellOfEachCrystalSystem) {
  for (const System& system : systems) {
    SCOPED_TRACE(system.group);
    const Scene scene(system);
    const auto directions = cell_directions(scene.shot.shot.lattices[0], 0);
    ASSERT_EQ(directions.size(), system.free);
    const Mat3 inverse_a = inverse(scene.shot.shot.lattices[0].crystal.a_matrix);
    for (std::size_t i = 0; i < directions.size(); ++i)
      for (std::size_t j = 0; j < directions.size(); ++j) {
        const Mat3 one = directions[i].crystal.a_matrix * inverse_a,
                   other = directions[j].crystal.a_matrix * inverse_a;
        EXPECT_NEAR(trace(one * other), i == j, 1e-9) << "relative changes, orthonormal";
        EXPECT_NEAR(norm2(one.row(0) - one.col(0)), 0, 1e-18) << "no rotation";
      }
    for (const ParameterDirection& direction : directions) {
      const auto move = [&](ShoeboxShot& shot, double p) {
        Mat3& a = shot.shot.lattices[0].crystal.a_matrix;
        a = a + p * direction.crystal.a_matrix;
      };
      expect_differences(scene, direction, move, 2e-5);
      // The metric still obeys every rotation of the group.
      ShoeboxShot moved = scene.shot;
      move(moved, 1e-6);
      const Mat3& a = moved.shot.lattices[0].crystal.a_matrix;
      const Mat3 metric = transpose(a) * a;
      for (const auto& rotation : models::SpaceGroup(system.group).proper_rotations()) {
        Mat3 r;
        std::copy(rotation.begin(), rotation.end(), r.m);
        const Mat3 turned = r * metric * transpose(r);
        for (int i = 0; i < 9; ++i) EXPECT_NEAR(turned.m[i], metric.m[i], 1e-14);
      }
    }
  }
}

TEST(ShotParameters, RotationsTurnTheCrystal) {
  const Scene scene(systems[0]);
  const auto directions = rotation_directions(scene.shot.shot.lattices[0], 0);
  const Vec3 axes[] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  for (std::size_t i = 0; i < 3; ++i)
    expect_differences(
        scene, directions[i],
        [&](ShoeboxShot& shot, double p) {
          Mat3& a = shot.shot.lattices[0].crystal.a_matrix;
          a = rotation_about(axes[i], p) * a;
        },
        2e-5);
}

TEST(ShotParameters, SizesAndSpreadsOfOneThreeAndSixElements) {
  const Scene scene(systems[1]);
  const ShotLattice& lattice = scene.shot.shot.lattices[0];
  for (const auto elements :
       {SymmetricElements::One, SymmetricElements::Three, SymmetricElements::Six}) {
    const auto sizes = size_directions(elements, 0);
    const auto spreads = spread_directions(lattice, elements, 0);
    ASSERT_EQ(sizes.size(), std::size_t(elements));
    ASSERT_EQ(spreads.size(), std::size_t(elements));
    for (const auto& p : sizes)
      expect_differences(
          scene, p,
          [&](ShoeboxShot& shot, double step) {
            Mat3& size = shot.shot.lattices[0].size;
            size = size + step * p.crystal.size;
          },
          5e-3);
    for (const auto& p : spreads)
      expect_differences(
          scene, p,
          [&](ShoeboxShot& shot, double step) {
            Mat3& spread = shot.shot.lattices[0].rotation;
            spread = spread + step * p.crystal.rotation;
          },
          5e-9);
  }
  // The elements are those that they are called.
  const auto elements = [](SymmetricElements which) {
    std::vector<Mat3> sizes;
    for (const auto& p : size_directions(which, 0)) sizes.push_back(p.crystal.size);
    return sizes;
  };
  const Mat3 a{{1, 0, 0, 0, 0, 0, 0, 0, 0}}, b{{0, 0, 0, 0, 1, 0, 0, 0, 0}},
      c33{{0, 0, 0, 0, 0, 0, 0, 0, 1}}, ab{{0, 1, 0, 1, 0, 0, 0, 0, 0}},
      ac{{0, 0, 1, 0, 0, 0, 1, 0, 0}}, bc{{0, 0, 0, 0, 0, 1, 0, 1, 0}};
  EXPECT_EQ(elements(SymmetricElements::One), std::vector{Mat3::identity()});
  EXPECT_EQ(elements(SymmetricElements::Three), (std::vector{a, b, c33}));
  EXPECT_EQ(elements(SymmetricElements::Six), (std::vector{a, b, c33, ab, ac, bc}));
  // About the first column of U alone.
  const Vec3 u = lattice.crystal.u_matrix().col(0);
  const Mat3 c = spread_directions(lattice, SymmetricElements::Three, 0)[0].crystal.rotation;
  EXPECT_NEAR(norm(c * u - u), 0, 1e-12);
  EXPECT_NEAR(norm(c * cross(u, Vec3{1, 0, 0})), 0, 1e-12);
}

TEST(ShotParameters, ScaleDistanceAndWavelength) {
  const Scene scene(systems[3]);
  expect_differences(
      scene, scale_direction(0),
      [](ShoeboxShot& shot, double p) { shot.shot.lattices[0].scale *= std::exp(p); }, 1e-3);
  expect_differences(
      scene, wavelength_offset_direction(),
      [](ShoeboxShot& shot, double p) { shot.wavelength.offset += p; }, 2e-5);
  expect_differences(
      scene, wavelength_scale_direction(),
      [](ShoeboxShot& shot, double p) { shot.wavelength.scale += p; }, 2e-5);
  const auto distance = distance_direction(scene.shot.shot.beam);
  EXPECT_EQ(distance.panel, -1);
  EXPECT_NEAR(norm(distance.shift - Vec3{0, 0, -1}), 0, 1e-15) << "away from the sample";
}

} // namespace
} // namespace kilobragg::diffraction
