// What a minimiser does with long vectors on the device: updates element by element, and products of two.
#pragma once

#include "kernels/device.hpp"
#include "kernels/sums/exact_limbs.hpp"

#include <cmath>

namespace kilobragg::pixelrefinement {

/// Vectors that are used together have equal length.
using DeviceVector = DeviceArray<double>;

inline DeviceRange each_element(const DeviceVector& v) {
  return DeviceRange(0, static_cast<std::int64_t>(v.extent(0)));
}

/// a += factor b.
inline void add_scaled(const DeviceVector& a, double factor, const DeviceVector& b) {
  Kokkos::parallel_for(
      "add scaled", each_element(a),
      KOKKOS_LAMBDA(const std::int64_t i) { a(i) += factor * b(i); });
}

/// a = b - a.
inline void subtract_from(const DeviceVector& a, const DeviceVector& b) {
  Kokkos::parallel_for(
      "subtract from", each_element(a),
      KOKKOS_LAMBDA(const std::int64_t i) { a(i) = b(i) - a(i); });
}

/// to = x + step d.
inline void move_along(const DeviceVector& to, const DeviceVector& x, double step,
                       const DeviceVector& d) {
  Kokkos::parallel_for(
      "move along", each_element(to),
      KOKKOS_LAMBDA(const std::int64_t i) { to(i) = x(i) + step * d(i); });
}

inline void scale(const DeviceVector& a, double factor) {
  Kokkos::parallel_for(
      "scale", each_element(a), KOKKOS_LAMBDA(const std::int64_t i) { a(i) *= factor; });
}

/// a /= d.
inline void divide(const DeviceVector& a, const DeviceVector& d) {
  Kokkos::parallel_for(
      "divide", each_element(a), KOKKOS_LAMBDA(const std::int64_t i) { a(i) /= d(i); });
}

/// max |v_i|, 0 for none.
inline double largest_magnitude(const DeviceVector& v) {
  double most = 0;
  Kokkos::parallel_reduce(
      "largest magnitude", each_element(v),
      KOKKOS_LAMBDA(const std::int64_t i, double& largest) {
        largest = std::fmax(largest, std::fabs(v(i)));
      },
      Kokkos::Max<double>(most));
  return std::fmax(0, most); // the largest of none is minus infinity
}

/// Two stretches of a vector: [first, first + count) and [second, second + second_count).
struct Stretches {
  std::int64_t first = 0, count = 0, second = 0, second_count = 0;

  KOKKOS_FUNCTION std::int64_t size() const { return count + second_count; }
  KOKKOS_FUNCTION std::int64_t element(std::int64_t i) const {
    return i < count ? first + i : second + (i - count);
  }
};

/// The limbs of one of several sums that lie between each other, so that neighbouring work items write to
/// neighbouring memory.
struct LimbColumn {
  std::int64_t* first = nullptr;
  std::int64_t columns = 0;
  KOKKOS_FUNCTION std::int64_t& operator[](int limb) const { return first[limb * columns]; }
};

/// Sums that are made at once: one per thread of the host; on a GPU so many that they hide its latency.
inline std::int64_t sums_at_once() { return on_host ? Device().concurrency() : 8192; }

/// Writes the exact sum of a_i b_i over the stretches, less than 2^31 elements, to
/// limbs[at .. at + exact_limbs). Its bits depend neither on the device nor on the order of its threads.
/// `columns` is memory for exact_limbs * sums_at_once() numbers.
inline void sum_products(const DeviceVector& a, const DeviceVector& b, const Stretches& stretches,
                         const DeviceArray<std::int64_t>& columns,
                         const DeviceArray<std::int64_t>& limbs, std::int64_t at) {
  const std::int64_t width = sums_at_once();
  Kokkos::parallel_for(
      "sum products", DeviceRange(0, width), KOKKOS_LAMBDA(const std::int64_t column) {
        const LimbColumn sum{&columns(column), width};
        for (int limb = 0; limb < exact_limbs; ++limb) sum[limb] = 0;
        for (std::int64_t i = column; i < stretches.size(); i += width) {
          const std::int64_t element = stretches.element(i);
          add_product_exactly(sum, a(element), b(element));
        }
      });
  Kokkos::parallel_for(
      "sum limbs", DeviceRange(0, exact_limbs), KOKKOS_LAMBDA(const std::int64_t limb) {
        std::int64_t sum = 0;
        for (std::int64_t column = 0; column < width; ++column)
          sum += columns(limb * width + column);
        limbs(at + limb) = sum;
      });
}

} // namespace kilobragg::pixelrefinement
