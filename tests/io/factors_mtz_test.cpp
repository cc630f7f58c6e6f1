// Refined structure factors in an MTZ, seen by a plain reader, and read back with errors and mates.
#include "support/plain_mtz.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/factors_mtz.hpp"
#include "kilobragg/io/mtz.hpp"
#include "kilobragg/io/reference_amplitudes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const double nan = std::nan("");

/// Three acentric indices of P212121 (both mates, one, none) and a centric one.
FactorsMtz sample() {
  FactorsMtz data;
  data.cell = {20, 24, 27, 90, 90, 90};
  data.space_group = models::SpaceGroup("P 21 21 21");
  data.wavelength = 1.25;
  data.title = "Refined by a test";
  data.history = {"a fact"};
  data.rows = {{{1, 2, 3}, {10, 1}, {12, 2}, 40, 9, 0},
               {{1, 2, 4}, {}, {20, 0.5}, 10, 19, 7},
               {{1, 2, 5}, {}, {}, 0, 5, -1},
               {{0, 2, 3}, {30, 3}, {}, 30, nan, 19}};
  data.free_flags = data.priors = true;
  return data;
}

class FactorsFile : public ::testing::Test {
protected:
  std::string written(const FactorsMtz& data) {
    write_factors_mtz(data, folder_ / "f.mtz");
    return folder_ / "f.mtz";
  }
  std::string error_of(const FactorsMtz& data) {
    try {
      written(data);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "no error";
  }
  testing::TemporaryFolder folder_;
};

TEST_F(FactorsFile, ColumnsAndValues) {
  const std::string path = written(sample());
  const auto mtz = testing::read_plain_mtz(path);
  EXPECT_THAT(mtz.labels, ElementsAre("H", "K", "L", "FreeR_flag", "F", "SIGF", "F(+)", "SIGF(+)",
                                      "F(-)", "SIGF(-)", "DANO", "SIGDANO", "IMEAN", "SIGIMEAN",
                                      "I(+)", "SIGI(+)", "I(-)", "SIGI(-)", "N", "FC_prior"));
  const auto at = [&](const char* label, std::size_t row) { return mtz.column(label).at(row); };
  ASSERT_EQ(mtz.column("H").size(), 4u);
  EXPECT_EQ(at("H", 0), 0) << "sorted";
  // Weights 1 and 1/4.
  EXPECT_FLOAT_EQ(at("F", 1), 10.4F);
  EXPECT_FLOAT_EQ(at("SIGF", 1), std::sqrt(0.8F));
  EXPECT_FLOAT_EQ(at("IMEAN", 1), 10.4F * 10.4F);
  EXPECT_FLOAT_EQ(at("SIGIMEAN", 1), 2 * 10.4F * std::sqrt(0.8F));
  EXPECT_FLOAT_EQ(at("DANO", 1), -2);
  EXPECT_FLOAT_EQ(at("SIGDANO", 1), std::sqrt(5.0F));
  EXPECT_FLOAT_EQ(at("I(-)", 1), 144);
  EXPECT_FLOAT_EQ(at("SIGI(-)", 1), 48);
  EXPECT_EQ(at("FreeR_flag", 1), 0);
  EXPECT_EQ(at("FreeR_flag", 0), 19);
  EXPECT_EQ(at("N", 1), 40);
  EXPECT_EQ(at("FC_prior", 1), 9);
  // One mate alone.
  EXPECT_EQ(at("F", 2), 20);
  EXPECT_EQ(at("SIGF", 2), 0.5F);
  for (const char* label : {"F(+)", "SIGF(+)", "I(+)", "DANO", "SIGDANO"})
    EXPECT_TRUE(std::isnan(at(label, 2))) << label;
  // Never seen; centric.
  for (const char* label : {"F", "SIGF", "IMEAN", "F(-)", "FreeR_flag"})
    EXPECT_TRUE(std::isnan(at(label, 3))) << label;
  EXPECT_EQ(at("FC_prior", 3), 5);
  EXPECT_TRUE(std::isnan(at("F(-)", 0)));
  EXPECT_TRUE(std::isnan(at("FC_prior", 0)));
  const std::string bytes = core::read_text_file(path);
  for (const char* record : {"a fact", "COLUMN DANO                           D",
                             "COLUMN SIGF(+)                        L",
                             "COLUMN SIGI(-)                        M", "1.25000"})
    EXPECT_THAT(bytes, HasSubstr(record));
}

TEST_F(FactorsFile, OnlyTheColumnsThatThereAre) {
  auto data = sample();
  data.anomalous = data.free_flags = data.priors = false;
  for (auto& row : data.rows) row.minus = {};
  EXPECT_THAT(testing::read_plain_mtz(written(data)).labels,
              ElementsAre("H", "K", "L", "F", "SIGF", "IMEAN", "SIGIMEAN", "N"));
}

TEST_F(FactorsFile, SameRowsSameBytes) {
  auto data = sample();
  const std::string first = core::read_text_file(written(data));
  std::reverse(data.rows.begin(), data.rows.end());
  EXPECT_EQ(core::read_text_file(written(data)), first);
}

TEST_F(FactorsFile, ComesBackWithErrorsAndMates) {
  const auto a = read_amplitudes_mtz(written(sample()));
  EXPECT_TRUE(a.apart);
  EXPECT_EQ(a.column, "F(+), F(-)");
  ASSERT_EQ(a.hkl.size(), 3u) << "the one never seen is left out";
  EXPECT_THAT(a.hkl, ElementsAre(models::Miller{0, 2, 3}, models::Miller{1, 2, 3},
                                 models::Miller{1, 2, 4}));
  EXPECT_EQ(a.plus[1], 10);
  EXPECT_EQ(a.sigma_plus[1], 1);
  EXPECT_EQ(a.minus[1], 12);
  EXPECT_EQ(a.sigma_minus[1], 2);
  EXPECT_TRUE(std::isnan(a.plus[2]) && std::isnan(a.sigma_plus[2]));
  EXPECT_EQ(a.sigma_minus[2], 0.5);
  EXPECT_EQ(a.plus[0], 30); // centric: both are what there is
  EXPECT_EQ(a.sigma_minus[0], 3);
  const auto single = read_amplitudes_mtz(folder_ / "f.mtz", "IMEAN");
  EXPECT_NEAR(single.plus[1], 10.4, 1e-5);
  EXPECT_NEAR(single.sigma_plus[1], std::sqrt(0.8), 1e-5) << "from that of the intensity";
  EXPECT_EQ(single.sigma_plus[1], single.sigma_minus[1]);
}

TEST_F(FactorsFile, ErrorsAreExchangedWithTheirMatesAndAveraged) {
  MergedMtz merged;
  merged.cell = sample().cell;
  merged.space_group = sample().space_group;
  for (const models::Miller& hkl : {models::Miller{-1, -2, -3}, models::Miller{1, 2, 3}})
    merged.reflections.push_back({.hkl = hkl,
                                  .has_plus = true,
                                  .has_minus = true,
                                  .i_plus = 100,
                                  .sigma_plus = 3,
                                  .i_minus = 400,
                                  .sigma_minus = 4});
  write_merged_mtz(merged, folder_ / "m.mtz");
  const auto a = read_amplitudes_mtz(folder_ / "m.mtz");
  ASSERT_EQ(a.hkl.size(), 1u);
  // Mean of 100 +- 3 and 400 +- 4, both ways round: 250 +- 2.5.
  for (const auto* sigma : {&a.sigma_plus, &a.sigma_minus})
    EXPECT_NEAR((*sigma)[0], 2.5 / (2 * std::sqrt(250.0)), 1e-12);
}

TEST_F(FactorsFile, WhatCannotBeIsRefused) {
  auto data = sample();
  data.rows[0].hkl = {-1, -2, -3};
  EXPECT_THAT(error_of(data), HasSubstr("-1 -2 -3"));
  data = sample();
  data.rows[1].hkl = data.rows[0].hkl;
  EXPECT_THAT(error_of(data), HasSubstr("twice"));
  data = sample();
  data.rows[0].plus.sigma = 0;
  EXPECT_THAT(error_of(data), HasSubstr("sigma 0"));
  data.rows[0].plus = {-1, 1};
  EXPECT_THAT(error_of(data), HasSubstr("amplitude -1"));
  data.rows[0].plus = {1, nan};
  EXPECT_THAT(error_of(data), HasSubstr("sigma nan"));
  data = sample();
  data.history.assign(31, "x");
  EXPECT_THAT(error_of(data), HasSubstr("31 history lines"));
}

} // namespace
} // namespace kilobragg::io
