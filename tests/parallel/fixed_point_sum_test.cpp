// Order cannot change a fixed-point sum, and overflow is said instead of wrapped.
#include "kilobragg/parallel/fixed_point_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace kilobragg::parallel {
namespace {

TEST(FixedPointSum, OrderDoesNotMatter) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(0, 1e6);
  std::vector<double> values(10000);
  for (auto& value : values) value = normal(random);
  FixedPointSum forward(0x1p20), backward(0x1p20), parts(0x1p20);
  for (const double value : values) forward.add(value);
  std::reverse(values.begin(), values.end());
  for (const double value : values) backward.add(value);
  FixedPointSum half(0x1p20);
  for (std::size_t i = 0; i < values.size(); ++i) (i % 3 == 0 ? half : parts).add(values[i]);
  parts.add(half);
  EXPECT_EQ(forward.total(), backward.total());
  EXPECT_EQ(forward.total(), parts.total());
  double plain = 0;
  for (const double value : values) plain += value;
  EXPECT_NEAR(forward.value(), plain, 1e-2);
}

TEST(FixedPointSum, SaysOverflow) {
  FixedPointSum sum(1.0, "sum of intensities");
  sum.add(0x1p61);
  sum.add(0x1p61);
  sum.add(0x1p61);
  try {
    sum.add(0x1p61);
    FAIL() << "no overflow seen";
  } catch (const core::Error& error) {
    EXPECT_NE(std::string(error.what()).find("sum of intensities"), std::string::npos);
  }
  EXPECT_THROW(sum.add(0x1p63), core::Error);
  EXPECT_THROW(sum.add(std::nan("")), core::Error);
}

TEST(FixedPointSum, RefusesAnotherScale) {
  FixedPointSum a(1), b(2);
  EXPECT_THROW(a.add(b), core::Error);
}

} // namespace
} // namespace kilobragg::parallel
