// Launches over vectors against plain loops, on the host's way and on a GPU's.
#include "kernels/pixelrefinement/vectors.hpp"

#include "kilobragg/parallel/exact_sum.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace kilobragg::pixelrefinement {
namespace {

/// Values whose sizes differ by tens of orders of magnitude.
std::vector<double> numbers(unsigned seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, 1), size(0, 20);
  std::vector<double> values(count);
  for (auto& value : values) value = normal(random) * std::exp(size(random));
  return values;
}

std::vector<double> elements(const DeviceVector& vector) {
  std::vector<double> host(vector.extent(0));
  to_host(vector, std::span(host));
  return host;
}

TEST(Vectors, ElementByElement) {
  const std::size_t n = 1000;
  const auto a = numbers(1, n), b = numbers(2, n);
  const DeviceVector x = to_device(a), y = to_device(b), z = device_array<double>(n);
  move_along(z, x, 0.3, y);
  std::vector<double> expected(n);
  for (std::size_t i = 0; i < n; ++i) expected[i] = a[i] + 0.3 * b[i];
  EXPECT_EQ(elements(z), expected);
  add_scaled(z, -2, x);
  for (std::size_t i = 0; i < n; ++i) expected[i] += -2 * a[i];
  EXPECT_EQ(elements(z), expected);
  subtract_from(z, y);
  for (std::size_t i = 0; i < n; ++i) expected[i] = b[i] - expected[i];
  EXPECT_EQ(elements(z), expected);
  scale(z, -0.7);
  for (auto& e : expected) e *= -0.7;
  EXPECT_EQ(elements(z), expected);
  divide(z, y);
  for (std::size_t i = 0; i < n; ++i) expected[i] /= b[i];
  EXPECT_EQ(elements(z), expected);
}

TEST(Vectors, LargestMagnitude) {
  EXPECT_EQ(largest_magnitude(to_device(std::vector<double>{1, -5, 3})), 5);
  EXPECT_EQ(largest_magnitude(to_device(std::vector<double>{-1e-300})), 1e-300);
  EXPECT_EQ(largest_magnitude(DeviceVector()), 0);
}

TEST(Vectors, ProductsOfStretches) {
  const auto columns = device_array<std::int64_t>(exact_limbs * std::size_t(sums_at_once()));
  const auto limbs = device_array<std::int64_t>(2 * exact_limbs);
  for (const std::size_t n : {std::size_t(10), std::size_t(30000)}) {
    const auto a = numbers(3, n), b = numbers(4, n);
    const auto k = static_cast<std::int64_t>(n);
    const Stretches stretches{k / 5, k / 3, k - k / 4, k / 4};
    sum_products(to_device(a), to_device(b), stretches, columns, limbs, exact_limbs);
    std::vector<std::int64_t> host(2 * exact_limbs);
    to_host(limbs, std::span(host));
    parallel::ExactSum sum, expected;
    sum.add_limbs(std::span(host).last<exact_limbs>(), stretches.size());
    for (std::int64_t i = 0; i < k; ++i)
      if ((i >= k / 5 && i < k / 5 + k / 3) || i >= k - k / 4)
        expected.add_product(a[std::size_t(i)], b[std::size_t(i)]);
    EXPECT_EQ(sum.value(), expected.value());
    EXPECT_NE(sum.value(), 0);
  }
}

} // namespace
} // namespace kilobragg::pixelrefinement
