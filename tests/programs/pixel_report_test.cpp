// Text tables of refinement against pixels: columns line up, numbers are those of the struct.
#include "pixel_report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace kilobragg::programs {
namespace {

using pixelrefinement::FactorStatistics;
using pixelrefinement::FactorStatisticsRow;

merging::ResolutionShells two_shells() {
  return merging::ResolutionShells({.cell = {50, 60, 70, 90, 90, 90},
                                    .space_group = models::SpaceGroup("P 21 21 21"),
                                    .d_min = 3,
                                    .d_max = {},
                                    .n_bins = 2});
}

FactorStatisticsRow filled_row() {
  FactorStatisticsRow row;
  row.possible = 4000;
  row.observed = 3900;
  row.mean_f_over_sigma = 12.345;
  row.halves = 3800;
  row.cc_half = 0.987;
  row.r_split = 0.123;
  row.cc_half_f = 0.991;
  row.r1_half = 0.077;
  row.anomalous_half = {1700, 0.25};
  row.truth = {3850, 0.995, 0.046};
  row.anomalous_truth = {1800, -0.5};
  row.pulls = {3850, -0.01, 1.25, 1.02};
  return row;
}

FactorStatistics sample(bool has_truth) {
  FactorStatistics table;
  table.has_truth = has_truth;
  table.shells = {filled_row(), {}};
  table.total = filled_row();
  table.truth.b_factor = 3.14;
  table.truth.completeness = 0.9;
  return table;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream in(line);
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

TEST(PixelReport, RowsLineUpUnderTheirHeadings) {
  for (const bool has_truth : {false, true}) {
    const auto lines = lines_of(factor_table_text(sample(has_truth), two_shells()));
    const std::size_t width = lines[0].size();
    EXPECT_EQ(lines[0], std::string(width, '-'));
    for (const std::size_t i : {2u, 3u, 4u, 5u, 7u, 8u})
      EXPECT_EQ(lines[i].size(), width) << lines[i];
  }
}

TEST(PixelReport, NumbersAreThoseOfTheTable) {
  const auto lines = lines_of(factor_table_text(sample(true), two_shells()));
  const std::vector<std::string> expected{"1",     "-1.0000", "-",     "3.7798", "[3900/4000]",
                                          "97.5%", "12.35",   "3800",  "98.7%",  "12.3%",
                                          "99.1%", "7.7%",    "25.0%", "3850",   "99.5%",
                                          "4.6%",  "-50.0%",  "-0.01", "1.02",   "1.25"};
  EXPECT_EQ(words_of(lines[4]), expected);
  const auto empty = words_of(lines[5]);
  EXPECT_EQ(std::count(empty.begin(), empty.end(), "--"), 13) << lines[5];
  EXPECT_EQ(words_of(lines[7])[0], "All");
  const std::string text = factor_table_text(sample(true), two_shells());
  EXPECT_NE(text.find("B (3.1 A^2)"), std::string::npos);
  EXPECT_NE(text.find("90.0 %"), std::string::npos);
  EXPECT_EQ(factor_table_text(sample(false), two_shells()).find("truth"), std::string::npos);
}

TEST(PixelReport, TotalsBelowEachOther) {
  const FactorStatistics known = sample(true), unknown = sample(false);
  const auto lines =
      lines_of(factor_comparison_text({{"merged", &known}, {"refined, common indices", &unknown}}));
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[4].size(), lines[5].size());
  EXPECT_EQ(words_of(lines[4])[0], "merged");
  EXPECT_EQ(words_of(lines[5])[3], "[3900/4000]");
}

} // namespace
} // namespace kilobragg::programs
