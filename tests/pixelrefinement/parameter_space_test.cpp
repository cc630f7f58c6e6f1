// Parameters of a shot: rules, limits, restraints, and how the model's matrices follow each of them.
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/parameter_space.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

using diffraction::SymmetricElements;

ParameterRules all_free() {
  ParameterRules rules;
  for (ParameterRule* rule :
       {&rules.distance, &rules.wavelength_offset, &rules.wavelength_scale, &rules.b_factor})
    rule->fixed = false;
  return rules;
}

/// A point away from the start, differently in each parameter.
std::vector<double> elsewhere(const ParameterSpace& space) {
  std::vector<double> x = space.start();
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += 0.21 * std::sin(1.0 + double(i));
  return x;
}

/// All numbers of a model that refinement can move.
std::vector<double> numbers_of(const ShotModel& model) {
  std::vector<double> all;
  for (const auto& lattice : model.lattices) {
    for (const Mat3* m : {&lattice.crystal.a_matrix, &lattice.size, &lattice.rotation})
      all.insert(all.end(), m->m, m->m + 9);
    all.push_back(std::log(lattice.scale));
  }
  const Vec3 origin = moved_detector(model)->panels[1].frame.origin;
  all.insert(all.end(), {origin.x, origin.y, origin.z, model.wavelength.offset,
                         model.wavelength.scale, model.b_factor});
  return all;
}

/// The same of a direction.
std::vector<double> numbers_of(const diffraction::ParameterDirection& d, int lattices) {
  std::vector<double> all;
  for (int l = 0; l < lattices; ++l) {
    const diffraction::CrystalDirection here =
        l == d.lattice ? d.crystal : diffraction::CrystalDirection{};
    for (const Mat3* m : {&here.a_matrix, &here.size, &here.rotation})
      all.insert(all.end(), m->m, m->m + 9);
    all.push_back(here.log_scale);
  }
  all.insert(all.end(), {d.shift.x, d.shift.y, d.shift.z, d.wavelength_offset, d.wavelength_scale,
                         d.b_factor});
  return all;
}

void expect_directions_follow_the_model(const ShotModel& shot, const ParameterRules& rules) {
  const ParameterSpace space(shot, rules);
  const std::vector<double> x = elsewhere(space);
  const auto directions = space.directions(x);
  ASSERT_EQ(directions.size(), space.size());
  for (std::size_t i = 0; i < space.size(); ++i) {
    SCOPED_TRACE(space.name(i));
    const double step = 1e-4;
    const auto at = [&](double factor) {
      std::vector<double> moved = x;
      moved[i] += factor * step;
      return numbers_of(space.model(moved));
    };
    const auto p1 = at(1), m1 = at(-1), p2 = at(2), m2 = at(-2);
    const auto given = numbers_of(directions[i], static_cast<int>(shot.lattices.size()));
    ASSERT_EQ(given.size(), p1.size());
    double largest = 0;
    std::vector<double> expected;
    for (std::size_t k = 0; k < p1.size(); ++k) {
      expected.push_back((8 * (p1[k] - m1[k]) - (p2[k] - m2[k])) / (12 * step));
      largest = std::max(largest, std::abs(expected.back()));
    }
    ASSERT_GT(largest, 0);
    for (std::size_t k = 0; k < given.size(); ++k)
      EXPECT_NEAR(given[k], expected[k], 1e-8 * largest) << k;
  }
}

TEST(ParameterSpace, DirectionsFollowTheModel) {
  for (const int lattices : {1, 2})
    for (const auto size :
         {SymmetricElements::One, SymmetricElements::Three, SymmetricElements::Six})
      for (const auto spread : {SymmetricElements::One, SymmetricElements::Three}) {
        ParameterRules rules = all_free();
        rules.size_elements = size;
        rules.spread_elements = spread;
        ShotModel shot = testing::model_of_shot(lattices);
        shot.distance = 0.3;
        shot.wavelength = {0.001, 1.002};
        shot.b_factor = 12;
        shot.lattices[0].size = {{16, 1, 0.5, 1, 18, -0.7, 0.5, -0.7, 14}};
        expect_directions_follow_the_model(shot, rules);
      }
}

TEST(ParameterSpace, LargeRotationsHaveTheirExactJacobian) {
  ParameterRules rules = all_free();
  rules.rotation = {.low = -1.5, .high = 1.5};
  rules.cell = {.low = -0.3, .high = 0.3};
  expect_directions_follow_the_model(testing::model_of_shot(1), rules);
}

TEST(ParameterSpace, OtherCellsHaveTheirFreedom) {
  for (const auto& [group, strains] :
       std::map<std::string, int>{{"P1", 6}, {"C2", 4}, {"P212121", 3}, {"P6", 2}, {"P23", 1}}) {
    SCOPED_TRACE(group);
    ShotModel shot = testing::model_of_shot(1);
    models::UnitCell cell{50, 60, 70, 90, 90, 90};
    if (group == "P1") cell = {50, 60, 70, 80, 95, 100};
    if (group == "C2") cell.beta = 100;
    if (group == "P6") cell = {50, 50, 70, 90, 90, 120};
    if (group == "P23") cell = {50, 50, 50, 90, 90, 90};
    const models::SpaceGroup space_group(group);
    shot.lattices[0].crystal =
        models::Crystal::from_cell(cell, rotation_about(unit({1, -2, 1}), 0.7), space_group);
    const ParameterSpace space(shot, {});
    int found = 0;
    for (std::size_t i = 0; i < space.size(); ++i)
      found += space.name(i).starts_with("ucell") ? 1 : 0;
    EXPECT_EQ(found, strains);
    const ShotModel moved = space.model(elsewhere(space));
    EXPECT_EQ(space_group.contradiction(moved.lattices[0].crystal.unit_cell()), "");
    expect_directions_follow_the_model(shot, {});
  }
}

TEST(ParameterSpace, StartIsTheShotItself) {
  ShotModel shot = testing::model_of_shot(2);
  shot.distance = -0.2;
  shot.b_factor = 4;
  const ParameterSpace space(shot, all_free());
  const auto expected = numbers_of(shot), found = numbers_of(space.model(space.start()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-12 * (1 + std::abs(expected[i])));
}

TEST(ParameterSpace, ValuesObeyTheirRules) {
  const ParameterSpace space(testing::model_of_shot(1), all_free());
  const std::map<std::string, ParameterRule> limits{{"RotXYZ1", ParameterRules().rotation},
                                                    {"Nabc2", ParameterRules().size},
                                                    {"eta0", ParameterRules().spread},
                                                    {"detz_shift", ParameterRules().distance},
                                                    {"B", ParameterRules().b_factor}};
  std::size_t checked = 0;
  for (std::size_t i = 0; i < space.size(); ++i) {
    const double step = 1e-4;
    for (const double x : {-20.0, -1.0, 0.4, 7.0}) {
      const double slope = (space.value(i, x + step) - space.value(i, x - step)) / (2 * step);
      EXPECT_NEAR(space.slope(i, x), slope, 1e-7 * std::abs(space.value(i, x)) + 1e-7 * step)
          << space.name(i);
      if (const auto at = limits.find(space.name(i)); at != limits.end()) {
        EXPECT_GE(space.value(i, x), at->second.low);
        EXPECT_LE(space.value(i, x), at->second.high);
        ++checked;
      }
    }
    if (space.name(i) == "G") {
      EXPECT_NEAR(space.value(i, -2), 0.005 * std::exp(-2), 1e-15);
      EXPECT_GT(space.value(i, -50), 0);
    }
  }
  EXPECT_EQ(checked, 4 * limits.size());
}

TEST(ParameterSpace, ValuesAtALimitStartJustWithinIt) {
  ShotModel shot = testing::model_of_shot(1);
  shot.lattices[0].rotation = {};
  shot.lattices[0].size = 1e6 * Mat3::identity();
  const ParameterSpace space(shot, {});
  const std::vector<double> x = space.start();
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (space.name(i) == "eta0") {
      EXPECT_GT(space.value(i, x[i]), ParameterRules().spread.low);
      EXPECT_LT(space.value(i, x[i]), 1e-4);
    }
    if (space.name(i).starts_with("Nabc")) {
      EXPECT_LT(space.value(i, x[i]), 3000);
      EXPECT_GT(space.value(i, x[i]), 2990);
    }
    EXPECT_NE(space.slope(i, x[i]), 0) << space.name(i); // or it could never leave
  }
}

TEST(ParameterSpace, RestraintsPullToTheStart) {
  ParameterRules rules = all_free();
  rules.scale.sigma = 1e-3;
  rules.rotation.sigma = 0.001;
  rules.spread.sigma = 1e-3;
  ShotModel shot = testing::model_of_shot(1);
  shot.b_factor = 30;
  const ParameterSpace space(shot, rules);
  std::vector<double> x = space.start(), gradient(space.size()), curvature(space.size());
  EXPECT_NEAR(space.restrain(x, gradient, curvature), 0, 1e-20);
  x = elsewhere(space);
  std::fill(gradient.begin(), gradient.end(), 0.25); // is added to
  std::fill(curvature.begin(), curvature.end(), 0.5);
  double expected = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::string name = space.name(i);
    const double sigma = name == "G"                  ? 1e-3
                         : name.starts_with("RotXYZ") ? 0.001
                         : name == "eta0"             ? 1e-3
                         : name == "B"                ? 5.0
                                                      : 0;
    if (sigma == 0) continue;
    const double moved = space.value(i, x[i]) - space.value(i, space.start()[i]);
    expected += 0.5 * moved * moved / (sigma * sigma);
  }
  EXPECT_NEAR(space.restrain(x, gradient, curvature), expected, 1e-10 * expected);
  EXPECT_GT(expected, 0.01);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double step = 1e-5;
    std::vector<double> unused(x.size());
    const auto at = [&](double moved) {
      std::vector<double> there = x;
      there[i] += moved;
      return space.restrain(there, unused, unused);
    };
    const double slope = (at(step) - at(-step)) / (2 * step);
    EXPECT_NEAR(gradient[i] - 0.25, slope, 1e-6 * (1 + std::abs(slope))) << space.name(i);
    EXPECT_GE(curvature[i], 0.5);
    EXPECT_EQ(curvature[i] == 0.5, slope == 0);
  }
}

TEST(ParameterSpace, FixedParametersAreLeftOut) {
  ParameterRules rules;
  rules.cell.fixed = rules.spread.fixed = true;
  rules.size_elements = SymmetricElements::One;
  const ParameterSpace space(testing::model_of_shot(2), rules);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < space.size(); ++i) names.push_back(space.name(i));
  const std::vector<std::string> expected{
      "G (lattice 0)",       "RotXYZ0 (lattice 0)", "RotXYZ1 (lattice 0)", "RotXYZ2 (lattice 0)",
      "Nabc0 (lattice 0)",   "G (lattice 1)",       "RotXYZ0 (lattice 1)", "RotXYZ1 (lattice 1)",
      "RotXYZ2 (lattice 1)", "Nabc0 (lattice 1)"};
  EXPECT_EQ(names, expected);
  const ShotModel moved = space.model(elsewhere(space));
  EXPECT_EQ(moved.lattices[1].rotation, space.model(space.start()).lattices[1].rotation);
  EXPECT_NEAR(moved.lattices[0].crystal.unit_cell().c, 60, 1e-9);
}

TEST(ParameterSpace, OffDiagonalElementsAreFixedWithN) {
  ParameterRules rules;
  rules.size.fixed = true;
  const ParameterSpace space(testing::model_of_shot(1), rules);
  for (std::size_t i = 0; i < space.size(); ++i)
    EXPECT_FALSE(space.name(i).starts_with("N")) << space.name(i);
}

TEST(ParameterSpace, TellsMatricesThatAreNoSizes) {
  ShotModel shot = testing::model_of_shot(2);
  const auto has_sizes = [&](const Mat3& n) {
    shot.lattices[1].size = n;
    const ParameterSpace space(shot, {});
    return space.has_sizes(space.start());
  };
  EXPECT_TRUE(has_sizes({{16, 0, 0, 0, 18, 0, 0, 0, 14}}));
  EXPECT_TRUE(has_sizes({{16, 9, -4, 9, 24, 5, -4, 5, 13}}));
  EXPECT_FALSE(has_sizes({{16, 18, 0, 18, 18, 0, 0, 0, 14}}));     // the first two axes
  EXPECT_FALSE(has_sizes({{16, 0, 16, 0, 18, 0, 16, 0, 14}}));     // the first and the third
  EXPECT_FALSE(has_sizes({{16, 13, -12, 13, 18, 8, -12, 8, 14}})); // each pair could be
}

TEST(ParameterSpace, NamesAreThoseOfDiffBragg) {
  ParameterRules rules = all_free();
  rules.size_elements = SymmetricElements::Six;
  rules.spread_elements = SymmetricElements::Three;
  const ParameterSpace space(testing::model_of_shot(1), rules);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < space.size(); ++i) names.push_back(space.name(i));
  const std::vector<std::string> expected{
      "G",     "RotXYZ0",    "RotXYZ1",   "RotXYZ2",   "ucell0", "ucell1", "Nabc0",
      "Nabc1", "Nabc2",      "Ndef0",     "Ndef1",     "Ndef2",  "eta0",   "eta1",
      "eta2",  "detz_shift", "spec_lam0", "spec_lam1", "B"};
  EXPECT_EQ(names, expected);
}

} // namespace
} // namespace kilobragg::pixelrefinement
