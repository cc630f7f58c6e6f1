// Functions of eight doubles at once against those of the library.
#include "kernels/diffraction/wide.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace kilobragg::diffraction {
namespace {

TEST(LogOfWide, IsRightToTheLastBits) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-708, 709), near_one(-1e-3, 1e-3),
      usual(0.4, 2.5);
  for (int i = 0; i < 30000; ++i) {
    Wide x{};
    for (int j = 0; j < wide_count; ++j)
      x[j] = i % 3 == 0   ? std::exp(exponent(random))
             : i % 3 == 1 ? 1 + near_one(random)
                          : usual(random);
    const Wide log = log_of(x);
    for (int j = 0; j < wide_count; ++j) {
      const long double exact = std::log(static_cast<long double>(x[j]));
      ASSERT_LE(std::abs(log[j] - exact), 5e-16L * std::abs(exact)) << x[j];
    }
  }
}

TEST(LogOfWide, EndsAndOne) {
  constexpr double low = std::numeric_limits<double>::min(),
                   high = std::numeric_limits<double>::max();
  const Wide log = log_of(Wide{1, low, high, 0.5, 2, 4, 1e-300, 1e300});
  EXPECT_EQ(log[0], 0);
  EXPECT_DOUBLE_EQ(log[1], std::log(low));
  EXPECT_DOUBLE_EQ(log[2], std::log(high));
  EXPECT_DOUBLE_EQ(log[3], -log[4]);
}

TEST(SumOfLanes, CountsEach) {
  EXPECT_EQ(sum_of_lanes(Wide{1, 2, 4, 8, 16, 32, 64, 128}), 255);
  EXPECT_EQ(sum_of_lanes(3.0), 3);
}

} // namespace
} // namespace kilobragg::diffraction
