// Random amplitudes follow Wilson's statistics and depend on seed and index alone.
#include "kilobragg/core/error.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::structure_factors {
namespace {

const models::UnitCell cell{77, 77, 37, 90, 90, 90};
const models::SpaceGroup group("P43212");

// F^2 over its mean, of centric or acentric indices.
std::vector<double> normalised(const Amplitudes& a, bool centric, const WilsonParams& params) {
  const double sum_f2 = a.cell.volume() * (1 - params.solvent_fraction) / 18.5 *
                        params.atom_electrons * params.atom_electrons;
  std::vector<double> z;
  for (std::size_t i = 0; i < a.hkl.size(); ++i) {
    if (a.space_group.is_centric(a.hkl[i]) != centric) continue;
    const double d = a.cell.d(a.hkl[i]);
    z.push_back(
        a.f[i] * a.f[i] /
        (a.space_group.epsilon(a.hkl[i]) * sum_f2 * std::exp(-params.b_factor / (2 * d * d))));
  }
  return z;
}

double moment(const std::vector<double>& z, int power) {
  double sum = 0;
  for (const double value : z) sum += std::pow(value, power);
  return sum / double(z.size());
}

TEST(RandomWilson, MomentsOfAcentricAndCentricIntensities) {
  const WilsonParams params;
  const Amplitudes a = random_wilson(cell, group, 1.5, 11);
  ASSERT_GT(a.hkl.size(), 15000u);
  const auto acentric = normalised(a, false, params), centric = normalised(a, true, params);
  EXPECT_NEAR(moment(acentric, 1), 1, 0.03);
  EXPECT_NEAR(moment(acentric, 2), 2, 0.15);
  EXPECT_NEAR(moment(centric, 1), 1, 0.08);
  EXPECT_NEAR(moment(centric, 2), 3, 0.6);
}

TEST(RandomWilson, AFinerListHoldsTheSameNumbers) {
  const Amplitudes coarse = random_wilson(cell, group, 3, 5),
                   fine = random_wilson(cell, group, 2, 5);
  ASSERT_GT(fine.hkl.size(), coarse.hkl.size());
  for (std::size_t i = 0; i < coarse.hkl.size(); i += 7)
    EXPECT_EQ(fine.find(coarse.hkl[i]).value(), coarse.f[i]);
  EXPECT_NE(random_wilson(cell, group, 3, 6).f, coarse.f);
}

TEST(RandomWilson, EquivalentsAndBijvoetMatesAreEqualAbsencesAbsent) {
  const Amplitudes a = random_wilson(cell, group, 2.5, 5);
  const double f = a.find({5, 3, 2}).value();
  EXPECT_EQ(a.find({-5, -3, -2}).value(), f);
  EXPECT_EQ(a.find({3, -5, 2}).value(), f);
  EXPECT_FALSE(a.find({0, 0, 3}).has_value());
  EXPECT_FALSE(a.find({60, 0, 1}).has_value()); // beyond d_min
}

TEST(RandomWilson, RefusesWhatCannotBe) {
  EXPECT_THROW(random_wilson(cell, group, 0, 1), core::Error);
  EXPECT_THROW(random_wilson({77, 70, 37, 90, 90, 90}, group, 2, 1), core::Error);
}

} // namespace
} // namespace kilobragg::structure_factors
