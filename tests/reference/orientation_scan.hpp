// Brute force: every orientation of a cell on a grid, scored by how many vectors it indexes.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace kilobragg::reference {

/// Vectors within `tolerance` of an index of A.
inline int count_indexed(const Mat3& a, const std::vector<Vec3>& q, double tolerance) {
  const Mat3 to_index = inverse(a);
  int hits = 0;
  for (const Vec3& v : q) {
    const Vec3 f = to_index * v;
    const Vec3 d{f.x - std::round(f.x), f.y - std::round(f.y), f.z - std::round(f.z)};
    hits += norm(d) < tolerance;
  }
  return hits;
}

/// The orientation with most hits on a grid of Euler angles (z, y, z) with `step` (rad).
inline Mat3 scan_orientations(const Mat3& b, const std::vector<Vec3>& q, double tolerance,
                              double step) {
  const double pi = 3.14159265358979;
  Mat3 best = b;
  int most = -1;
  for (double beta = 0; beta <= pi; beta += step) {
    const int alphas = std::max(1, int(2 * pi * std::sin(beta) / step));
    for (int i = 0; i < alphas; ++i) {
      const Mat3 tilt =
          rotation_about({0, 0, 1}, 2 * pi * i / alphas) * rotation_about({0, 1, 0}, beta);
      for (double gamma = 0; gamma < 2 * pi; gamma += step) {
        const Mat3 a = tilt * rotation_about({0, 0, 1}, gamma) * b;
        const int hits = count_indexed(a, q, tolerance);
        if (hits > most) most = hits, best = a;
      }
    }
  }
  return best;
}

} // namespace kilobragg::reference
