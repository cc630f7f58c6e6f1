// Small symmetric systems by LDL^T and the rotation nearest to a 3x3 matrix, the same on any machine.
#pragma once

#include "kernels/geometry/mat3.hpp"

namespace kilobragg {

/// Solves M x = b in place for a symmetric positive definite M of size n (row-major, rows `stride`
/// apart; only the lower triangle is read, and it is overwritten). b becomes x. Returns false, with
/// b undefined, if a pivot is not positive. No library does the sums, so that the result does not
/// depend on the vector width of the machine.
KOKKOS_FUNCTION inline bool solve_symmetric(double* m, int n, int stride, double* b) {
  for (int j = 0; j < n; ++j) {
    double pivot = m[stride * j + j];
    for (int k = 0; k < j; ++k) pivot -= m[stride * j + k] * m[stride * j + k] * m[stride * k + k];
    if (!(pivot > 0)) return false;
    m[stride * j + j] = pivot;
    for (int i = j + 1; i < n; ++i) {
      double sum = m[stride * i + j];
      for (int k = 0; k < j; ++k) sum -= m[stride * i + k] * m[stride * j + k] * m[stride * k + k];
      m[stride * i + j] = sum / pivot;
    }
  }
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < i; ++k) b[i] -= m[stride * i + k] * b[k];
  for (int i = 0; i < n; ++i) b[i] /= m[stride * i + i];
  for (int i = n - 1; i >= 0; --i)
    for (int k = i + 1; k < n; ++k) b[i] -= m[stride * k + i] * b[k];
  return true;
}

/// Orthogonal factor Q of the polar decomposition m = Q P, P positive definite, by Newton's iteration
/// Q <- (Q + Q^-T) / 2 scaled by the determinant (Higham 1986). m must not be singular.
KOKKOS_FUNCTION inline Mat3 polar_rotation(const Mat3& m) {
  Mat3 q = (1.0 / std::cbrt(std::abs(determinant(m)))) * m;
  for (int iteration = 0; iteration < 30; ++iteration) {
    const Mat3 next = 0.5 * (q + transpose(inverse(q)));
    double change = 0;
    for (int i = 0; i < 9; ++i) change += std::abs(next.m[i] - q.m[i]);
    q = next;
    if (!(change > 1e-15)) break;
  }
  return q;
}

/// Rotation by the vector w: about its direction, by its length (rad).
KOKKOS_FUNCTION inline Mat3 rotation_by(const Vec3& w) {
  const double angle = norm(w);
  return angle > 0 ? rotation_about(w / angle, angle) : Mat3::identity();
}

/// Upper triangular B with B^T B = metric (symmetric, positive definite).
KOKKOS_FUNCTION inline Mat3 upper_root(const Mat3& metric) {
  Mat3 b;
  b(0, 0) = std::sqrt(metric(0, 0));
  b(0, 1) = metric(0, 1) / b(0, 0);
  b(0, 2) = metric(0, 2) / b(0, 0);
  b(1, 1) = std::sqrt(metric(1, 1) - b(0, 1) * b(0, 1));
  b(1, 2) = (metric(1, 2) - b(0, 1) * b(0, 2)) / b(1, 1);
  b(2, 2) = std::sqrt(metric(2, 2) - b(0, 2) * b(0, 2) - b(1, 2) * b(1, 2));
  return b;
}

} // namespace kilobragg
