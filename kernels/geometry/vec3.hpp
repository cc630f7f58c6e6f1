// Three-vectors in double precision, usable on host and device.
#pragma once

#include "kernels/function.hpp"

#include <cmath>

namespace kilobragg {

/// A vector of three doubles; units are those of its use.
struct Vec3 {
  double x = 0, y = 0, z = 0;

  KOKKOS_FUNCTION constexpr double operator[](int i) const { return i == 0 ? x : i == 1 ? y : z; }
  KOKKOS_FUNCTION constexpr double& operator[](int i) { return i == 0 ? x : i == 1 ? y : z; }
  KOKKOS_FUNCTION constexpr Vec3& operator+=(const Vec3& o) {
    x += o.x, y += o.y, z += o.z;
    return *this;
  }
  KOKKOS_FUNCTION constexpr Vec3& operator-=(const Vec3& o) {
    x -= o.x, y -= o.y, z -= o.z;
    return *this;
  }
  KOKKOS_FUNCTION constexpr Vec3& operator*=(double s) {
    x *= s, y *= s, z *= s;
    return *this;
  }
  friend constexpr bool operator==(const Vec3&, const Vec3&) = default;
};

KOKKOS_FUNCTION constexpr Vec3 operator+(Vec3 a, const Vec3& b) { return a += b; }
KOKKOS_FUNCTION constexpr Vec3 operator-(Vec3 a, const Vec3& b) { return a -= b; }
KOKKOS_FUNCTION constexpr Vec3 operator-(const Vec3& a) { return {-a.x, -a.y, -a.z}; }
KOKKOS_FUNCTION constexpr Vec3 operator*(double s, Vec3 a) { return a *= s; }
KOKKOS_FUNCTION constexpr Vec3 operator*(Vec3 a, double s) { return a *= s; }
KOKKOS_FUNCTION constexpr Vec3 operator/(Vec3 a, double s) { return a *= 1.0 / s; }

KOKKOS_FUNCTION constexpr double dot(const Vec3& a, const Vec3& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
KOKKOS_FUNCTION constexpr Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
KOKKOS_FUNCTION constexpr double norm2(const Vec3& a) { return dot(a, a); }
KOKKOS_FUNCTION inline double norm(const Vec3& a) { return std::sqrt(norm2(a)); }
/// a / |a|; the zero vector has no direction and gives NaN.
KOKKOS_FUNCTION inline Vec3 unit(const Vec3& a) { return a / norm(a); }

} // namespace kilobragg
