// The complete P1 array against direct sums over atoms, and its numbers, layers and memory.
#include "reference/direct_structure_factors.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/amplitude_grid.hpp"

#include <gemmi/symmetry.hpp>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace kilobragg::diffraction {
namespace {

using kilobragg::testing::direct_factor;
using kilobragg::testing::direct_parts;
using kilobragg::testing::DirectStructure;
using models::Miller;
using structure_factors::DispersionSource;
using structure_factors::SpectralAmplitudes;

const DispersionSource selenium{{{"Se", {12000, 12600, 13000}, {-3, -7, -5}, {0.5, 4, 3}}}};

struct Case {
  const char* group;
  models::UnitCell cell;
};

DirectStructure structure_in(const Case& in) {
  return {in.cell,
          models::SpaceGroup(in.group),
          {{"C", 0.11, 0.23, 0.31, 10},
           {"O", 0.27, 0.05, 0.43, 12},
           {"Se", 0.07, 0.39, 0.21, 14, 0.8}}};
}

SpectralAmplitudes amplitudes_in(const DirectStructure& structure, double d_min,
                                 std::vector<double> energies = {12600}) {
  return structure_factors::amplitudes_at(direct_parts(structure, d_min, "Se"), std::move(energies),
                                          selenium);
}

template <typename Visit>
void for_each_in_box(int limit, const Visit& visit) {
  for (int h = -limit; h <= limit; ++h)
    for (int k = -limit; k <= limit; ++k)
      for (int l = -limit; l <= limit; ++l) visit(Miller{h, k, l});
}

class AmplitudeGridGroups : public ::testing::TestWithParam<Case> {};

// Every index of a cube, by the sum over all atoms of the cell and by gemmi's operations.
TEST_P(AmplitudeGridGroups, IsTheDirectSumEverywhere) {
  const double d_min = 3;
  const DirectStructure structure = structure_in(GetParam());
  const AmplitudeGrid grid = make_amplitude_grid(amplitudes_in(structure, d_min));
  const AmplitudeGridView view = grid.view();
  const gemmi::GroupOps operations = gemmi::symops_from_hall(structure.group.hall().c_str());
  EXPECT_TRUE(grid.bijvoet_apart);
  EXPECT_EQ(grid.missing, 0u);
  int inside = 0, absent = 0;
  for_each_in_box(9, [&](const Miller& m) {
    const int id = view.id(m.h, m.k, m.l);
    const bool is_absent = operations.is_systematically_absent({{m.h, m.k, m.l}});
    if (m == Miller{} || is_absent || structure.cell.d(m) < d_min) {
      EXPECT_EQ(id, -1);
      EXPECT_EQ(view.value(m.h, m.k, m.l, {}), 0);
      absent += is_absent;
      return;
    }
    ++inside;
    ASSERT_GE(id, 0);
    const double expected = std::norm(direct_factor(structure, m, {{"Se", {-7, 4}}}));
    EXPECT_NEAR(view.value(m.h, m.k, m.l, {}), expected, 3e-7 * expected + 1e-9);
    const gemmi::Op::Miller hkl{{m.h, m.k, m.l}};
    for (const gemmi::Op& op : operations.sym_ops) {
      const auto mate = op.apply_to_hkl(hkl);
      EXPECT_EQ(view.id(mate[0], mate[1], mate[2]), id);
    }
    EXPECT_EQ(view.id(-m.h, -m.k, -m.l) == id, operations.is_reflection_centric(hkl));
  });
  EXPECT_GT(inside, 500);
  EXPECT_EQ(absent > 0, structure.group.operations().size() > 1);
}

TEST_P(AmplitudeGridGroups, MatesTogetherShareTheMeanOfTheirSquares) {
  const DirectStructure structure = structure_in(GetParam());
  const SpectralAmplitudes amplitudes = amplitudes_in(structure, 3);
  AmplitudeGridParams params;
  params.bijvoet_apart = false;
  const AmplitudeGrid grid = make_amplitude_grid(amplitudes, params);
  EXPECT_EQ(grid.hkl.size(), amplitudes.hkl.size());
  const AmplitudeGridView view = grid.view();
  const auto merged = amplitudes.merged();
  for_each_in_box(7, [&](const Miller& m) {
    EXPECT_EQ(view.id(m.h, m.k, m.l), view.id(-m.h, -m.k, -m.l));
    const double f = merged.find(m).value_or(0);
    EXPECT_NEAR(view.value(m.h, m.k, m.l, {}), f * f, 3e-7 * f * f);
  });
}

INSTANTIATE_TEST_SUITE_P(Groups, AmplitudeGridGroups,
                         ::testing::Values(Case{"P1", {17, 19, 21, 85, 98, 104}},
                                           Case{"P21", {18, 20, 22, 90, 103, 90}},
                                           Case{"P43212", {22, 22, 25, 90, 90, 90}},
                                           Case{"P213", {24, 24, 24, 90, 90, 90}},
                                           Case{"P6322", {23, 23, 21, 90, 90, 120}},
                                           Case{"C2", {24, 18, 20, 90, 107, 90}},
                                           Case{"P3121", {21, 21, 24, 90, 90, 120}}),
                         [](const auto& test) { return std::string(test.param.group); });

const Case tetragonal{"P43212", {22, 22, 25, 90, 90, 90}};

TEST(AmplitudeGrid, NumbersNameTheirIndex) {
  const AmplitudeGrid grid = make_amplitude_grid(amplitudes_in(structure_in(tetragonal), 3));
  const AmplitudeGridView view = grid.view();
  std::set<Miller> different(grid.hkl.begin(), grid.hkl.end());
  EXPECT_EQ(different.size(), grid.hkl.size());
  std::set<int> numbers;
  for (std::size_t i = 0; i < grid.hkl.size(); ++i) {
    const Miller& m = grid.hkl[i];
    EXPECT_EQ(view.id(m.h, m.k, m.l), static_cast<int>(i));
  }
  for (const auto id : grid.unique) numbers.insert(id);
  EXPECT_EQ(numbers.size(), grid.hkl.size() + 1); // and -1
}

// What the expansion of the asymmetric unit that draws spots gives, with Friedel's law.
TEST(AmplitudeGrid, IsTheSphereOfReflections) {
  const auto amplitudes = structure_factors::random_wilson({60, 60, 40, 90, 90, 90},
                                                           models::SpaceGroup("P43212"), 2.5, 3);
  const ReflectionSphere sphere = expand_to_sphere(amplitudes, 2.8);
  AmplitudeGridParams params;
  params.d_min = 2.8;
  const auto grid = make_amplitude_grid(structure_factors::with_friedel(amplitudes), params);
  EXPECT_FALSE(grid.bijvoet_apart);
  const ReflectionSphere listed = list_sphere(grid);
  ASSERT_EQ(listed.hkl, sphere.hkl);
  for (std::size_t i = 0; i < sphere.size(); ++i)
    EXPECT_NEAR(listed.f_squared[i], sphere.f_squared[i], 1e-7 * sphere.f_squared[i]);
}

TEST(AmplitudeGrid, SpheresToldMatesApartAtAnEnergy) {
  const DirectStructure structure = structure_in(tetragonal);
  const ReflectionSphere sphere =
      expand_to_sphere(amplitudes_in(structure, 3, {12000, 12600}), 0, 12600);
  ASSERT_GT(sphere.size(), 1000u);
  for (std::size_t i = 0; i < sphere.size(); ++i) {
    const double f = std::norm(direct_factor(structure, sphere.hkl[i], {{"Se", {-7, 4}}}));
    EXPECT_NEAR(sphere.f_squared[i], f, 3e-7 * f + 1e-9);
  }
}

TEST(AmplitudeGrid, LayersMixByEnergy) {
  const DirectStructure structure = structure_in(tetragonal);
  const AmplitudeGrid grid =
      make_amplitude_grid(amplitudes_in(structure, 3, {12000, 12600, 13000}));
  const AmplitudeGridView view = grid.view();
  ASSERT_EQ(view.layer_count, 3);
  const auto value = [&](double energy, LayerChoice choice = LayerChoice::Linear) {
    return double{view.value(3, 1, 2, grid.mix(energy, choice))};
  };
  const auto direct = [&](double f_prime, double f_double_prime) {
    return std::norm(direct_factor(structure, {3, 1, 2}, {{"Se", {f_prime, f_double_prime}}}));
  };
  const double first = direct(-3, 0.5), middle = direct(-7, 4), last = direct(-5, 3);
  ASSERT_GT(std::abs(first - middle), 0.01 * first);
  EXPECT_NEAR(value(12000), first, 1e-6 * first);
  EXPECT_NEAR(value(12600), middle, 1e-6 * middle);
  EXPECT_NEAR(value(13000), last, 1e-6 * last);
  EXPECT_NEAR(value(12150), 0.75 * first + 0.25 * middle, 1e-6 * first);
  EXPECT_NEAR(value(12900), 0.25 * middle + 0.75 * last, 1e-6 * last);
  EXPECT_EQ(value(9000), value(12000));
  EXPECT_EQ(value(20000), value(13000));
  EXPECT_EQ(value(12290, LayerChoice::Nearest), value(12000));
  EXPECT_EQ(value(12310, LayerChoice::Nearest), value(12600));
  EXPECT_EQ(value(12900, LayerChoice::Nearest), value(13000));
}

TEST(AmplitudeGrid, IndicesThatTheListLacksAreCounted) {
  SpectralAmplitudes amplitudes = amplitudes_in(structure_in(tetragonal), 3);
  const Miller lost = amplitudes.hkl[40];
  amplitudes.hkl.erase(amplitudes.hkl.begin() + 40);
  amplitudes.layers[0].plus.erase(amplitudes.layers[0].plus.begin() + 40);
  amplitudes.layers[0].minus.erase(amplitudes.layers[0].minus.begin() + 40);
  AmplitudeGridParams params;
  params.missing_f = 2;
  const AmplitudeGrid grid = make_amplitude_grid(amplitudes, params);
  EXPECT_EQ(grid.missing, 1u);
  EXPECT_GE(grid.view().id(lost.h, lost.k, lost.l), 0);
  EXPECT_EQ(grid.view().value(lost.h, lost.k, lost.l, {}), 4);
  const AmplitudeGrid zero = make_amplitude_grid(amplitudes);
  EXPECT_EQ(zero.view().value(lost.h, lost.k, lost.l, {}), 0);
}

TEST(AmplitudeGrid, MemoryIsWhatTheHeaderSays) {
  const models::UnitCell lysozyme{77, 77, 37, 90, 90, 90};
  const auto amplitudes = structure_factors::with_friedel(
      structure_factors::random_wilson(lysozyme, models::SpaceGroup("P43212"), 1.6, 1));
  AmplitudeGridParams params;
  params.bijvoet_apart = true;
  params.d_min = 1.6;
  const AmplitudeGrid grid = make_amplitude_grid(amplitudes, params);
  EXPECT_EQ(grid.unique.size(), 442223u); // (2 * 48 + 1)^2 (2 * 23 + 1)
  EXPECT_EQ(grid.bytes(), 4 * (grid.unique.size() + grid.hkl.size()));
  EXPECT_EQ(grid.hkl.size(), 28026u);
}

TEST(AmplitudeGrid, RefusesWhatCannotBe) {
  EXPECT_THROW(make_amplitude_grid({}), core::Error);
  SpectralAmplitudes coarse = amplitudes_in(structure_in(tetragonal), 6);
  AmplitudeGridParams params;
  params.d_min = 30;
  EXPECT_THROW(make_amplitude_grid(coarse, params), core::Error);
  coarse.cell = {9000, 9000, 9000, 90, 90, 90}; // indices by the billion
  params.d_min = 12;
  EXPECT_THROW(make_amplitude_grid(coarse, params), core::Error);
  EXPECT_EQ(AmplitudeGridView{}.id(0, 0, 0), -1);
}

TEST(ExpandLayers, HoldsEveryIndexAtEveryEnergy) {
  const auto amplitudes = amplitudes_in(structure_in(tetragonal), 3, {12000, 12600});
  const ReflectionSphere sphere = expand_layers(amplitudes, 0);
  EXPECT_EQ(sphere.energies, (std::vector<double>{12000, 12600}));
  ASSERT_EQ(sphere.f_squared.size(), 2 * sphere.size());
  std::size_t present = 0;
  for_each_in_box(8, [&](const Miller& m) {
    if (amplitudes.find(m, 0)) ++present;
  });
  std::size_t within = 0;
  for (std::size_t i = 0; i < sphere.size(); ++i) {
    const Miller& m = sphere.hkl[i];
    if (std::max({std::abs(m.h), std::abs(m.k), std::abs(m.l)}) <= 8) ++within;
    for (std::size_t layer = 0; layer < 2; ++layer) {
      const double f = amplitudes.find(m, layer).value();
      EXPECT_NEAR(sphere.f_squared[layer * sphere.size() + i], f * f, 1e-6 * f * f);
    }
  }
  EXPECT_EQ(within, present);
  EXPECT_GT(present, 500u);
}

} // namespace
} // namespace kilobragg::diffraction
