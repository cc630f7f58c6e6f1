// Small dense matrices, as rows, for tests of what is worked out in other ways.
#pragma once

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace kilobragg::testing {

using Matrix = std::vector<std::vector<double>>;

inline Matrix square(std::size_t n) { return Matrix(n, std::vector<double>(n)); }

inline void add_outer(Matrix& m, double weight, const std::vector<double>& v) {
  for (std::size_t i = 0; i < v.size(); ++i)
    for (std::size_t j = 0; j < v.size(); ++j) m[i][j] += weight * v[i] * v[j];
}

/// Gauss and Jordan, with the largest pivot of each column.
inline Matrix inverse_of(Matrix m) {
  const std::size_t n = m.size();
  Matrix inverse = square(n);
  for (std::size_t i = 0; i < n; ++i) inverse[i][i] = 1;
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t best = c;
    for (std::size_t r = c; r < n; ++r)
      if (std::abs(m[r][c]) > std::abs(m[best][c])) best = r;
    std::swap(m[c], m[best]), std::swap(inverse[c], inverse[best]);
    const double pivot = m[c][c];
    for (std::size_t k = 0; k < n; ++k) m[c][k] /= pivot, inverse[c][k] /= pivot;
    for (std::size_t r = 0; r < n; ++r) {
      const double factor = r == c ? 0 : m[r][c];
      for (std::size_t k = 0; k < n; ++k)
        m[r][k] -= factor * m[c][k], inverse[r][k] -= factor * inverse[c][k];
    }
  }
  return inverse;
}

} // namespace kilobragg::testing
