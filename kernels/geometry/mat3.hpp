// 3x3 matrices in double precision, row-major, usable on host and device.
#pragma once

#include "kernels/geometry/vec3.hpp"

namespace kilobragg {

/// A 3x3 matrix, row-major: m[3*row + column].
struct Mat3 {
  double m[9] = {0, 0, 0, 0, 0, 0, 0, 0, 0};

  KOKKOS_FUNCTION constexpr double operator()(int row, int col) const { return m[3 * row + col]; }
  KOKKOS_FUNCTION constexpr double& operator()(int row, int col) { return m[3 * row + col]; }
  KOKKOS_FUNCTION constexpr Vec3 row(int i) const { return {m[3 * i], m[3 * i + 1], m[3 * i + 2]}; }
  KOKKOS_FUNCTION constexpr Vec3 col(int i) const { return {m[i], m[3 + i], m[6 + i]}; }
  friend constexpr bool operator==(const Mat3&, const Mat3&) = default;

  KOKKOS_FUNCTION static constexpr Mat3 identity() { return {{1, 0, 0, 0, 1, 0, 0, 0, 1}}; }
  KOKKOS_FUNCTION static constexpr Mat3 from_rows(const Vec3& a, const Vec3& b, const Vec3& c) {
    return {{a.x, a.y, a.z, b.x, b.y, b.z, c.x, c.y, c.z}};
  }
  KOKKOS_FUNCTION static constexpr Mat3 from_columns(const Vec3& a, const Vec3& b, const Vec3& c) {
    return {{a.x, b.x, c.x, a.y, b.y, c.y, a.z, b.z, c.z}};
  }
};

KOKKOS_FUNCTION constexpr Vec3 operator*(const Mat3& a, const Vec3& v) {
  return {dot(a.row(0), v), dot(a.row(1), v), dot(a.row(2), v)};
}
KOKKOS_FUNCTION constexpr Mat3 operator*(const Mat3& a, const Mat3& b) {
  Mat3 c;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) c(i, j) = dot(a.row(i), b.col(j));
  return c;
}
KOKKOS_FUNCTION constexpr Mat3 operator*(double s, Mat3 a) {
  for (double& v : a.m) v *= s;
  return a;
}
KOKKOS_FUNCTION constexpr Mat3 operator+(Mat3 a, const Mat3& b) {
  for (int i = 0; i < 9; ++i) a.m[i] += b.m[i];
  return a;
}
KOKKOS_FUNCTION constexpr Mat3 operator-(Mat3 a, const Mat3& b) {
  for (int i = 0; i < 9; ++i) a.m[i] -= b.m[i];
  return a;
}
KOKKOS_FUNCTION constexpr Mat3 transpose(const Mat3& a) {
  return Mat3::from_rows(a.col(0), a.col(1), a.col(2));
}
KOKKOS_FUNCTION constexpr double trace(const Mat3& a) { return a(0, 0) + a(1, 1) + a(2, 2); }
KOKKOS_FUNCTION constexpr double determinant(const Mat3& a) {
  return dot(a.row(0), cross(a.row(1), a.row(2)));
}
/// Inverse by cofactors; a singular matrix gives infinities, which callers that can meet one test.
KOKKOS_FUNCTION constexpr Mat3 inverse(const Mat3& a) {
  const Vec3 bc = cross(a.row(1), a.row(2)), ca = cross(a.row(2), a.row(0)),
             ab = cross(a.row(0), a.row(1));
  return (1.0 / dot(a.row(0), bc)) * Mat3::from_columns(bc, ca, ab);
}
/// Rotation by `angle` (rad, right-handed) about the unit vector `axis` (Rodrigues).
KOKKOS_FUNCTION inline Mat3 rotation_about(const Vec3& axis, double angle) {
  const double c = std::cos(angle), s = std::sin(angle), t = 1 - c;
  const auto [x, y, z] = axis;
  return {{t * x * x + c, t * x * y - s * z, t * x * z + s * y, t * x * y + s * z, t * y * y + c,
           t * y * z - s * x, t * x * z - s * y, t * y * z + s * x, t * z * z + c}};
}

/// The rotation by the least angle that takes the unit vector `from` to the unit vector `to`.
KOKKOS_FUNCTION inline Mat3 least_rotation(const Vec3& from, const Vec3& to) {
  const Vec3 axis = cross(from, to);
  const double sine = norm(axis), cosine = dot(from, to);
  if (sine > 1e-12) return rotation_about(axis / sine, std::atan2(sine, cosine));
  if (cosine > 0) return Mat3::identity();
  const Vec3 other = std::abs(from.x) < 0.9 ? Vec3{1, 0, 0} : Vec3{0, 1, 0};
  return rotation_about(unit(cross(from, other)), 3.14159265358979323846);
}

} // namespace kilobragg
