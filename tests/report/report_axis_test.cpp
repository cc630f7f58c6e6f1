// Ticks of axes and bins of histograms: round, complete, few.
#include "kilobragg/report/axis.hpp"
#include "kilobragg/report/histogram.hpp"
#include "kilobragg/report/number_text.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace kilobragg::report {
namespace {

std::vector<std::string> labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> texts;
  for (const Tick& tick : ticks) texts.push_back(tick.label);
  return texts;
}
using Labels = std::vector<std::string>;

TEST(Axis, StepsAreOneTwoFive) {
  EXPECT_DOUBLE_EQ(round_step(0.7), 1);
  EXPECT_DOUBLE_EQ(round_step(1), 1);
  EXPECT_DOUBLE_EQ(round_step(1.1), 2);
  EXPECT_DOUBLE_EQ(round_step(2.1), 5);
  EXPECT_DOUBLE_EQ(round_step(51), 100);
  EXPECT_NEAR(round_step(0.03), 0.05, 1e-12);
}

TEST(Axis, TicksAreRoundAndWithin) {
  EXPECT_EQ(labels(round_ticks(0, 100, 6)), (Labels{"0", "20", "40", "60", "80", "100"}));
  EXPECT_EQ(labels(round_ticks(76.93, 77.21, 6)),
            (Labels{"76.95", "77.00", "77.05", "77.10", "77.15", "77.20"}));
  EXPECT_EQ(labels(round_ticks(-0.3, 0.3, 4)), (Labels{"-0.2", "0.0", "0.2"}));
  EXPECT_EQ(labels(round_ticks(0, 20000, 5)), (Labels{"0", "5000", "10k", "15k", "20k"}));
  EXPECT_EQ(labels(round_ticks(0, 1.2e6, 5)), (Labels{"0", "500k", "1M"}));
}

TEST(Axis, TicksOfRandomRangesAreFewSortedMultiples) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> exponent(-6, 9), fraction(0, 1);
  for (int i = 0; i < 2000; ++i) {
    const double lo = (fraction(random) - 0.5) * std::pow(10, exponent(random));
    const double hi = lo + std::pow(10, exponent(random)) + 1e-6 * std::abs(lo);
    const auto ticks = round_ticks(lo, hi, 6);
    ASSERT_LE(ticks.size(), 6u) << lo << " " << hi;
    ASSERT_GE(ticks.size(), 1u) << lo << " " << hi;
    for (std::size_t j = 0; j < ticks.size(); ++j) {
      ASSERT_GE(ticks[j].at, lo - 1e-6 * (hi - lo));
      ASSERT_LE(ticks[j].at, hi + 1e-6 * (hi - lo));
      if (j > 0) {
        ASSERT_NE(ticks[j].label, ticks[j - 1].label) << lo << " " << hi;
      }
    }
  }
}

TEST(Axis, RangesThatAreNoneAreWidened) {
  for (const double value : {0.0, 5.0, -3.0}) {
    const Axis axis = number_axis(value, value, "x");
    EXPECT_LT(axis.lo, value == 0 ? 1 : value);
    EXPECT_GT(axis.hi, value);
    EXPECT_FALSE(axis.ticks.empty());
  }
  const Axis nothing = number_axis(std::nan(""), std::nan(""), "x");
  EXPECT_LT(nothing.lo, nothing.hi);
}

TEST(Axis, EndsMoveOutToTicks) {
  const Axis axis = round_ends(0, 87, "lattices");
  EXPECT_DOUBLE_EQ(axis.lo, 0);
  EXPECT_DOUBLE_EQ(axis.hi, 100);
  EXPECT_DOUBLE_EQ(axis.ticks.back().at, 100);
}

TEST(Axis, CountsHaveWholeTicks) {
  EXPECT_EQ(labels(count_axis(1.12, "n").ticks), (Labels{"0", "1", "2"}));
  EXPECT_EQ(labels(count_axis(0, "n").ticks), (Labels{"0", "1"}));
  EXPECT_EQ(labels(count_axis(4500, "n").ticks),
            (Labels{"0", "1000", "2000", "3000", "4000", "5000"}));
}

TEST(Axis, TimeHasTheUnitOfItsRange) {
  EXPECT_EQ(time_axis(0, 45, "time").title, "time (s)");
  EXPECT_EQ(time_axis(0, 600, "time").title, "time (min)");
  const Axis hours = time_axis(0, 6 * 3600, "time");
  EXPECT_EQ(hours.title, "time (h)");
  EXPECT_EQ(hours.ticks.back().label, "6");
  EXPECT_DOUBLE_EQ(hours.ticks.back().at, 6 * 3600);
  EXPECT_EQ(time_axis(0, 5 * 86400, "time").title, "time (d)");
}

TEST(Axis, Texts) {
  EXPECT_EQ(with_spaces(1234), "1234");
  EXPECT_EQ(with_spaces(1234567), "1\u202f234\u202f567");
  EXPECT_EQ(with_spaces(-12345), "-12\u202f345");
  EXPECT_EQ(short_count(999'999), "999\u202f999");
  EXPECT_EQ(short_count(3'822'296), "3.82\u00a0M");
  EXPECT_EQ(short_count(1'234'000'000), "1.23\u00a0G");
  EXPECT_EQ(duration_text(0.25), "250 ms");
  EXPECT_EQ(duration_text(2.34), "2.3 s");
  EXPECT_EQ(duration_text(5), "5 s");
  EXPECT_EQ(duration_text(75), "1 min 15 s");
  EXPECT_EQ(duration_text(7200), "2 h");
  EXPECT_EQ(duration_text(90000), "1 d 1 h");
}

TEST(Histogram, CountsEverythingOnce) {
  Histogram histogram;
  histogram.hi = 10;
  histogram.counts.resize(5);
  for (const double value : {-0.1, 0.0, 1.9, 2.0, 10.0, 10.1, std::nan("")}) histogram.add(value);
  EXPECT_EQ(histogram.counts, (std::vector<std::int64_t>{2, 1, 0, 0, 1}));
  EXPECT_EQ(histogram.below, 1);
  EXPECT_EQ(histogram.above, 1);
  EXPECT_EQ(histogram.total(), 6);
  EXPECT_EQ(histogram.smallest, -0.1);
  EXPECT_EQ(histogram.largest, 10.1);
}

TEST(Histogram, BinsAreRoundAndHoldTheBulk) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal(77.06, 0.13);
  std::vector<double> sample(5000);
  for (double& value : sample) value = normal(random);
  sample.push_back(500); // one outlier does not squeeze the others into one bin
  std::sort(sample.begin(), sample.end());
  Histogram histogram = round_histogram(sample, 50);
  EXPECT_LE(histogram.counts.size(), 50u);
  EXPECT_GE(histogram.counts.size(), 20u);
  EXPECT_NEAR(histogram.width(), 0.02, 1e-9);
  EXPECT_NEAR(std::remainder(histogram.lo, histogram.width()), 0, 1e-9);
  for (const double value : sample) histogram.add(value);
  EXPECT_LT(histogram.below + histogram.above, 60);
  EXPECT_EQ(histogram.total(), 5001);
}

TEST(Histogram, OneValueAndNoValue) {
  for (const double value : {0.0, 90.0, -2.0}) {
    Histogram histogram = round_histogram({value, value}, 50);
    histogram.add(value);
    EXPECT_EQ(histogram.below + histogram.above, 0) << value;
    EXPECT_LE(histogram.counts.size(), 50u);
  }
  EXPECT_FALSE(round_histogram({}, 50).counts.empty());
  const auto whole = round_histogram({3, 4, 5, 6}, 50, true);
  EXPECT_DOUBLE_EQ(whole.width(), 1);
}

TEST(Histogram, Quantiles) {
  const std::vector<double> sample{1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(sorted_quantile(sample, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(sorted_quantile(sample, 0), 1);
  EXPECT_DOUBLE_EQ(sorted_quantile(sample, 1), 4);
  EXPECT_TRUE(std::isnan(sorted_quantile({}, 0.5)));
}

} // namespace
} // namespace kilobragg::report
