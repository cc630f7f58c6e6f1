// Crystal matrices: cells, orientations and how far two orientations are apart.
#include "kilobragg/models/crystal.hpp"

#include "kilobragg/core/units.hpp"

#include <Eigen/SVD>

#include <algorithm>
#include <cmath>

namespace kilobragg::models {
namespace {

double angle_deg(const Vec3& a, const Vec3& b) {
  return std::atan2(norm(cross(a, b)), dot(a, b)) / core::degree;
}

/// Angle (deg) of the rotation in the polar decomposition of m.
double rotation_angle_deg(const Mat3& m) {
  using RowMajor = Eigen::Matrix<double, 3, 3, Eigen::RowMajor>;
  const Eigen::Matrix3d matrix = Eigen::Map<const RowMajor>(m.m);
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(matrix, Eigen::ComputeFullU | Eigen::ComputeFullV);
  const Eigen::Matrix3d r = svd.matrixU() * svd.matrixV().transpose();
  // The antisymmetric part keeps small angles accurate, where the trace alone would not.
  const Eigen::Vector3d axis(r(2, 1) - r(1, 2), r(0, 2) - r(2, 0), r(1, 0) - r(0, 1));
  return std::atan2(axis.norm(), r.trace() - 1) / core::degree;
}

/// The change of A under h' = h R: q = A h = (A R^-T) h'. Over a group, R^T runs through the same set.
Mat3 reindexed(const Mat3& a, const std::array<int, 9>& r) {
  Mat3 transposed;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) transposed(i, j) = r[static_cast<std::size_t>(3 * j + i)];
  return a * transposed;
}

} // namespace

Crystal Crystal::from_cell(const UnitCell& cell, const Mat3& u, const SpaceGroup& group) {
  return {u * cell.b_matrix(), group, std::nullopt};
}

Crystal Crystal::from_real_space(const Vec3& a, const Vec3& b, const Vec3& c,
                                 const SpaceGroup& group) {
  return {inverse(Mat3::from_rows(a, b, c)), group, std::nullopt};
}

UnitCell Crystal::unit_cell() const {
  const Mat3 axes = real_space();
  const Vec3 a = axes.row(0), b = axes.row(1), c = axes.row(2);
  return {norm(a), norm(b), norm(c), angle_deg(b, c), angle_deg(a, c), angle_deg(a, b)};
}

Mat3 Crystal::u_matrix() const { return a_matrix * inverse(unit_cell().b_matrix()); }

double misorientation_deg(const Mat3& a1, const Mat3& a2,
                          const std::vector<std::array<int, 9>>& rotations) {
  double smallest = 180;
  for (const auto& r : rotations)
    smallest = std::min(smallest, rotation_angle_deg(a1 * inverse(reindexed(a2, r))));
  return smallest;
}

} // namespace kilobragg::models
