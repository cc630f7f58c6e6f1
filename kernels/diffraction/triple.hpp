// Vectors whose components are lanes.
#pragma once

#include "kernels/diffraction/wide.hpp"
#include "kernels/geometry/mat3.hpp"

namespace kilobragg::diffraction {

/// A vector of each lane.
template <typename T>
struct Triple {
  T x{}, y{}, z{};
};
template <typename T>
KOKKOS_FUNCTION inline T dot(const Triple<T>& a, const Vec3& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
template <typename T>
KOKKOS_FUNCTION inline T dot(const Triple<T>& a, const Triple<T>& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
/// a + s b.
template <typename T>
KOKKOS_FUNCTION inline Triple<T> sum_of(const Triple<T>& a, const T& s, const Vec3& b) {
  return {a.x + s * b.x, a.y + s * b.y, a.z + s * b.z};
}
template <typename T>
KOKKOS_FUNCTION inline Triple<T> sum_of(const Triple<T>& a, const T& s, const Triple<T>& b) {
  return {a.x + s * b.x, a.y + s * b.y, a.z + s * b.z};
}
template <typename T>
KOKKOS_FUNCTION inline Triple<T> product(const Mat3& m, const Triple<T>& v) {
  return {m(0, 0) * v.x + m(0, 1) * v.y + m(0, 2) * v.z,
          m(1, 0) * v.x + m(1, 1) * v.y + m(1, 2) * v.z,
          m(2, 0) * v.x + m(2, 1) * v.y + m(2, 2) * v.z};
}

} // namespace kilobragg::diffraction
