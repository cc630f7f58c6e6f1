// Invariant metrical matrices of a point group, and the strains of A that stay within them.
#include "kilobragg/refinement/cell_freedom.hpp"

#include "kernels/geometry/small_solve.hpp"

namespace kilobragg::refinement {
namespace {

Mat3 as_real(const std::array<int, 9>& rotation) {
  Mat3 r;
  for (int i = 0; i < 9; ++i) r.m[i] = rotation[i];
  return r;
}

/// trace(a b) of symmetric matrices.
double product(const Mat3& a, const Mat3& b) {
  double sum = 0;
  for (int i = 0; i < 9; ++i) sum += a.m[i] * b.m[i];
  return sum;
}

/// Gram and Schmidt, leaving out what earlier matrices already span.
std::vector<Mat3> orthonormal(const std::vector<Mat3>& matrices) {
  std::vector<Mat3> basis;
  for (Mat3 m : matrices) {
    const double before = product(m, m);
    if (before == 0) continue;
    for (const Mat3& b : basis) m = m - product(m, b) * b;
    const double left = product(m, m);
    if (left > 1e-12 * before) basis.push_back((1.0 / std::sqrt(left)) * m);
  }
  return basis;
}

} // namespace

CellFreedom::CellFreedom(const models::SpaceGroup& group)
    : rotations_(group.proper_rotations()) {
  std::vector<Mat3> averages;
  for (int i = 0; i < 3; ++i)
    for (int j = i; j < 3; ++j) {
      Mat3 unit_metric;
      unit_metric(i, j) = unit_metric(j, i) = 1;
      averages.push_back(symmetrised_metric(unit_metric));
    }
  basis_ = orthonormal(averages);
}

Mat3 CellFreedom::symmetrised_metric(const Mat3& metric) const {
  Mat3 sum;
  for (const auto& rotation : rotations_) {
    const Mat3 r = as_real(rotation);
    sum = sum + r * metric * transpose(r);
  }
  return (1.0 / static_cast<double>(rotations_.size())) * sum;
}

Mat3 CellFreedom::symmetrised(const Mat3& a) const {
  const Mat3 b = upper_root(symmetrised_metric(transpose(a) * a));
  return polar_rotation(a * inverse(b)) * b;
}

std::vector<Mat3> CellFreedom::strains(const Mat3& a) const {
  const Mat3 inverse_a = inverse(a);
  std::vector<Mat3> strains;
  strains.reserve(basis_.size());
  for (const Mat3& g : basis_) strains.push_back(transpose(inverse_a) * g * inverse_a);
  return orthonormal(strains);
}

} // namespace kilobragg::refinement
