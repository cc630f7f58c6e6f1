// Free flags from files of other programs' customs, carried over by symmetry, and made from indices.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/factors_mtz.hpp"
#include "kilobragg/io/free_flags.hpp"

#include <gemmi/mtz.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace kilobragg::io {
namespace {

using models::Miller;
using models::SpaceGroup;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Row {
  Miller hkl;
  float flag;
};

class FreeFlagsFile : public ::testing::Test {
protected:
  std::string file(const std::vector<Row>& rows, const std::string& label,
                   const std::string& group = "P 21 21 21") {
    gemmi::Mtz mtz(true);
    mtz.spacegroup = gemmi::find_spacegroup_by_name(group);
    mtz.spacegroup_name = mtz.spacegroup->hm;
    mtz.set_cell_for_all({20, 24, 27, 90, 90, 90});
    mtz.add_dataset("x");
    mtz.add_column("FP", 'F', 1, -1, false);
    mtz.add_column(label, 'I', 1, -1, false);
    for (const Row& row : rows) {
      for (const int i : {row.hkl.h, row.hkl.k, row.hkl.l}) mtz.data.push_back(float(i));
      mtz.data.insert(mtz.data.end(), {1.0F, row.flag});
      ++mtz.nreflections;
    }
    mtz.write_to_file(folder_ / "free.mtz");
    return folder_ / "free.mtz";
  }
  std::string error_of(const std::string& path, const SpaceGroup& group,
                       const std::string& column = {}) {
    try {
      read_free_flags_mtz(path, group, column);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "no error";
  }
  testing::TemporaryFolder folder_;
  SpaceGroup group_{"P 21 21 21"};
};

const float nan = std::nanf("");

TEST_F(FreeFlagsFile, UsualNamesAndAnyAsymmetricUnit) {
  for (const char* name : {"FreeR_flag", "FREE", "R-free-flags", "freer_flag"}) {
    const auto flags = read_free_flags_mtz(
        file({{{-1, 2, -5}, 3}, {{1, 2, 3}, 0}, {{1, 2, 4}, nan}}, name), group_);
    EXPECT_EQ(flags.column, name);
    EXPECT_THAT(flags.hkl, ElementsAre(Miller{1, 2, 3}, Miller{1, 2, 5}));
    EXPECT_THAT(flags.flag, ElementsAre(0, 3));
  }
  EXPECT_EQ(read_free_flags_mtz(file({{{1, 2, 3}, 4}}, "mine"), group_, "mine").flag[0], 4);
}

TEST_F(FreeFlagsFile, AreCarriedOverToEquivalentsAndCounted) {
  const auto flags = read_free_flags_mtz(file({{{1, 2, 3}, 6}, {{0, 2, 3}, 1}}, "FREE"), group_);
  const std::vector<Miller> wanted{{1, 2, 3}, {-1, -2, -3}, {1, -2, 3}, {3, 2, 1}, {0, -2, 3}};
  const auto carried = carry_over(flags, wanted);
  EXPECT_THAT(carried.flag, ElementsAre(6, 6, 6, -1, 1));
  EXPECT_EQ(carried.missing, 1);
}

TEST_F(FreeFlagsFile, GroupsOfOneLaueClassShareFlags) {
  const std::string path = file({{{1, 2, 3}, 6}}, "FREE", "P 2 2 2");
  EXPECT_EQ(read_free_flags_mtz(path, group_).flag.size(), 1u);
  EXPECT_THAT(error_of(path, SpaceGroup("P 4 2 2")),
              AllOf(HasSubstr("P 2 2 2"), HasSubstr("P 4 2 2")));
  EXPECT_THAT(error_of(path, SpaceGroup("C 2 2 2")), HasSubstr("C 2 2 2"));
}

TEST_F(FreeFlagsFile, WhatIsWrongIsNamed) {
  EXPECT_THAT(error_of(file({{{1, 2, 3}, 6}}, "other"), group_),
              AllOf(HasSubstr("free.mtz"), HasSubstr("other (I)")));
  EXPECT_THAT(error_of(file({{{1, 2, 3}, 6}}, "FREE"), group_, "RFREE"), HasSubstr("'RFREE'"));
  EXPECT_THAT(error_of(file({{{1, 2, 3}, 6}, {{-1, 2, 3}, 7}}, "FREE"), group_),
              AllOf(HasSubstr("1 2 3"), HasSubstr("6 and 7")));
  EXPECT_THAT(error_of(file({{{1, 2, 3}, 0.5F}}, "FREE"), group_), HasSubstr("0.5"));
  EXPECT_THAT(error_of(file({{{1, 2, 3}, -1}}, "FREE"), group_), HasSubstr("-1"));
}

TEST_F(FreeFlagsFile, SurviveTheirOwnFile) {
  FactorsMtz data;
  data.cell = {20, 24, 27, 90, 90, 90};
  data.space_group = group_;
  data.free_flags = true;
  for (const Miller& hkl : group_.unique_indices(data.cell, 4))
    data.rows.push_back({.hkl = hkl, .free_flag = made_free_flag(group_, hkl)});
  write_factors_mtz(data, folder_ / "out.mtz");
  const auto flags = read_free_flags_mtz(folder_ / "out.mtz", group_);
  ASSERT_EQ(flags.hkl.size(), data.rows.size());
  for (std::size_t i = 0; i < flags.hkl.size(); ++i)
    EXPECT_EQ(flags.flag[i], made_free_flag(group_, flags.hkl[i]));
}

TEST(MadeFreeFlags, DependOnTheIndexAloneAndAreEven) {
  const SpaceGroup group("P 43 21 2");
  const models::UnitCell cell{78, 78, 38, 90, 90, 90};
  std::array<int, 20> counts{};
  const auto unique = group.unique_indices(cell, 2);
  for (const Miller& hkl : unique) {
    const int flag = made_free_flag(group, hkl);
    ASSERT_TRUE(flag >= 0 && flag < 20);
    ++counts[static_cast<std::size_t>(flag)];
    for (const auto& operation : group.operations()) {
      const Miller m = operation.apply_to_hkl(hkl);
      EXPECT_EQ(made_free_flag(group, m), flag);
      EXPECT_EQ(made_free_flag(group, {-m.h, -m.k, -m.l}), flag);
    }
  }
  // Chi squared of 19 degrees of freedom.
  const double expected = double(unique.size()) / 20;
  double chi2 = 0;
  for (const int n : counts) chi2 += (n - expected) * (n - expected) / expected;
  EXPECT_LT(chi2, 43.8); // probability 0.001
  EXPECT_GT(chi2, 5.4);
  // The first 32 bits of the MD5 of "1 2 3" are 5ba48b6e.
  EXPECT_EQ(made_free_flag(SpaceGroup("P 21 21 21"), {1, 2, 3}), 0x5ba48b6eU % 20);
  EXPECT_EQ(made_free_flag(SpaceGroup("P 21 21 21"), {1, 2, 3}, 0.1), 0x5ba48b6eU % 10);
  EXPECT_THROW(made_free_flag(group, {1, 2, 3}, 0), core::Error);
  EXPECT_THROW(made_free_flag(group, {1, 2, 3}, 0.6), core::Error);
}

} // namespace
} // namespace kilobragg::io
