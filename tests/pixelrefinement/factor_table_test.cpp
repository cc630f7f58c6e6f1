// Rows of structure factors by symmetry: every equivalent index finds its own, mates and absences too.
#include "kilobragg/core/error.hpp"
#include "kilobragg/pixelrefinement/factor_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace kilobragg::pixelrefinement {
namespace {

using models::Miller;
using models::SpaceGroup;
using models::UnitCell;

struct Crystal {
  const char* group;
  UnitCell cell;
};
const Crystal crystals[] = {
    {"P 1", {20, 23, 27, 80, 95, 103}},      {"P 21", {31, 24, 29, 90, 104, 90}},
    {"C 2", {41, 24, 29, 90, 104, 90}},      {"P 21 21 21", {21, 34, 29, 90, 90, 90}},
    {"F 2 2 2", {41, 34, 49, 90, 90, 90}},   {"P 43 21 2", {39, 39, 19, 90, 90, 90}},
    {"I 41", {39, 39, 29, 90, 90, 90}},      {"R 3 2", {40, 40, 51, 90, 90, 120}},
    {"P 31 2 1", {30, 30, 41, 90, 90, 120}}, {"P 61 2 2", {30, 30, 61, 90, 90, 120}},
    {"P 21 3", {40, 40, 40, 90, 90, 90}},    {"F 4 3 2", {60, 60, 60, 90, 90, 90}},
    {"P -1", {20, 23, 27, 80, 95, 103}}};

Miller inverse(const Miller& m) { return {-m.h, -m.k, -m.l}; }

/// The orbit of an index under the rotations alone, and with its mates where they are not apart.
std::set<Miller> orbit(const SpaceGroup& group, const Miller& hkl, bool with_mates) {
  std::set<Miller> all;
  for (const auto& operation : group.operations()) {
    all.insert(operation.apply_to_hkl(hkl));
    if (with_mates) all.insert(inverse(operation.apply_to_hkl(hkl)));
  }
  return all;
}

// All indices of a box: equal orbits have one row, different ones different rows, and no row is left over.
void expect_rows_are_orbits(const Crystal& crystal, bool apart) {
  const SpaceGroup group(crystal.group);
  const double d_min = 4;
  const FactorTable table = make_factor_table(crystal.cell, group, d_min, apart);
  ASSERT_TRUE(std::is_sorted(table.index.begin(), table.index.end()));
  std::map<std::set<Miller>, std::int32_t> row_of_orbit;
  std::set<std::int32_t> rows;
  const int reach = 17;
  for (int h = -reach; h <= reach; ++h)
    for (int k = -reach; k <= reach; ++k)
      for (int l = -reach; l <= reach; ++l) {
        const Miller hkl{h, k, l};
        const std::int32_t row = table.row_of(hkl);
        const bool within = hkl != Miller{} && crystal.cell.d(hkl) >= d_min * (1 - 1e-10);
        if (!within || group.is_absent(hkl)) {
          EXPECT_EQ(row, -1) << h << " " << k << " " << l;
          continue;
        }
        ASSERT_GE(row, 0) << h << " " << k << " " << l;
        const auto [known, is_new] = row_of_orbit.emplace(orbit(group, hkl, !apart), row);
        EXPECT_EQ(known->second, row) << h << " " << k << " " << l;
        if (!is_new) continue;
        EXPECT_TRUE(rows.insert(row).second) << "two orbits share a row";
      }
  EXPECT_EQ(rows.size(), table.size());
}

TEST(FactorTable, RowsAreOrbitsInManySpaceGroups) {
  for (const Crystal& crystal : crystals)
    for (const bool apart : {false, true}) {
      SCOPED_TRACE(std::string(crystal.group) + (apart ? ", mates apart" : ""));
      expect_rows_are_orbits(crystal, apart);
    }
}

TEST(FactorTable, CentricMatesShareARow) {
  const SpaceGroup group("P 21 21 21");
  const FactorTable table = make_factor_table({21, 34, 29, 90, 90, 90}, group, 3, true);
  EXPECT_EQ(table.row_of({0, 2, 3}), table.row_of({0, -2, -3}));
  EXPECT_EQ(table.row_of({1, 2, 3}) + 1, table.row_of({-1, -2, -3}));
  EXPECT_EQ(table.row_of({3, 0, 0}), -1) << "absent";
  EXPECT_EQ(table.index[static_cast<std::size_t>(table.row_of({-1, -2, -3}))].minus, 1);
}

TEST(FactorTable, AMateThatIsNotThereIsNotTheOther) {
  FactorTable table =
      make_factor_table({21, 34, 29, 90, 90, 90}, SpaceGroup("P 21 21 21"), 3, true);
  const auto minus = table.row_of({-1, -2, -3});
  table.index.erase(table.index.begin() + minus);
  EXPECT_EQ(table.row_of({-1, -2, -3}), -1);
  EXPECT_GE(table.row_of({1, 2, 3}), 0);
}

TEST(FactorTable, BeyondTheTable) {
  const FactorTable table = make_factor_table({21, 34, 29, 90, 90, 90}, SpaceGroup("P 1"), 3, true);
  EXPECT_EQ(table.row_of({65536 + 1, 2, 3}), -1) << "an index is not cut to 16 bits";
  EXPECT_EQ(table.row_of({1, 2, -70000}), -1);
  EXPECT_EQ(table.row_of({0, 0, 0}), -1);
  EXPECT_EQ(table.f, std::vector<double>(table.size(), 1));
  EXPECT_EQ(table.measured, std::vector<std::uint8_t>(table.size(), 0));
  EXPECT_THROW(make_factor_table({21, 34, 29, 90, 90, 90}, SpaceGroup("P 4"), 3, true),
               core::Error);
  EXPECT_THROW(make_factor_table({21, 34, 29, 90, 90, 90}, SpaceGroup("P 1"), 0, true),
               core::Error);
}

TEST(FactorTable, HasALayerForEachEnergy) {
  FactorTable one = make_factor_table({21, 34, 29, 90, 90, 90}, SpaceGroup("P 21 21 21"), 3, true);
  for (std::size_t i = 0; i < one.size(); ++i) one.f[i] = 1 + double(i);
  FactorTable table = with_energies(one, {7100, 7120, 7150});
  EXPECT_EQ(table.layers(), 3u);
  EXPECT_EQ(table.layer_size(), one.size());
  EXPECT_EQ(table.size(), 3 * one.size());
  EXPECT_EQ(table.row_of({-1, 2, 3}), one.row_of({-1, 2, 3}));
  EXPECT_EQ(table.row_of({-1, -2, -3}), one.row_of({-1, -2, -3}));
  table.f[2 * one.size() + 5] = 77;
  table.sigma[one.size() + 5] = 0.25;
  const FactorTable last = layer_of(table, 2), middle = layer_of(table, 1);
  EXPECT_TRUE(last.energies.empty());
  EXPECT_EQ(last.f[5], 77);
  EXPECT_EQ(last.f[6], one.f[6]);
  EXPECT_EQ(middle.f, one.f);
  EXPECT_EQ(middle.sigma[5], 0.25);
  EXPECT_EQ(last.index, one.index);
  EXPECT_EQ(with_energies(one, {}).layers(), 1u);
}

} // namespace
} // namespace kilobragg::pixelrefinement
