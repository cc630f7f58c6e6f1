// Linear least squares on q - A h with rotation and strain, and the binomial test of its hits.
#include "reciprocal_fit.hpp"

#include "kernels/geometry/small_solve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace kilobragg::indexing {
namespace {

constexpr int max_parameters = 9;
constexpr double cell_sigma = 0.02; ///< how well the known cell is believed (relative)
constexpr double index_sigma = 0.1; ///< expected misfit in indices, sets the weight of that belief
constexpr std::array<double, 4> judged_tolerances{0.1, 0.15, 0.2, 0.3};

/// Nearest primitive index to m q and the squared distance to it.
double nearest_index(const Mat3& m, const Vec3& q, Vec3& index) {
  const Vec3 f = m * q;
  index = {std::nearbyint(f.x), std::nearbyint(f.y), std::nearbyint(f.z)};
  return norm2(f - index);
}

/// One Gauss-Newton step of rotation and strain over the first n points.
Mat3 fit_step(const SortedPoints& points, const KnownCell& known, const Mat3& a, int n,
              double tolerance, const Mat3& start_metric_a) {
  const std::vector<Mat3> strains = known.freedom.strains(a);
  const int size = 3 + static_cast<int>(strains.size());
  const Mat3 to_primitive = known.primitive * inverse(a);
  const Mat3 primitive_a = a * known.to_conventional;
  double m[max_parameters * max_parameters] = {}, g[max_parameters] = {};
  const double tolerance2 = tolerance * tolerance;
  for (int i = 0; i < n; ++i) {
    Vec3 index;
    const double d2 = nearest_index(to_primitive, points.q[i], index);
    if (d2 >= tolerance2) continue;
    const double trust = 1 - d2 / tolerance2, weight = trust * trust;
    const Vec3 q = primitive_a * index, r = points.q[i] - q;
    std::array<Vec3, max_parameters> column{Vec3{0, -q.z, q.y}, Vec3{q.z, 0, -q.x},
                                            Vec3{-q.y, q.x, 0}}; // e_k x q
    for (std::size_t k = 0; k < strains.size(); ++k) column[3 + k] = strains[k] * q;
    for (int j = 0; j < size; ++j) {
      g[j] += weight * dot(column[j], r);
      for (int k = 0; k <= j; ++k) m[max_parameters * j + k] += weight * dot(column[j], column[k]);
    }
  }
  // Belief in the known cell: (index_sigma |a*| / cell_sigma)^2, shared length scale V^(-1/3).
  const double scale = index_sigma * std::cbrt(1 / known.volume) / cell_sigma;
  const Mat3 drift = a * inverse(start_metric_a);
  for (int j = 3; j < size; ++j) {
    double strained = 0; // how far this strain has already gone, from the symmetric part of drift
    for (int u = 0; u < 3; ++u)
      for (int v = 0; v < 3; ++v)
        strained += strains[j - 3](u, v) * (drift(u, v) - (u == v ? 1.0 : 0.0));
    m[max_parameters * j + j] += scale * scale;
    g[j] -= scale * scale * strained;
  }
  double largest = 0;
  for (int j = 0; j < size; ++j) largest = std::max(largest, m[max_parameters * j + j]);
  for (int j = 0; j < size; ++j) m[max_parameters * j + j] += 1e-9 * largest;
  if (!solve_symmetric(m, size, max_parameters, g)) return a;
  Mat3 strain = Mat3::identity();
  for (std::size_t k = 0; k < strains.size(); ++k) strain = strain + g[3 + k] * strains[k];
  return rotation_by({g[0], g[1], g[2]}) * strain * a;
}

/// log of Chernoff's bound on P(at least k of n) for chance p each.
double log_tail(int k, int n, double p) {
  if (n == 0 || k <= n * p) return 0;
  const double f = static_cast<double>(k) / n;
  double divergence = f * std::log(f / p);
  if (f < 1) divergence += (1 - f) * std::log((1 - f) / (1 - p));
  return -n * divergence;
}

} // namespace

SortedPoints::SortedPoints(const std::vector<Vec3>& rlp) {
  q.reserve(rlp.size());
  for (const Vec3& v : rlp)
    if (std::isfinite(v.x + v.y + v.z) && norm2(v) > 0) q.push_back(v);
  std::stable_sort(q.begin(), q.end(),
                   [](const Vec3& a, const Vec3& b) { return norm2(a) < norm2(b); });
  for (const Vec3& v : q) {
    x.push_back(static_cast<float>(v.x));
    y.push_back(static_cast<float>(v.y));
    z.push_back(static_cast<float>(v.z));
  }
}

double SortedPoints::quantile_length(double fraction, int first_n) const {
  const int n = std::min(first_n, size());
  if (n == 0) return 0;
  const int at = std::min(n - 1, static_cast<int>(fraction * n));
  return norm(q[at]);
}

double log_trials(const SortedPoints& points, const KnownCell& known, double tolerance) {
  const double reach = points.quantile_length(0.8, points.size()) * norm(known.axes[2]);
  const double step = tolerance / std::max(reach, 1.0);
  const double orientations =
      8 * std::numbers::pi * std::numbers::pi / static_cast<double>(known.rotations.size());
  return std::max(0.0, std::log(orientations / (step * step * step)));
}

Candidate judge(const SortedPoints& points, const KnownCell& known, const Mat3& a) {
  const Mat3 to_primitive = known.primitive * inverse(a);
  std::array<int, judged_tolerances.size()> hits{};
  for (const Vec3& q : points.q) {
    Vec3 index;
    const double d2 = nearest_index(to_primitive, q, index);
    for (std::size_t t = 0; t < hits.size(); ++t)
      hits[t] += d2 < judged_tolerances[t] * judged_tolerances[t] && norm2(index) > 0;
  }
  Candidate best;
  best.a = a;
  for (std::size_t t = 0; t < hits.size(); ++t) {
    const double tol = judged_tolerances[t];
    const double chance = 4.0 / 3.0 * std::numbers::pi * tol * tol * tol;
    const double log_chance = log_tail(hits[t], points.size(), chance);
    if (log_chance < best.log_chance)
      best.log_chance = log_chance, best.indexed = hits[t], best.tolerance = tol;
  }
  return best;
}

Candidate fit_orientation(const SortedPoints& points, const KnownCell& known, const Mat3& start,
                          int first_n, int last_n) {
  Mat3 a = start;
  // The belief refers to the cell, not to the orientation: it is carried along with the rotation.
  const auto fit = [&](int n, double tolerance) {
    const Mat3 turned = polar_rotation(a * inverse(start)) * start;
    a = fit_step(points, known, a, n, tolerance, turned);
  };
  last_n = std::min(last_n, points.size());
  for (int n = std::min(first_n, last_n);; n = std::min(2 * n, last_n)) {
    for (const double tolerance : {0.35, 0.3, 0.25}) fit(n, tolerance);
    if (n == last_n) break;
  }
  // In a split crystal this settles on the part with most spots, not between the parts.
  if (last_n == points.size())
    for (const double tolerance : {0.2, 0.15, 0.12, 0.1, 0.1}) fit(last_n, tolerance);
  return judge(points, known, known.freedom.symmetrised(a));
}

} // namespace kilobragg::indexing
