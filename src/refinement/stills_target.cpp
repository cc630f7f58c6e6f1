// Residuals of x, y and delta-psi and their derivatives with respect to orientation and strain.
#include "kilobragg/refinement/stills_target.hpp"

#include "kernels/geometry/leaning_ray.hpp"
#include "kernels/geometry/small_solve.hpp"

#include <limits>

namespace kilobragg::refinement {
namespace {

using Row = std::array<double, max_parameters>;

struct Residuals {
  double value[3];  ///< x, y, delta-psi
  Vec3 gradient[3]; ///< with respect to q
  bool valid = false;
};

Residuals residuals(const StillsObservation& o, const Vec3& q, const Vec3& s0) {
  Residuals r;
  const StillsRayDerivatives d = leaning_ray_derivatives(q, s0, o.lean);
  if (!d.ray.valid) return r;
  const Vec3 v = o.inverse_d * d.ray.s1;
  if (!(v.z > 0)) return r;
  const double x = v.x / v.z, y = v.y / v.z;
  const Vec3 dx = (o.inverse_d.row(0) - x * o.inverse_d.row(2)) / v.z;
  const Vec3 dy = (o.inverse_d.row(1) - y * o.inverse_d.row(2)) / v.z;
  const Mat3 to_q = transpose(d.ds1_dq);
  r.value[0] = x - o.x, r.value[1] = y - o.y, r.value[2] = d.ray.delta_psi;
  r.gradient[0] = to_q * dx, r.gradient[1] = to_q * dy, r.gradient[2] = d.ddelta_psi_dq;
  r.valid = true;
  return r;
}

/// Adds one weighted residual with its derivatives to gradient and upper triangle.
void add(NormalEquations& sums, const Row& row, double residual, double weight) {
  const int n = sums.parameters;
  for (int i = 0; i < n; ++i) {
    const double scaled = weight * row[i];
    sums.gradient[i] += scaled * residual;
    for (int j = i; j < n; ++j) sums.hessian[max_parameters * i + j] += scaled * row[j];
  }
}

} // namespace

NormalEquations normal_equations(std::span<const StillsObservation> observations, const Mat3& a,
                                 const std::vector<Mat3>& strains, const Vec3& s0) {
  NormalEquations sums;
  sums.parameters = 3 + static_cast<int>(strains.size());
  double squares[3] = {0, 0, 0};
  for (const StillsObservation& o : observations) {
    const Vec3 q = a * o.hkl;
    const Residuals r = residuals(o, q, s0);
    if (!r.valid) {
      sums.target = std::numeric_limits<double>::infinity();
      return sums;
    }
    std::array<Vec3, 6> strained;
    for (std::size_t k = 0; k < strains.size(); ++k) strained[k] = strains[k] * q;
    const double weights[3] = {o.weight_x, o.weight_y, o.weight_psi};
    for (int i = 0; i < 3; ++i) {
      const Vec3& g = r.gradient[i];
      const Vec3 turn = cross(q, g); // g . (w x q) = w . (q x g)
      Row row{turn.x, turn.y, turn.z};
      for (std::size_t k = 0; k < strains.size(); ++k) row[3 + k] = dot(g, strained[k]);
      add(sums, row, r.value[i], weights[i]);
      squares[i] += r.value[i] * r.value[i];
      sums.target += weights[i] * r.value[i] * r.value[i];
    }
  }
  for (int i = 0; i < 3; ++i)
    sums.rmsd[i] = std::sqrt(squares[i] / static_cast<double>(observations.size()));
  for (int i = 0; i < sums.parameters; ++i)
    for (int j = 0; j < i; ++j)
      sums.hessian[max_parameters * i + j] = sums.hessian[max_parameters * j + i];
  return sums;
}

Mat3 deformed(const Mat3& a, const std::vector<Mat3>& strains, std::span<const double> parameters) {
  Mat3 strain = Mat3::identity();
  for (std::size_t k = 0; k < strains.size(); ++k) strain = strain + parameters[3 + k] * strains[k];
  return rotation_by({parameters[0], parameters[1], parameters[2]}) * strain * a;
}

} // namespace kilobragg::refinement
