// Bijvoet mates and photon energies: closed forms, Friedel's law without f'', random heavy atoms.
#include "reference/direct_structure_factors.hpp"

#include "kilobragg/core/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::structure_factors {
namespace {

using kilobragg::testing::direct_factor;
using kilobragg::testing::direct_parts;
using kilobragg::testing::DirectStructure;

DispersionSource only(const std::string& element, double f_prime, double f_double_prime) {
  return {{{element, {5000, 20000}, {f_prime, f_prime}, {f_double_prime, f_double_prime}}}};
}

// Of a P1 cell with a plain atom at the origin and a resonant one at x,
// |F(h)|^2 - |F(-h)|^2 = -4 a f'' sin(2 pi h x), a and f'' with their displacements.
TEST(SpectralAmplitudes, TwoAtomsHaveTheClosedFormDifference) {
  const DirectStructure structure{{9, 11, 13, 90, 95, 100},
                                  models::SpaceGroup("P1"),
                                  {{"C", 0, 0, 0, 8}, {"Se", 0.21, 0.37, 0.13, 15}}};
  const double f_double_prime = 4.2;
  const SpectralAmplitudes a =
      amplitudes_at(direct_parts(structure, 1.5, "Se"), {12700}, only("Se", -3, f_double_prime));
  ASSERT_GT(a.hkl.size(), 500u);
  double largest = 0;
  for (std::size_t i = 0; i < a.hkl.size(); ++i) {
    const models::Miller& h = a.hkl[i];
    const double inv_d2 = 1 / std::pow(structure.cell.d(h), 2);
    const double carbon = kilobragg::testing::direct_form_factor(structure.atoms[0], inv_d2) *
                          std::exp(-8 * inv_d2 / 4);
    const double sine = std::sin(2 * core::pi * (0.21 * h.h + 0.37 * h.k + 0.13 * h.l));
    const double expected = -4 * carbon * f_double_prime * std::exp(-15 * inv_d2 / 4) * sine;
    const auto& layer = a.layers[0];
    EXPECT_NEAR(std::pow(layer.plus[i], 2) - std::pow(layer.minus[i], 2), expected, 1e-9);
    largest = std::max(largest, std::abs(expected));
  }
  EXPECT_GT(largest, 20);
}

DirectStructure selenium_structure(const char* group, const models::UnitCell& cell) {
  return {cell,
          models::SpaceGroup(group),
          {{"C", 0.11, 0.23, 0.31, 10},
           {"O", 0.27, 0.05, 0.43, 12},
           {"S", 0.41, 0.33, 0.17, 9},
           {"Se", 0.07, 0.39, 0.21, 14, 0.8}}};
}

TEST(SpectralAmplitudes, FriedelsLawHoldsWithoutAbsorption) {
  const auto parts = direct_parts(selenium_structure("P21", {20, 24, 27, 90, 103, 90}), 2.5, "Se");
  const SpectralAmplitudes a = amplitudes_at(parts, {12000}, only("Se", -5, 0));
  for (std::size_t i = 0; i < a.hkl.size(); ++i)
    EXPECT_NEAR(a.layers[0].plus[i], a.layers[0].minus[i], 1e-9);
  const SpectralAmplitudes b = amplitudes_at(parts, {12000}, only("Se", -5, 2));
  double difference = 0;
  for (std::size_t i = 0; i < b.hkl.size(); ++i)
    difference = std::max(difference, std::abs(b.layers[0].plus[i] - b.layers[0].minus[i]));
  EXPECT_GT(difference, 1);
}

TEST(SpectralAmplitudes, AreTheDirectSumOutsideTheAsymmetricUnitToo) {
  const DirectStructure structure = selenium_structure("P43212", {25, 25, 31, 90, 90, 90});
  const SpectralAmplitudes a =
      amplitudes_at(direct_parts(structure, 3, "Se"), {12700}, only("Se", -3, 4));
  int found = 0;
  for (int h = -5; h <= 5; ++h)
    for (int k = -5; k <= 5; ++k)
      for (int l = -5; l <= 5; ++l)
        if (const auto f = a.find({h, k, l})) {
          EXPECT_NEAR(*f, std::abs(direct_factor(structure, {h, k, l}, {{"Se", {-3, 4}}})), 1e-9);
          ++found;
        }
  EXPECT_GT(found, 1000);
}

TEST(SpectralAmplitudes, LayersFollowTheEdge) {
  const auto parts =
      direct_parts(selenium_structure("P212121", {20, 24, 27, 90, 90, 90}), 2.5, "Se");
  const SpectralAmplitudes a = amplitudes_at(parts, {12700, 12600}); // in any order
  ASSERT_EQ(a.layers.size(), 2u);
  EXPECT_EQ(a.layers[0].energy, 12600);
  double below = 0, above = 0;
  for (std::size_t i = 0; i < a.hkl.size(); ++i) {
    below += std::abs(a.layers[0].plus[i] - a.layers[0].minus[i]);
    above += std::abs(a.layers[1].plus[i] - a.layers[1].minus[i]);
  }
  EXPECT_GT(above, 5 * below); // as f'' does
  EXPECT_GT(below, 0);
  EXPECT_THROW(amplitudes_at(parts, {}), core::Error);
  EXPECT_THROW(amplitudes_at(parts, {12600, 12600}), core::Error);
  EXPECT_THROW(amplitudes_at(parts, {12600}, only("Fe", -1, 3)), core::Error); // no iron there
}

TEST(SpectralAmplitudes, MergedIsTheRootOfTheMeanSquare) {
  const SpectralAmplitudes a{
      {10, 10, 10, 90, 90, 90}, models::SpaceGroup("P1"), {{1, 2, 3}}, {{9000, {3}, {4}}}};
  EXPECT_DOUBLE_EQ(a.merged().f[0], std::sqrt(12.5));
  EXPECT_EQ(a.find({1, 2, 3}).value(), 3);
  EXPECT_EQ(a.find({-1, -2, -3}).value(), 4);
  EXPECT_FALSE(a.find({1, 1, 1}).has_value());
}

TEST(SpectralAmplitudes, SquaresAreLinearBetweenLayers) {
  const SpectralAmplitudes a{{10, 10, 10, 90, 90, 90},
                             models::SpaceGroup("P1"),
                             {{1, 2, 3}},
                             {{9000, {3}, {4}}, {9100, {5}, {8}}}};
  EXPECT_DOUBLE_EQ(a.at(9025).plus[0], std::sqrt(0.75 * 9 + 0.25 * 25));
  EXPECT_DOUBLE_EQ(a.at(9025).minus[0], std::sqrt(0.75 * 16 + 0.25 * 64));
  EXPECT_EQ(a.at(8000).plus[0], 3);
  EXPECT_EQ(a.at(9100).plus[0], 5);
  EXPECT_EQ(a.at(9999).minus[0], 8);
}

const models::UnitCell lysozyme{77, 77, 37, 90, 90, 90};

TEST(RandomParts, WithoutDispersionAreRandomWilson) {
  const models::SpaceGroup group("P43212");
  const Amplitudes wilson = random_wilson(lysozyme, group, 3, 7);
  const SpectralAmplitudes a =
      amplitudes_at(random_parts(lysozyme, group, 3, 7), {9000}, only("Se", 0, 0));
  ASSERT_EQ(a.hkl, wilson.hkl);
  for (std::size_t i = 0; i < a.hkl.size(); ++i) {
    EXPECT_NEAR(a.layers[0].plus[i], wilson.f[i], 1e-9 * wilson.f[i]);
    EXPECT_NEAR(a.layers[0].minus[i], wilson.f[i], 1e-9 * wilson.f[i]);
  }
}

// Centric mates are equal for any f'' only if the phases obey the symmetry; then the formula of the
// mates, which amplitudes_at does not use for them, gives the same.
TEST(RandomParts, CentricPhasesObeySymmetry) {
  for (const char* symbol : {"P43212", "P212121", "C2", "P6322", "P213", "I41"}) {
    const models::SpaceGroup group(symbol);
    const models::UnitCell cell = group.constrain({60, 60, 60, 90, 90, 90});
    const ScatteringParts parts = random_parts(cell, group, 5, 3);
    int centric = 0;
    for (std::size_t i = 0; i < parts.hkl.size(); ++i) {
      if (!group.is_centric(parts.hkl[i])) continue;
      ++centric;
      const std::complex<double> f(-4, 5), a = parts.elements[0].sum[i], n = parts.normal[i];
      EXPECT_NEAR(std::abs(n + f * a), std::abs(n + std::conj(f) * a), 1e-9 * std::abs(n) + 1e-9)
          << symbol;
    }
    EXPECT_GT(centric, 10) << symbol;
  }
}

// Mean |F(+) - F(-)| / mean F of one Se in 60 residues at 4 electrons of f'' is some percent
// (Hendrickson and Teeter 1981: sqrt(2 N_anomalous) f'' / (sqrt(N) Z_eff), of rms values).
TEST(RandomParts, DifferencesAreOfTheSizeThatTheFormulaGives) {
  const models::SpaceGroup group("P212121");
  const models::UnitCell cell{60, 70, 80, 90, 90, 90};
  HeavyAtoms heavy;
  heavy.count = 4;
  const SpectralAmplitudes a =
      amplitudes_at(random_parts(cell, group, 3, 7, {}, heavy), {12700}, only("Se", 0, 4));
  double difference = 0, sum = 0;
  for (std::size_t i = 0; i < a.hkl.size(); ++i) {
    if (group.is_centric(a.hkl[i])) continue;
    const double plus = a.layers[0].plus[i], minus = a.layers[0].minus[i];
    difference += std::pow(plus - minus, 2);
    sum += std::pow((plus + minus) / 2, 2);
  }
  const double atoms = cell.volume() / 4 * 0.5 / 18.5;
  const double expected = std::sqrt(2.0 * heavy.count) * 4 / (std::sqrt(atoms) * 7);
  EXPECT_NEAR(std::sqrt(difference / sum), expected, 0.15 * expected);
}

TEST(RandomParts, AFinerListHoldsTheSameNumbers) {
  const models::SpaceGroup group("P43212");
  const auto coarse = amplitudes_at(random_parts(lysozyme, group, 4, 7), {12700}),
             fine = amplitudes_at(random_parts(lysozyme, group, 3, 7), {12700});
  for (const auto& hkl : coarse.hkl) {
    EXPECT_EQ(coarse.find(hkl).value(), fine.find(hkl).value());
    const models::Miller mate{-hkl.h, -hkl.k, -hkl.l};
    EXPECT_EQ(coarse.find(mate).value(), fine.find(mate).value());
  }
}

} // namespace
} // namespace kilobragg::structure_factors
