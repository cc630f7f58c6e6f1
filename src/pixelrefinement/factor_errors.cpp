// From the covariance of each shot's parameters to the variance of every F that it measures.
#include "kilobragg/pixelrefinement/factor_errors.hpp"

#include "unit_sums.hpp"

#include "kernels/geometry/small_solve.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

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

double dot_of(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// M^-1 c; 0 where M is not positive definite.
std::vector<double> solved_by(std::vector<double> m, std::vector<double> c) {
  const auto n = static_cast<int>(c.size());
  if (!solve_symmetric(m.data(), n, n, c.data())) std::fill(c.begin(), c.end(), 0.0);
  return c;
}

/// The light of a shot and the weight of every pixel of its boxes in use, box after box.
struct WeighedLight {
  diffraction::ShoeboxImage image;         ///< of all F
  std::vector<std::vector<double>> layers; ///< of the F of each layer
  std::vector<double> weight;              ///< information of a photon; 0 = does not count
  std::vector<double> parameters;          ///< information of the shot's parameters
};

/// How the score of ln F by one box moves with the shot's parameters, for the F of one layer.
std::vector<double> score_slope(const WeighedLight& light, std::size_t layer, std::size_t begin,
                                std::size_t end) {
  const std::size_t stride = light.image.photons.size();
  std::vector<double> c(light.image.derivatives.size() / stride);
  for (std::size_t i = begin; i < end; ++i) {
    const double weight = 2 * light.layers[layer][i] * light.weight[i];
    if (weight == 0) continue;
    for (std::size_t q = 0; q < c.size(); ++q)
      c[q] += weight * light.image.derivatives[q * stride + i];
  }
  return c;
}

/// What a plane of background fitted to the same pixels adds to the variance of the score.
double of_plane(const WeighedLight& light, std::size_t layer, std::size_t begin, std::size_t end,
                int width) {
  PlaneCoupling plane;
  for (std::size_t i = begin; i < end; ++i) {
    const int at = static_cast<int>(i - begin), row = at / width;
    if (light.weight[i] > 0)
      plane.add(light.weight[i], light.layers[layer][i], at - row * width, row);
  }
  return plane.information > 0 ? plane.variance() : 0;
}

double information_between(const WeighedLight& light, std::size_t a, std::size_t b,
                           std::size_t begin, std::size_t end) {
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i)
    sum += 4 * light.weight[i] * light.layers[a][i] * light.layers[b][i];
  return sum;
}

WeighedLight weigh(const ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                   const FactorSphere& sphere, const Stage1Params& params) {
  const ParameterSpace space(shot, params.rules);
  const std::vector<double> x = space.start();
  const ShotReflections near = reflections_near(shot, sphere, 0);
  ShotTarget target(space, pixels, table, near, params.target);
  WeighedLight light;
  light.image = target.model(x);
  light.parameters = target.information(x, light.image.of_shot(0));
  light.layers = {light.image.photons};
  if (table.layers() > 1) light.layers = target.layers(x);
  for (const ReflectionBox& box : pixels.boxes)
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      if (box.state != BoxState::Used) break;
      const double m = double(pixels.background[i]) + light.image.photons[light.weight.size()];
      light.weight.push_back(pixels.used[i] != 0
                                 ? fit_pixel(params.target.likelihood, double(pixels.value[i]), m,
                                             double(pixels.readout_of(i)))
                                       .information
                                 : 0);
    }
  return light;
}

/// Adds what a box of the reflection `row` says.
void add_box(const WeighedLight& light, std::int32_t row, std::size_t layer_size, std::size_t begin,
             std::size_t end, int width, ShotErrors& errors) {
  std::vector<std::vector<double>> slopes;
  for (std::size_t b = 0; b < light.layers.size(); ++b) {
    slopes.push_back(score_slope(light, b, begin, end));
    const std::vector<double> solved = solved_by(light.parameters, slopes[b]);
    const double variance = std::max(0.0, dot_of(slopes[b], solved));
    errors.of_f.push_back({static_cast<std::int32_t>(b * layer_size) + row,
                           variance + of_plane(light, b, begin, end, width)});
    for (std::size_t a = 0; a < b; ++a)
      errors.between.push_back({row, static_cast<std::int32_t>(a), static_cast<std::int32_t>(b),
                                information_between(light, a, b, begin, end),
                                dot_of(slopes[a], solved)});
  }
}

} // namespace

ShotErrors factor_errors(const ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                         const FactorSphere& sphere, const Stage1Params& params) {
  const WeighedLight light = weigh(shot, pixels, table, sphere, params);
  ShotErrors errors;
  std::size_t at = 0; // of the box in the light
  for (const ReflectionBox& box : pixels.boxes) {
    if (box.state != BoxState::Used) continue;
    const std::size_t begin = at;
    at += box.box.size();
    const std::int32_t row = table.row_of(box.hkl);
    if (row >= 0)
      add_box(light, row, table.layer_size(), begin, at, box.box.x1 - box.box.x0, errors);
  }
  return errors;
}

std::vector<double> model_variances(const parallel::Communicator& communicator,
                                    std::span<const ShotErrors> shots,
                                    std::span<const std::uint8_t> on,
                                    std::span<const double> information, std::size_t rows) {
  // A box adds at most 1: ln F is known to a factor e.
  std::vector<std::int64_t> sums(rows);
  for (std::size_t i = 0; i < shots.size(); ++i) {
    if (on[i] == 0) continue;
    for (const FactorError& box : shots[i].of_f) {
      const auto row = static_cast<std::size_t>(box.row);
      add_unit(sums[row], box.variance / (information[row] * information[row]));
    }
  }
  communicator.all_sum(std::span(sums));
  std::vector<double> result;
  result.reserve(sums.size());
  for (const std::int64_t sum : sums) result.push_back(unit_sum(sum));
  return result;
}

} // namespace kilobragg::pixelrefinement
