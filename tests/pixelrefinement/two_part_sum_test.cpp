// Sums in two parts against sums of integers, and the logarithm of a product against that of its factors.
#include "kernels/pixelrefinement/pixel_sums.hpp"
#include "kernels/pixelrefinement/two_part_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace kilobragg::pixelrefinement {
namespace {

TEST(TwoPartSum, AnyOrderGivesTheSameBitsAndNothingIsLost) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> exponent(-10, 12);
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i)
    values.push_back((i % 2 == 0 ? 1 : -1) * std::pow(10, exponent(random)));
  for (int i = 0; i < 1000; ++i) values.push_back(-values[std::size_t(i)]);
  values.push_back(1e-9);
  const SumRange range = sum_range(std::int64_t(values.size()));
  TwoPartSum first;
  for (const double v : values) ASSERT_TRUE(first.add(v, range));
  EXPECT_NEAR(first.value(range), 1e-9, 2 / range.scale);
  std::shuffle(values.begin(), values.end(), random);
  TwoPartSum second;
  for (const double v : values) second.add(v, range);
  EXPECT_EQ(first.whole, second.whole);
  EXPECT_EQ(first.fraction, second.fraction);
}

TEST(TwoPartSum, TheLargestAddendsAllowedDoNotOverflow) {
  for (const std::int64_t count : {1, 2, 3, 1000, 1 << 20}) {
    const SumRange range = sum_range(count);
    for (const double sign : {1.0, -1.0})
      for (const double v : {range.largest, std::floor(range.largest / 2) + 0.499999999}) {
        TwoPartSum one;
        ASSERT_TRUE(one.add(sign * v, range));
        std::int64_t product = 0;
        EXPECT_FALSE(__builtin_mul_overflow(one.whole, count, &product));
        EXPECT_FALSE(__builtin_mul_overflow(one.fraction, count, &product));
      }
  }
}

TEST(TwoPartSum, RefusesWhatIsTooLargeOrNoNumber) {
  const SumRange range = sum_range(100);
  TwoPartSum sum;
  for (const double v :
       {2 * range.largest, -2 * range.largest, std::numeric_limits<double>::infinity(),
        std::numeric_limits<double>::quiet_NaN()})
    EXPECT_FALSE(sum.add(v, range));
  EXPECT_EQ(sum.value(range), 0);
}

template <typename T>
void expect_log_of_product() {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> exponent(-138, 138);
  LogProduct<T> product;
  double sum = 0, size = 0;
  for (int i = 0; i < 400; ++i) {
    T v{};
    for (int j = 0; j < lanes<T>; ++j) {
      const double e = exponent(random);
      diffraction::set_lane(v, j, std::exp(e));
      sum += e, size += std::abs(e);
    }
    product.multiply(v);
    if (i % 5 == 4) product.settle();
  }
  EXPECT_NEAR(product.total(), sum, 1e-14 * size);
}
TEST(LogProduct, IsTheSumOfLogarithms) {
  expect_log_of_product<double>();
  expect_log_of_product<diffraction::Wide>();
}

} // namespace
} // namespace kilobragg::pixelrefinement
