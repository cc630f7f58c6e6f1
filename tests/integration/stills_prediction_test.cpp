// The ray of a still reflection: against the plain formula, its derivatives, and where there is none.
#include "reference/integration_plain.hpp"

#include "kernels/geometry/stills_prediction.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kilobragg {
namespace {

/// Calls check(q, s0) for random q within reach of the sphere and beams near -z.
template <typename Check>
void for_random_rays(Check&& check) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int i = 0; i < 500; ++i) {
    const Vec3 s0 = unit(Vec3{0.1 * uniform(random), 0.1 * uniform(random), -1}) / 1.3;
    const Vec3 q = 0.6 * Vec3{uniform(random), uniform(random), uniform(random)};
    if (stills_ray(q, s0).valid) check(q, s0);
  }
}

TEST(StillsRay, EqualsThePlainFormula) {
  for_random_rays([](const Vec3& q, const Vec3& s0) {
    const StillsRay ray = stills_ray(q, s0);
    const auto plain = testing::plain_ray(q, s0);
    ASSERT_TRUE(plain.has_value());
    EXPECT_NEAR(norm(ray.s1 - plain->s1), 0, 1e-14);
    EXPECT_NEAR(ray.delta_psi, plain->delta_psi, 1e-14);
    EXPECT_NEAR(norm(ray.s1), norm(s0), 1e-14);
    EXPECT_NEAR(norm(ray.s1 - s0), norm(q), 1e-14); // a rotation keeps the length of q
  });
}

TEST(StillsRay, PositiveInsideTheSphere) {
  const Vec3 s0{0, 0, -1};
  const Vec3 on = stills_ray(Vec3{0.3, 0, 0.01}, s0).s1 - s0; // a point on the sphere
  EXPECT_NEAR(stills_ray(on, s0).delta_psi, 0, 1e-15);
  EXPECT_GT(
      stills_ray(on + Vec3{0, 0, 1e-3}, s0).delta_psi * (1 - norm(s0 + on + Vec3{0, 0, 1e-3})), 0);
  EXPECT_LT(stills_ray(on - Vec3{0, 0, 1e-3}, s0).delta_psi, 0);
}

TEST(StillsRay, DerivativesEqualFiniteDifferences) {
  constexpr double step = 1e-6;
  for_random_rays([](const Vec3& q, const Vec3& s0) {
    const StillsRayDerivatives d = stills_ray_derivatives(q, s0);
    for (int j = 0; j < 3; ++j) {
      Vec3 up = q, down = q;
      up[j] += step, down[j] -= step;
      const StillsRay a = stills_ray(up, s0), b = stills_ray(down, s0);
      if (!a.valid || !b.valid) continue;
      for (int i = 0; i < 3; ++i) {
        const double difference = (a.s1[i] - b.s1[i]) / (2 * step);
        EXPECT_NEAR(d.ds1_dq(i, j), difference, 1e-5 * (1 + std::abs(difference)));
      }
      const double difference = (a.delta_psi - b.delta_psi) / (2 * step);
      EXPECT_NEAR(d.ddelta_psi_dq[j], difference, 1e-5 * (1 + std::abs(difference)));
    }
  });
}

TEST(StillsRay, InvalidWhereNoRotationReachesTheSphere) {
  const Vec3 s0{0, 0, -1};
  EXPECT_FALSE(stills_ray(Vec3{0, 0, 0}, s0).valid);
  EXPECT_FALSE(stills_ray(Vec3{0, 0, 0.5}, s0).valid);  // along the beam: no axis
  EXPECT_FALSE(stills_ray(Vec3{0, 2.01, 0}, s0).valid); // longer than the sphere is wide
  EXPECT_FALSE(stills_ray_derivatives(Vec3{0, 0, 0}, s0).ray.valid);
  EXPECT_TRUE(stills_ray(Vec3{0, 1.99, 0}, s0).valid);
}

} // namespace
} // namespace kilobragg
