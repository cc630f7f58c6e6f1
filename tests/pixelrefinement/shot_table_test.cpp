// The CSV table of shots, read by a plain parser of RFC 4180.
#include "kilobragg/core/units.hpp"
#include "kilobragg/pixelrefinement/shot_table.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

using Records = std::vector<std::vector<std::string>>;

/// RFC 4180, strictly: records end in CRLF, a quoted field holds anything, its quotes doubled.
Records parse(const std::string& text) {
  Records records(1, {""});
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    std::string& field = records.back().back();
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      field += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (quoted) {
      field += c;
    } else if (c == ',') {
      records.back().emplace_back();
    } else if (c == '\r' && text.substr(i, 2) == "\r\n") {
      records.push_back({""});
      ++i;
    } else {
      field += c;
    }
  }
  records.pop_back();
  return records;
}

std::map<std::string, std::string> row(const Records& records, std::size_t i) {
  std::map<std::string, std::string> named;
  EXPECT_EQ(records.at(i).size(), records.at(0).size());
  for (std::size_t c = 0; c < records.at(0).size(); ++c) named[records[0][c]] = records[i].at(c);
  return named;
}

ShotModel sample() {
  ShotModel shot;
  shot.identifier = "first";
  shot.source = {
      .path = "/data/run \"1\", part\n2.h5", .dataset = "/entry", .frame = 12, .content_id = ""};
  shot.lattice_identifiers = {"first", "second"};
  shot.state = ShotState::Refined;
  shot.distance = 0.125;
  shot.b_factor = 1.0 / 3;
  shot.wavelength = {.offset = 1e-4, .scale = 1.0001};
  // U turns z to x, x to y, y to z.
  const Mat3 u = Mat3::from_rows({0, 0, 1}, {1, 0, 0}, {0, 1, 0});
  diffraction::ShotLattice lattice;
  lattice.crystal =
      models::Crystal::from_cell({50, 60, 70, 90, 100, 90}, u, models::SpaceGroup("P 21"));
  lattice.size = Mat3::from_rows({10, 1, 2}, {1, 20, 3}, {2, 3, 30});
  lattice.scale = 7e8;
  // Spread 0.1, 0.2, 0.3 deg about the columns of U, which are y, z, x of the laboratory.
  const auto squared = [](double deg) { return std::pow(deg * core::degree, 2); };
  lattice.rotation =
      Mat3::from_rows({squared(0.3), 0, 0}, {0, squared(0.1), 0}, {0, 0, squared(0.2)});
  shot.lattices = {lattice, lattice};
  shot.lattices[1].scale = 3;
  return shot;
}

TEST(ShotTable, RowsOfLattices) {
  const ShotModel shot = sample();
  const auto records = parse(
      shot_table_header() +
      shot_table_rows(
          shot, {.sigma_z = 1.5, .pixels = 1000, .boxes = 50, .evaluations = 31, .f = -1.25}));
  ASSERT_EQ(records.size(), 3u);
  auto first = row(records, 1), second = row(records, 2);
  EXPECT_EQ(records[0].size(), 40u);
  EXPECT_EQ(first["identifier"], "first");
  EXPECT_EQ(second["identifier"], "second");
  EXPECT_EQ(first["image"], shot.source.path);
  EXPECT_EQ(first["dataset"], "/entry");
  EXPECT_EQ(first["frame"], "12");
  EXPECT_EQ(second["lattice"], "1");
  EXPECT_EQ(first["state"], "refined");
  const auto number = [&](const char* name) { return std::stod(first.at(name)); };
  EXPECT_NEAR(number("b"), 60, 1e-9);
  EXPECT_NEAR(number("beta"), 100, 1e-9);
  const double* a = shot.lattices[0].crystal.a_matrix.m;
  const char* names[] = {"a11", "a12", "a13", "a21", "a22", "a23", "a31", "a32", "a33"};
  for (int i = 0; i < 9; ++i) EXPECT_EQ(number(names[i]), a[i]) << "to the last bit";
  EXPECT_EQ(number("n22"), 20);
  EXPECT_EQ(number("n12"), 1);
  EXPECT_EQ(number("n13"), 2);
  EXPECT_EQ(number("n23"), 3);
  EXPECT_NEAR(number("spread_1"), 0.1, 1e-12);
  EXPECT_NEAR(number("spread_2"), 0.2, 1e-12);
  EXPECT_NEAR(number("spread_3"), 0.3, 1e-12);
  EXPECT_EQ(number("g"), 7e8);
  EXPECT_EQ(second["g"], "3");
  EXPECT_EQ(number("b_factor"), 1.0 / 3);
  EXPECT_EQ(number("distance_shift"), 0.125);
  EXPECT_EQ(number("wavelength_offset"), 1e-4);
  EXPECT_EQ(number("wavelength_scale"), 1.0001);
  EXPECT_EQ(number("sigma_z"), 1.5);
  EXPECT_EQ(first["pixels"], "1000");
  EXPECT_EQ(first["boxes"], "50");
  EXPECT_EQ(first["evaluations"], "31");
  EXPECT_EQ(number("f"), -1.25);
}

TEST(ShotTable, AShotThatFailedHasItsRow) {
  ShotModel shot = sample();
  shot.lattices.clear();
  shot.lattice_identifiers.clear();
  shot.state = ShotState::NoPixels;
  auto records = parse(shot_table_header() + shot_table_rows(shot, {}));
  ASSERT_EQ(records.size(), 2u);
  auto only = row(records, 1);
  EXPECT_EQ(only["identifier"], "first");
  EXPECT_EQ(only["state"], "no_pixels");
  for (const char* name : {"lattice", "a", "g", "sigma_z", "f"}) EXPECT_EQ(only[name], "") << name;
  EXPECT_EQ(only["pixels"], "0");
}

} // namespace
} // namespace kilobragg::pixelrefinement
