// Analytic gradients of the stills target against finite differences, every crystal system.
#include "support/synthetic_lattice.hpp"

#include "kernels/geometry/leaning_ray.hpp"

#include "kilobragg/refinement/cell_freedom.hpp"
#include "kilobragg/refinement/stills_target.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kilobragg {
namespace {

using refinement::NormalEquations;
using refinement::StillsObservation;

/// A dozen reflections near the sphere on a tilted panel, seen a little off.
std::vector<StillsObservation> observations(const Mat3& a, const Vec3& s0, double lean) {
  models::Panel panel;
  panel.frame = {unit({1, 0.02, 0.01}), {}, {-80, 75, -100}};
  panel.frame.slow = unit(cross({0.01, 0.03, 1}, panel.frame.fast));
  std::vector<StillsObservation> out;
  const int reach = 9;
  for (int h = -reach; h <= reach && out.size() < 40; ++h)
    for (int k = -reach; k <= reach; ++k)
      for (int l = -reach; l <= reach; ++l) {
        const Vec3 hkl{double(h), double(k), double(l)};
        const StillsRay ray = leaning_ray(a * hkl, s0, lean);
        if (!ray.valid || std::abs(ray.delta_psi) > 0.01) continue;
        const auto mm = panel.ray_to_mm(ray.s1);
        if (!mm) continue;
        out.push_back({hkl, panel.inverse_d_matrix(), mm->x + 0.03 * std::sin(h + 2 * k),
                       mm->y + 0.03 * std::cos(k + 3 * l), 1200, 1100, 1e6, lean});
      }
  return out;
}

class Gradients : public ::testing::TestWithParam<testing::LatticeCase> {};

TEST_P(Gradients, AgreeWithFiniteDifferences) {
  const models::SpaceGroup group(GetParam().group);
  const Mat3 a = models::Crystal::from_cell(models::UnitCell::parse(GetParam().cell),
                                            rotation_by({0.7, -0.4, 0.9}), group)
                     .a_matrix;
  const Vec3 s0{0.001, -0.002, -1 / 1.3};
  const auto strains = refinement::CellFreedom(group).strains(a);
  for (const double lean : {0.0, 0.6}) {
    const auto seen = observations(a, s0, lean);
    ASSERT_GE(seen.size(), 12U);
    const NormalEquations n = refinement::normal_equations(seen, a, strains, s0);
    ASSERT_EQ(n.parameters, 3 + GetParam().free_parameters);
    double largest = 0;
    for (int i = 0; i < n.parameters; ++i) largest = std::max(largest, std::abs(n.gradient[i]));
    for (int i = 0; i < n.parameters; ++i) {
      const auto target = [&](double p) {
        std::array<double, refinement::max_parameters> parameters{};
        parameters[i] = p;
        return refinement::normal_equations(seen, refinement::deformed(a, strains, parameters), {},
                                            s0)
            .target;
      };
      const double step = 1e-6;
      const double difference =
          (8 * (target(step) - target(-step)) - (target(2 * step) - target(-2 * step))) /
          (12 * step);
      EXPECT_NEAR(2 * n.gradient[i], difference, 1e-5 * 2 * largest) << "parameter " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Systems, Gradients, ::testing::ValuesIn(testing::lattice_cases()),
                         [](const auto& tested) { return tested.param.name; });

TEST(LeaningRay, WavelengthsAloneKeepTheDirectionOfQ) {
  // lean 2: the ray of the wavelength for which q fulfils Bragg's law exactly.
  const Vec3 s0{0, 0, -1 / 1.3}, q = 0.4 * unit({0.9, 0.2, 0.2985});
  const StillsRay ray = leaning_ray(q, s0, 2);
  ASSERT_TRUE(ray.valid);
  const double scale = -norm2(q) / (2 * dot(q, s0)); // |scale s0 + q| = |scale s0|
  const Vec3 exact = unit(scale * s0 + q), found = unit(ray.s1);
  EXPECT_NEAR(norm(cross(exact, found)), 0, 1e-12);
}

TEST(LeaningRay, WithoutLeanItIsTheStillsRay) {
  const Vec3 s0{0, 0, -1 / 1.3}, q{0.3, 0.1, 0.06};
  EXPECT_EQ(leaning_ray(q, s0, 0).s1, stills_ray(q, s0).s1);
  EXPECT_FALSE(leaning_ray({0, 0, 0.2}, s0, 1).valid);
}

} // namespace
} // namespace kilobragg
