// The columns of strong, indexed and integrated tables: names, types, units.
#include "src/io/reflection_columns.hpp"
#include "support/sample_still.hpp"

#include "kilobragg/io/still_tables.hpp"

#include <gtest/gtest.h>

namespace kilobragg::io {
namespace {

using models::Int6;
using models::Shoebox;
using testing::sample_detector;
using testing::sample_still;

using Types = std::map<std::string, std::string>;

Types types_of(const models::ReflectionTable& table) {
  Types types;
  for (const auto& [name, column] : table.columns) {
    types[name] = type_name(column);
    EXPECT_EQ(row_count(column), table.rows) << name;
  }
  return types;
}

const Types strong_types{{"bbox", "int6"},
                         {"flags", "std::size_t"},
                         {"id", "int"},
                         {"intensity.sum.value", "double"},
                         {"intensity.sum.variance", "double"},
                         {"panel", "std::size_t"},
                         {"shoebox", "Shoebox<>"},
                         {"xyzobs.px.value", "vec3<double>"},
                         {"xyzobs.px.variance", "vec3<double>"}};

TEST(StillTables, StrongColumns) {
  const auto still = sample_still(3, sample_detector());
  const auto t = strong_table(still);
  EXPECT_EQ(types_of(t), strong_types);
  ASSERT_EQ(t.rows, 20u);
  const auto& spot = still.spots.spots[4];
  EXPECT_EQ(t.get<Vec3>("xyzobs.px.value")[4], (Vec3{spot.px.x, spot.px.y, 0}));
  EXPECT_EQ(t.get<Int6>("bbox")[4],
            (Int6{spot.box.x0, spot.box.x1, spot.box.y0, spot.box.y1, 0, 1}));
  const Shoebox& box = t.get<Shoebox>("shoebox")[4]; // three pixels in 3 x 2
  EXPECT_EQ(box.mask, (std::vector<std::int32_t>{5, 0, 5, 0, 5, 0}));
  EXPECT_EQ(box.data[4], still.spots.pixels[spot.first_pixel + 1].value);
  EXPECT_EQ(box.data[1], 0);
  float sum = 0;
  for (const float v : box.data) sum += v;
  EXPECT_EQ(static_cast<double>(sum), t.get<double>("intensity.sum.value")[4]);
  EXPECT_EQ(t.identifiers.at(0), strong_experiment(still).identifier);
}

TEST(StillTables, IndexedColumns) {
  Types expected = strong_types;
  for (const char* name :
       {"delpsical.rad", "delpsical2", "x_resid", "x_resid2", "y_resid", "y_resid2"})
    expected[name] = "double";
  for (const char* name :
       {"rlp", "s1", "xyzcal.mm", "xyzcal.px", "xyzobs.mm.value", "xyzobs.mm.variance"})
    expected[name] = "vec3<double>";
  expected["entering"] = "bool";
  expected["imageset_id"] = "int";
  expected["miller_index"] = "cctbx::miller::index<>";
  const auto still = sample_still(3, sample_detector());
  const auto t = indexed_table(still, 6);
  EXPECT_EQ(types_of(t), expected);
  ASSERT_EQ(t.rows, 20u); // ten spots in each of two lattices
  EXPECT_EQ(t.get<std::int32_t>("id")[9], 0);
  EXPECT_EQ(t.get<std::int32_t>("id")[10], 1);
  EXPECT_EQ(t.get<std::int32_t>("imageset_id")[0], 6);
  EXPECT_NEAR(t.get<double>("x_resid")[3], 0.01, 1e-12); // calculated - observed, mm
  EXPECT_NEAR(t.get<double>("y_resid2")[3], 4e-4, 1e-12);
  const auto& spot = still.spots.spots[6];
  EXPECT_EQ(t.get<Vec3>("xyzobs.mm.value")[3], (Vec3{spot.mm.x, spot.mm.y, 0}));
  EXPECT_EQ(t.get<std::uint64_t>("flags")[3], 32u | 4u | 8u);
  EXPECT_EQ(t.identifiers.at(1), still.lattices[1].identifier);
}

TEST(StillTables, IntegratedColumns) {
  Types expected;
  for (const char* name : {"background.dispersion", "background.mean", "background.mse",
                           "background.sum.value", "background.sum.variance", "d", "delpsical.rad",
                           "intensity.sum.value", "intensity.sum.variance", "partiality"})
    expected[name] = "double";
  for (const char* name : {"id", "num_pixels.background", "num_pixels.background_used",
                           "num_pixels.foreground", "num_pixels.valid"})
    expected[name] = "int";
  for (const char* name : {"flags", "panel", "partial_id"}) expected[name] = "std::size_t";
  for (const char* name : {"s1", "xyzcal.mm", "xyzcal.px", "xyzobs.mm.value", "xyzobs.mm.variance",
                           "xyzobs.px.value", "xyzobs.px.variance"})
    expected[name] = "vec3<double>";
  expected["bbox"] = "int6";
  expected["entering"] = "bool";
  expected["miller_index"] = "cctbx::miller::index<>";
  ASSERT_EQ(expected.size(), 28u);
  auto still = sample_still(3, sample_detector(), models::ExitState::IntegrateOk, 3);
  still.lattices[1].reflections.clear(); // takes no id
  const auto t = integrated_table(still);
  EXPECT_EQ(types_of(t), expected);
  ASSERT_EQ(t.rows, 60u);
  EXPECT_EQ(t.get<std::int32_t>("id")[59], 1);
  EXPECT_EQ(t.identifiers.at(1), still.lattices[2].identifier);
  const auto experiments = integrated_experiments(still);
  ASSERT_EQ(experiments.size(), 2u);
  EXPECT_EQ(experiments[1].identifier, still.lattices[2].identifier);
  EXPECT_EQ(experiments[1].profile->sigma_b_deg, 0.02);
  const auto& r = still.lattices[0].reflections[5];
  EXPECT_EQ(t.get<double>("intensity.sum.value")[5], r.intensity);
  EXPECT_EQ(t.get<Vec3>("xyzobs.px.value")[5], (Vec3{r.px_obs.x, r.px_obs.y, 0.5}));
  EXPECT_EQ(t.get<Vec3>("xyzcal.px")[5], (Vec3{r.px_cal.x, r.px_cal.y, 0}));
  EXPECT_EQ(t.get<std::int32_t>("num_pixels.background_used")[5], 28);
}

TEST(StillTables, RowlessTablesHaveTheSameColumns) {
  const auto still = sample_still(0, sample_detector());
  const models::StillResult nothing;
  EXPECT_EQ(types_of(strong_table(nothing)), types_of(strong_table(still)));
  EXPECT_EQ(types_of(indexed_table(nothing)), types_of(indexed_table(still)));
  EXPECT_EQ(types_of(integrated_table(nothing)), types_of(integrated_table(still)));
}

} // namespace
} // namespace kilobragg::io
