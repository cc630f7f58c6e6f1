// Exact sums against closed forms, long double and rational cancellation, in any order and on any ranks.
#include "kilobragg/core/error.hpp"
#include "kilobragg/parallel/exact_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace kilobragg::parallel {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double least = std::numeric_limits<double>::denorm_min();
constexpr double largest = std::numeric_limits<double>::max();

double sum_of(const std::vector<double>& values) {
  ExactSum sum;
  for (const double value : values) sum.add(value);
  return sum.value();
}

/// Any double but those that are not finite: all exponents alike.
double any_double(std::mt19937_64& random) {
  const std::uint64_t bits = random();
  const std::uint64_t field = (bits >> 52 & 0x7ff) % 2047;
  return std::bit_cast<double>((bits & ~(std::uint64_t(0x7ff) << 52)) | field << 52);
}

TEST(ExactSum, OneValueComesBack) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    const double value = any_double(random);
    EXPECT_EQ(sum_of({value}), value);
    EXPECT_EQ(sum_of({value, value, -value}), value);
  }
  for (const double value : {0.0, least, -least, largest, -largest, 0x1p-1022, 1.0, -3.0})
    EXPECT_EQ(sum_of({value}), value);
  EXPECT_FALSE(std::signbit(sum_of({-0.0, -0.0})));
}

TEST(ExactSum, RoundsOnceToEven) {
  EXPECT_EQ(sum_of({1, 0x1p-53}), 1);
  EXPECT_EQ(sum_of({1, 0x1p-53, least}), 1 + 0x1p-52);
  EXPECT_EQ(sum_of({-1, -0x1p-53, -least}), -1 - 0x1p-52);
  EXPECT_EQ(sum_of({1, 0x1p-53, -least}), 1);
  EXPECT_EQ(sum_of({1 + 0x1p-52, 0x1p-53}), 1 + 0x1p-51);
  EXPECT_EQ(sum_of({largest, largest, -largest}), largest);
  EXPECT_EQ(sum_of({largest, 0x1p969}), largest); // a quarter of the last place
  EXPECT_EQ(sum_of({largest, 0x1p970}), infinity);
  EXPECT_EQ(sum_of({largest, -0x1p970, 0x1p970}), largest);
  EXPECT_EQ(sum_of({1e300, 1, -1e300}), 1);
}

TEST(ExactSum, TwoValuesAddAsTheProcessorAdds) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 20000; ++i) {
    const double a = any_double(random), b = any_double(random);
    const double near = std::ldexp(a, -int(i % 110));
    EXPECT_EQ(sum_of({a, b}), a + b);
    EXPECT_EQ(sum_of({a, near}), a + near);
    EXPECT_EQ(sum_of({a, -near}), a - near);
  }
}

TEST(ExactSum, AProductIsRoundedAsTheProcessorDoes) {
  std::mt19937_64 random(11);
  int subnormal = 0;
  for (int i = 0; i < 20000; ++i) {
    const double a = any_double(random);
    // Products over the whole range, among them subnormal ones.
    const double b = i % 2 == 0 ? any_double(random) : std::ldexp(1.7 + i * 1e-6, -1060) / a;
    if (!std::isfinite(b)) continue;
    subnormal += std::fpclassify(a * b) == FP_SUBNORMAL;
    ExactSum product, fused;
    product.add_product(a, b);
    EXPECT_EQ(product.value(), a * b);
    fused.add_product(a, b);
    const double c = std::isfinite(a * b) ? -a * b * (1 - 0x1p-50) : 1;
    fused.add(c);
    EXPECT_EQ(fused.value(), std::fma(a, b, c));
  }
  EXPECT_GT(subnormal, 1000);
  ExactSum tiny; // the square of the least number, 2^1000 times too small for a double, is not lost
  tiny.add_product(least, least);
  tiny.add_product(1, 1);
  tiny.add_product(-1, 1 - 0x1p-53);
  tiny.add(-0x1p-53);
  EXPECT_EQ(tiny.value(), 0);
  tiny.add(1.5 * 2 * least);
  tiny.add_product(-least, 0.5); // 2.5 times the least and a trace more
  EXPECT_EQ(tiny.value(), 3 * least);
}

TEST(ExactSum, AgreesWithLongDouble) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(0, 1);
  ExactSum sum;
  long double reference = 0;
  for (int i = 0; i < 100000; ++i) {
    const double a = normal(random), b = normal(random);
    sum.add_product(a, b);
    reference += static_cast<long double>(a) * b;
  }
  EXPECT_NEAR(sum.value(), static_cast<double>(reference), 1e-13);
}

TEST(ExactSum, RemembersWhatIsNotFinite) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(sum_of({1, infinity, -1e300}), infinity);
  EXPECT_EQ(sum_of({1, -infinity}), -infinity);
  EXPECT_TRUE(std::isnan(sum_of({infinity, -infinity})));
  EXPECT_TRUE(std::isnan(sum_of({1, none, infinity})));
  ExactSum product;
  product.add_product(0, infinity);
  EXPECT_TRUE(std::isnan(product.value()));
}

TEST(ExactSum, CarriesWaitForBillionsOfSummands) {
  const std::int64_t count = (std::int64_t(1) << 31) - 1;
  ExactSum many;
  std::array<std::int64_t, exact_limbs> unit{};
  add_exactly(unit, 0x1.fffffffffffffp-1);
  for (auto& limb : unit) limb *= count;
  for (int i = 0; i < 5; ++i) many.add_limbs(unit, count);
  EXPECT_EQ(many.value(), double(5 * static_cast<long double>(0x1.fffffffffffffp-1) * count));
  EXPECT_THROW(many.add_limbs(unit, count + 1), core::Error);
}

TEST(ExactSum, OrderAndRanksDoNotMatter) {
  const auto comm = Communicator::world();
  std::mt19937_64 random(13);
  // Summands of all sizes that nearly cancel: what is left is far below the rounding of any partial sum.
  std::vector<double> values;
  for (int i = 0; i < 3000; ++i) {
    values.push_back(any_double(random) / 4096);
    values.push_back(-values.back());
  }
  for (int i = 1; i <= 100; ++i) values.push_back(1.0 / i);
  const double whole = sum_of(values);
  EXPECT_NEAR(whole, 5.187377517639621, 1e-15); // the 100th harmonic number
  for (int trial = 0; trial < 5; ++trial) {
    std::shuffle(values.begin(), values.end(), random);
    std::vector<ExactSum> sums(2);
    ExactSum other;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (int((i * i + std::size_t(trial)) % std::size_t(comm.size())) != comm.rank()) continue;
      (i % 2 == 0 ? sums[0] : other).add(values[i]);
      sums[1].add_product(values[i], 1);
    }
    sums[0].add(other);
    all_sum(comm, sums);
    EXPECT_EQ(sums[0].value(), whole);
    EXPECT_EQ(sums[1].value(), whole);
  }
  std::vector<ExactSum> bad(1);
  if (comm.is_root()) bad[0].add(infinity);
  all_sum(comm, bad);
  EXPECT_EQ(bad[0].value(), infinity);
}

} // namespace
} // namespace kilobragg::parallel
