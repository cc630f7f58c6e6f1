// From the covariance of each shot's parameters to the variance of every F that it measures.
#include "kilobragg/pixelrefinement/factor_errors.hpp"

#include "kernels/geometry/small_solve.hpp"

#include "kilobragg/parallel/fixed_point_sum.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::pixelrefinement {
namespace {

/// Sums over a box for the plane c + a x + b y that is fitted along with F.
struct PlaneCoupling {
  double information = 0; ///< sum w (2 k)^2
  double m[9] = {};       ///< sum w phi phi^T, phi = (1, x, y)
  double v[3] = {};       ///< sum w (2 k) phi

  void add(double w, double k, double x, double y) {
    const double phi[3] = {1, x, y};
    information += 4 * w * k * k;
    for (int i = 0; i < 3; ++i) {
      v[i] += 2 * w * k * phi[i];
      for (int j = 0; j < 3; ++j) m[3 * i + j] += w * phi[i] * phi[j];
    }
  }
  /// The information I of ln F falls to I - loss where the plane is free, which is an added variance of
  /// 1/(I - loss) - 1/I; returned times I^2.
  double variance() const {
    constexpr double most = 0.95; // of the information
    double solved[3] = {v[0], v[1], v[2]}, copy[9];
    std::copy(std::begin(m), std::end(m), copy);
    if (!solve_symmetric(copy, 3, 3, solved)) return 0;
    const double loss =
        std::min(most * information, v[0] * solved[0] + v[1] * solved[1] + v[2] * solved[2]);
    return information * loss / (information - loss);
  }
};

/// c^T M^-1 c; 0 where M is not positive definite.
double quadratic(std::vector<double> m, const std::vector<double>& c) {
  std::vector<double> solved = c;
  const auto n = static_cast<int>(c.size());
  if (!solve_symmetric(m.data(), n, n, solved.data())) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < c.size(); ++i) sum += c[i] * solved[i];
  return std::max(0.0, sum);
}

} // namespace

std::vector<FactorError> factor_errors(const ShotModel& shot, const ShotPixels& pixels,
                                       const FactorTable& table, const FactorSphere& sphere,
                                       const Stage1Params& params) {
  const ParameterSpace space(shot, params.rules);
  const std::vector<double> x = space.start();
  const ShotReflections near = reflections_near(shot, sphere, 0);
  ShotTarget target(space, pixels, table, near, params.target);
  const diffraction::ShoeboxImage image = target.model(x);
  const std::vector<double> m = target.information(x, image);
  const std::size_t n = space.size(), stride = image.photons.size();
  std::vector<FactorError> result;
  std::size_t at = 0; // of the box in the image
  for (const ReflectionBox& box : pixels.boxes) {
    if (box.state != BoxState::Used) continue;
    const std::size_t begin = at;
    at += box.box.size();
    const std::int32_t row = table.row_of(box.hkl);
    if (row < 0) continue;
    std::vector<double> c(n);
    PlaneCoupling plane;
    const int width = box.box.x1 - box.box.x0;
    for (std::size_t i = 0; i < box.box.size(); ++i) {
      const std::size_t pixel = box.first + i;
      const double k = image.photons[begin + i], noise = double(pixels.readout_of(pixel));
      if (pixels.used[pixel] == 0) continue;
      const double information = fit_pixel(params.target.likelihood, double(pixels.value[pixel]),
                                           double(pixels.background[pixel]) + k, noise)
                                     .information;
      const int row_of_box = static_cast<int>(i) / width, column = static_cast<int>(i) % width;
      plane.add(information, k, column, row_of_box);
      if (k == 0) continue;
      const double weight = 2 * k * information;
      for (std::size_t q = 0; q < n; ++q)
        c[q] += weight * image.derivatives[q * stride + begin + i];
    }
    const double background = plane.information > 0 ? plane.variance() : 0;
    result.push_back({row, quadratic(m, c) + background});
  }
  return result;
}

std::vector<double> model_variances(const parallel::Communicator& communicator,
                                    std::span<const std::vector<FactorError>> shots,
                                    std::span<const std::uint8_t> on,
                                    std::span<const double> information, std::size_t rows) {
  // A box adds at most 1 (ln F is known to a factor e), in steps of 2^-40.
  constexpr double largest = 1, steps = 1099511627776.0;
  std::vector<std::int64_t> sums(rows);
  for (std::size_t i = 0; i < shots.size(); ++i) {
    if (on[i] == 0) continue;
    for (const FactorError& box : shots[i]) {
      const auto row = static_cast<std::size_t>(box.row);
      const double variance = box.variance / (information[row] * information[row]);
      if (!(variance >= 0)) continue;
      sums[row] += parallel::to_fixed_point(std::min(largest, variance), steps);
    }
  }
  communicator.all_sum(std::span(sums));
  std::vector<double> result;
  result.reserve(sums.size());
  for (const std::int64_t sum : sums) result.push_back(double(sum) / steps);
  return result;
}

} // namespace kilobragg::pixelrefinement
