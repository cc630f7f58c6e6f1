// Integrated reflections as observations.
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/merging/observations.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kilobragg::merging {
namespace {

models::Experiment experiment(const std::string& group = "P43212") {
  models::Experiment e;
  e.identifier = "one";
  e.beam.wavelength = 1.3;
  e.crystal =
      models::Crystal::from_cell({78, 78, 38, 90, 90, 90}, rotation_about(unit(Vec3{1, 2, 3}), 0.7),
                                 models::SpaceGroup(group));
  return e;
}

// Kahn's form: half of 1 + cos^2, and the part that turns with the angle to the polarisation normal.
double kahn(const models::Beam& beam, const Vec3& s1, double fraction) {
  const double cosine = dot(s1, -unit(beam.direction));
  const Vec3 across = s1 + dot(s1, beam.direction) * -1.0 * beam.direction;
  const double rho = std::acos(dot(unit(across), beam.polarization_normal));
  return 0.5 * (1 + cosine * cosine) +
         0.5 * (2 * fraction - 1) * std::cos(2 * rho) * (1 - cosine * cosine);
}

TEST(Polarization, IsKahnsForm) {
  models::Beam beam;
  for (const double fraction : {0.0, 0.5, 0.9, 1.0})
    for (const Vec3 v : {Vec3{0.3, 0.1, -1}, Vec3{-0.2, 0.6, -1}, Vec3{0.5, -0.5, -0.8}}) {
      const Vec3 s1 = unit(v);
      EXPECT_NEAR(polarization_factor(beam, s1, fraction), kahn(beam, s1, fraction), 1e-12);
    }
  EXPECT_DOUBLE_EQ(polarization_factor(beam, {0, 0, -1}, 0.7), 1);
  // Nothing is scattered along the electric vector of a polarised beam.
  EXPECT_NEAR(polarization_factor(beam, {1, 0, 0}, 1), 0, 1e-15);
  EXPECT_NEAR(polarization_factor(beam, {0, 1, 0}, 1), 1, 1e-15);
}

TEST(Excitation, IsZeroOnTheSphereAndSigned) {
  const models::Experiment e = experiment();
  // Turn a reflection onto the sphere and check that the error vanishes there.
  const double q = norm(e.crystal->q({5, 3, 2})), lambda = e.beam.wavelength;
  const double sine = 0.5 * lambda * q; // q . s0 = -q^2 / 2
  const Vec3 on_sphere{q * std::sqrt(1 - sine * sine), 0, q * sine};
  const Mat3 a = Mat3::from_columns(on_sphere, {0, 0.01, 0}, {0, 0, 0.01});
  EXPECT_NEAR(excitation_error(a, e.beam, {1, 0, 0}), 0, 1e-12);
  EXPECT_LT(excitation_error(Mat3::from_columns(0.5 * on_sphere, {}, {}), e.beam, {1, 0, 0}), 0);
  EXPECT_GT(excitation_error(Mat3::from_columns(1.5 * on_sphere, {}, {}), e.beam, {1, 0, 0}), 0);
  EXPECT_DOUBLE_EQ(excitation_weight(0, 1e-3, 0.7), 1);
  EXPECT_NEAR(excitation_weight(7e-4, 1e-3, 0.7), std::exp(-0.5), 1e-12);
  EXPECT_DOUBLE_EQ(excitation_weight(1e-3, 0, 0.7), 1); // one observation, at its own rms of zero
}

TEST(HalfSet, FollowsTheLastCharacterOfTheMd5) {
  EXPECT_EQ(half_set(""), HalfSet::Odd);     // d41d8cd98f00b204e9800998ecf8427e
  EXPECT_EQ(half_set("a"), HalfSet::Odd);    // 0cc175b9c0f1b6a831c399e269772661
  EXPECT_EQ(half_set("abc"), HalfSet::Even); // 900150983cd24fb0d6963f7d28e17f72
}

TEST(AppendLattice, MapsCorrectsAndCounts) {
  ConversionParams params;
  params.space_group = models::SpaceGroup("P43212");
  params.polarization_fraction = 1.0;
  const std::vector<models::Miller> hkl{{-3, 5, 2}, {3, 5, 2}, {0, 0, 3}, {1, 2, 3}, {0, 4, 2}};
  const std::vector<double> intensity{100, 200, 5, 7, 30}, variance{100, 50, 5, 0, 10};
  Observations observations;
  const auto counts =
      append_lattice(observations, experiment(), {hkl, intensity, variance}, params);
  EXPECT_EQ(counts.taken, 3);
  EXPECT_EQ(counts.absent, 1);      // 0 0 3 on the 4_3 axis
  EXPECT_EQ(counts.no_variance, 1); // 1 2 3
  ASSERT_EQ(observations.size(), 3u);
  // -3 5 2 and 3 5 2 are Bijvoet mates in 422.
  EXPECT_EQ(observations.index[0].miller(), observations.index[1].miller());
  EXPECT_NE(observations.index[0].minus, observations.index[1].minus);
  EXPECT_EQ(observations.index[2].minus, 0); // centric
  for (std::size_t i = 0; i < 2; ++i) {
    const double p = double(intensity[i]) / observations.intensity[i];
    EXPECT_LT(p, 1);
    EXPECT_NEAR(observations.variance[i], variance[i] / (p * p), 1e-4 * variance[i]);
  }
  const Vec3 q = experiment().crystal->q({-3, 5, 2});
  EXPECT_NEAR(observations.inv_d2[0], norm2(q), 1e-9);
  params.merge_anomalous = true;
  Observations merged;
  append_lattice(merged, experiment(), {hkl, intensity, variance}, params);
  EXPECT_EQ(merged.index[0], merged.index[1]);
}

TEST(AppendLattice, RefusesAnExperimentWithoutCrystal) {
  models::Experiment e = experiment();
  e.crystal.reset();
  Observations observations;
  EXPECT_THROW(append_lattice(observations, e, {}, {}), core::Error);
}

TEST(Observations, KeepingSomeMovesTheRest) {
  ConversionParams params;
  params.space_group = models::SpaceGroup("P1");
  Observations o;
  for (int n = 0; n < 3; ++n) {
    models::Experiment e = experiment("P1");
    e.identifier = std::to_string(n);
    const std::vector<models::Miller> hkl{{n, 1, 0}, {n, 2, 0}};
    const std::vector<double> values{10.0 * n + 1, 10.0 * n + 2}, variance{1, 1};
    append_lattice(o, e, {hkl, values, variance}, params);
  }
  const float second = o.intensity[5];
  o.keep_observations({true, true, false, true, true, true});
  EXPECT_EQ(o.lattices[1].size(), 1u);
  EXPECT_EQ(o.lattices[2].begin, 3u);
  o.keep_lattices({false, true, true});
  ASSERT_EQ(o.lattices.size(), 2u);
  EXPECT_EQ(o.lattices[0].identifier, "1");
  EXPECT_EQ(o.size(), 3u);
  EXPECT_EQ(o.intensity[2], second);
  EXPECT_EQ(o.lattices[1].end, 3u);
}

} // namespace
} // namespace kilobragg::merging
