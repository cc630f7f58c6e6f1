// MTZ files written and read back; the same input gives the same bytes.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/mtz.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::io {
namespace {

using models::Miller;
using models::SpaceGroup;
using models::UnitCell;
using ::testing::AllOf;
using ::testing::HasSubstr;

const UnitCell cell{78, 78, 38, 90, 90, 90};

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "no error";
}

MergedMtz sample() {
  MergedMtz data;
  data.cell = cell;
  data.space_group = SpaceGroup("P43212");
  data.wavelength = 1.3021;
  data.title = "Merged by a test";
  data.history = {"one line", "100 % of another"};
  double i = 1;
  for (const Miller& hkl : data.space_group.unique_indices(cell, 4.0)) {
    MergedReflection r;
    r.hkl = hkl;
    r.i_mean = i;
    r.sigma_mean = 0.5 * i;
    r.multiplicity = static_cast<int>(i);
    r.has_plus = static_cast<int>(i) % 3 != 0;
    r.i_plus = i + 0.5;
    r.sigma_plus = 1;
    r.has_minus = !r.has_plus;
    r.i_minus = i - 0.5;
    r.sigma_minus = 2;
    data.reflections.push_back(r);
    i += 1;
  }
  return data;
}

TEST(Mtz, MergedIntensitiesComeBack) {
  const testing::TemporaryFolder folder;
  const auto data = sample();
  ASSERT_GT(data.reflections.size(), 500u);
  write_merged_mtz(data, folder / "m.mtz");
  const auto back = read_reference_mtz(folder / "m.mtz");
  EXPECT_EQ(back.space_group, data.space_group);
  EXPECT_EQ(back.cell.parameters(), cell.parameters());
  ASSERT_EQ(back.hkl.size(), data.reflections.size());
  for (std::size_t k = 0; k < back.hkl.size(); ++k) {
    EXPECT_EQ(back.hkl[k], data.reflections[k].hkl);
    EXPECT_EQ(back.intensity[k], data.reflections[k].i_mean);
    EXPECT_EQ(back.sigma[k], data.reflections[k].sigma_mean);
  }
  const auto mates = read_reference_mtz(folder / "m.mtz", "I(+)"); // the one that is there
  ASSERT_EQ(mates.hkl.size(), data.reflections.size());
  EXPECT_EQ(mates.intensity[0], 1.5);
  EXPECT_EQ(mates.intensity[2], 2.5);
  EXPECT_EQ(mates.sigma[2], 2);
}

TEST(Mtz, SameInputSameBytesInAnyOrder) {
  const testing::TemporaryFolder folder;
  auto data = sample();
  write_merged_mtz(data, folder / "a.mtz");
  std::reverse(data.reflections.begin(), data.reflections.end());
  write_merged_mtz(data, folder / "b.mtz");
  const std::string bytes = core::read_text_file(folder / "a.mtz");
  EXPECT_EQ(bytes, core::read_text_file(folder / "b.mtz"));
  EXPECT_EQ(bytes.substr(0, 4), "MTZ ");
  EXPECT_NE(bytes.find("100 % of another"), std::string::npos);
  EXPECT_NE(bytes.find("DWAVEL        1    1.30210"), std::string::npos);
  EXPECT_NE(bytes.find("COLUMN N "), std::string::npos);
  data.anomalous = false;
  write_merged_mtz(data, folder / "c.mtz");
  EXPECT_EQ(core::read_text_file(folder / "c.mtz").find("I(+)"), std::string::npos);
}

TEST(Mtz, AmplitudesAreSquaredAndMapped) {
  const testing::TemporaryFolder folder;
  const SpaceGroup group("P43212");
  const std::vector<Miller> hkl{{7, 3, 2}, {-3, -7, 2}, {4, 2, -1}, {1, 1, 1}};
  write_amplitudes_mtz(cell, group, 1.0, hkl, {10, 20, 30, 5}, folder / "f.mtz");
  const auto back = read_reference_mtz(folder / "f.mtz");
  // Equivalent indices are averaged as intensities: (100 + 400) / 2.
  ASSERT_EQ(back.hkl.size(), 3u);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_TRUE(group.in_asu(back.hkl[k]));
    const double expected = back.hkl[k] == group.to_asu({7, 3, 2})   ? 250
                            : back.hkl[k] == group.to_asu({4, 2, 1}) ? 900
                                                                     : 25;
    EXPECT_EQ(back.intensity[k], expected);
  }
  EXPECT_TRUE(std::is_sorted(back.hkl.begin(), back.hkl.end()));
}

TEST(Mtz, WhatIsWrongIsNamed) {
  const testing::TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { read_reference_mtz(folder / "none.mtz"); }), HasSubstr("none.mtz"));
  core::write_file(folder / "text.mtz", "this is no MTZ at all, only text of some length");
  EXPECT_THAT(error_of([&] { read_reference_mtz(folder / "text.mtz"); }), HasSubstr("text.mtz"));
  write_merged_mtz(sample(), folder / "m.mtz");
  EXPECT_THAT(error_of([&] { read_reference_mtz(folder / "m.mtz", "FOBS"); }),
              AllOf(HasSubstr("'FOBS'"), HasSubstr("IMEAN")));
  EXPECT_THAT(error_of([&] { read_reference_mtz(folder / "m.mtz", "N"); }), HasSubstr("'N'"));
  const std::string whole = core::read_text_file(folder / "m.mtz");
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    core::write_file(folder / "cut.mtz", whole.substr(0, size));
    try { // a file cut within its closing headers may still be read
      read_reference_mtz(folder / "cut.mtz");
      EXPECT_GT(size, whole.size() - 2000);
    } catch (const core::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("cut.mtz"));
    }
  }
}

} // namespace
} // namespace kilobragg::io
