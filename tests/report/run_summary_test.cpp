// Sums over stills add up and say so when they do not.
#include "kilobragg/report/run_summary.hpp"

#include <gtest/gtest.h>

namespace kilobragg::report {
namespace {

using models::ExitState;

models::StillResult still(ExitState state, std::size_t reflections = 0) {
  models::StillResult result;
  result.state = state;
  result.spots.spots.resize(20);
  result.seconds[0] = 0.01;
  if (reflections > 0) {
    result.lattices.emplace_back();
    result.lattices[0].reflections.resize(reflections);
    result.lattices[0].lattice.spots.resize(15);
    result.seconds[std::size_t(models::Step::Integrate)] = 0.2;
  }
  return result;
}

RunSummary example() {
  RunSummary summary;
  summary.add(still(ExitState::IntegrateOk, 300));
  summary.add(still(ExitState::IntegrateOk, 100));
  summary.add(still(ExitState::IndexingFailed));
  summary.add(still(ExitState::NotEnoughSpots));
  summary.add(still(ExitState::PreprocessException));
  return summary;
}

TEST(RunSummary, CountsAndRates) {
  const auto summary = example();
  EXPECT_EQ(summary.stills, 5);
  EXPECT_EQ(summary.accounted(), 5);
  EXPECT_EQ(summary.hits(), 3);
  EXPECT_EQ(summary.indexed(), 2);
  EXPECT_EQ(summary.lattices, 2);
  EXPECT_EQ(summary.reflections, 400);
  EXPECT_EQ(summary.indexed_spots, 30);
}

TEST(RunSummary, AddsUpOverRanks) {
  auto twice = example();
  twice.add(example());
  EXPECT_EQ(twice.stills, 10);
  EXPECT_EQ(twice.accounted(), 10);
  EXPECT_EQ(twice.runs[std::size_t(models::Step::Integrate)], 4);
  EXPECT_NEAR(twice.seconds[0], 0.1, 1e-12);
}

TEST(RunSummary, TableStatesTheSum) {
  const auto text = format_summary(example(), 5, 2.0, 3);
  EXPECT_NE(text.find("Summary of 5 inputs on 3 ranks"), std::string::npos) << text;
  EXPECT_NE(text.find("= inputs"), std::string::npos);
  EXPECT_NE(text.find("Hit rate 60.00 % (3 of 5)"), std::string::npos);
  EXPECT_NE(text.find("indexing rate 66.67 % (2 of 3 hits)"), std::string::npos);
  EXPECT_NE(text.find("2.50 images per second"), std::string::npos);
  EXPECT_NE(text.find("integrate 200.0"), std::string::npos);
}

TEST(RunSummary, TableSaysWhenInputsAreMissing) {
  const auto text = format_summary(example(), 6, 2.0, 1);
  EXPECT_NE(text.find("BUT 6 INPUTS"), std::string::npos) << text;
}

} // namespace
} // namespace kilobragg::report
