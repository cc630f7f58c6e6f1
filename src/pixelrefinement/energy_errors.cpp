// Couplings between energies summed as correlations, and inverted index by index.
#include "kilobragg/pixelrefinement/energy_errors.hpp"

#include "unit_sums.hpp"

#include "kernels/geometry/small_solve.hpp"

#include "kilobragg/core/numbers.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::pixelrefinement {
namespace {

using Square = std::vector<double>; // row-major

/// The place of layers a < b among all pairs.
std::size_t pair_of(std::size_t a, std::size_t b) { return b * (b - 1) / 2 + a; }

/// The inverse of a matrix of correlations; where rounding has left it indefinite, of one with correlations
/// a little smaller.
Square inverse_of(const Square& m, std::size_t n) {
  constexpr double a_little = 0.999;
  constexpr int tries = 700; // to half
  Square inverse(n * n);
  double part = 1;
  for (int attempt = 0; attempt < tries; ++attempt, part *= a_little) {
    bool solved = true;
    for (std::size_t i = 0; i < n && solved; ++i) {
      std::vector<double> copy = m, unit(n);
      for (std::size_t j = 0; j < n * n; ++j)
        if (j % (n + 1) != 0) copy[j] *= part;
      unit[i] = 1;
      const auto size = static_cast<int>(n);
      solved = solve_symmetric(copy.data(), size, size, unit.data());
      std::copy(unit.begin(), unit.end(), inverse.begin() + static_cast<std::ptrdiff_t>(i * n));
    }
    if (solved) return inverse;
  }
  std::fill(inverse.begin(), inverse.end(), 0.0); // not numbers
  for (std::size_t i = 0; i < n; ++i) inverse[i * n + i] = 1;
  return inverse;
}

/// Element a, a of W + W T W.
double variance_of(const Square& w, const Square& t, std::size_t n, std::size_t a) {
  double sum = w[a * n + a];
  for (std::size_t b = 0; b < n; ++b)
    for (std::size_t c = 0; c < n; ++c) sum += w[a * n + b] * t[b * n + c] * w[c * n + a];
  return sum;
}

/// Of every pair of layers and row: information over the root of the product of both, and the covariance of
/// scores over the product.
struct PairSums {
  std::vector<std::int64_t> information, covariance;
};

/// 1 / root of the product of the information of a row at two energies.
double scale_of(std::span<const double> information, std::size_t size, std::size_t row,
                std::size_t a, std::size_t b) {
  return 1 / std::sqrt(information[a * size + row] * information[b * size + row]);
}

/// Collective.
PairSums sum_pairs(const parallel::Communicator& communicator, std::span<const ShotErrors> shots,
                   std::span<const std::uint8_t> on, std::span<const double> information,
                   const FactorTable& table) {
  const std::size_t size = table.layer_size(), pairs = pair_of(0, table.layers());
  PairSums sums{std::vector<std::int64_t>(pairs * size), std::vector<std::int64_t>(pairs * size)};
  for (std::size_t i = 0; i < shots.size(); ++i) {
    if (on[i] == 0) continue;
    for (const EnergyCoupling& c : shots[i].between) {
      const auto row = static_cast<std::size_t>(c.row), a = static_cast<std::size_t>(c.a),
                 b = static_cast<std::size_t>(c.b), at = pair_of(a, b) * size + row;
      const double scale = scale_of(information, size, row, a, b);
      add_unit(sums.information[at], c.information * scale);
      add_unit(sums.covariance[at], c.covariance * core::squared(scale));
    }
  }
  communicator.all_sum(std::span(sums.information));
  communicator.all_sum(std::span(sums.covariance));
  return sums;
}

} // namespace

std::vector<double> energy_variances(const parallel::Communicator& communicator,
                                     std::span<const ShotErrors> shots,
                                     std::span<const std::uint8_t> on,
                                     std::span<const double> information,
                                     std::span<const double> model_variance,
                                     const FactorTable& table, double energy_sigma) {
  const std::size_t layers = table.layers(), size = table.layer_size();
  std::vector<double> result(table.size());
  if (layers == 1) {
    for (std::size_t i = 0; i < size; ++i) result[i] = 1 / information[i] + model_variance[i];
    return result;
  }
  const PairSums sums = sum_pairs(communicator, shots, on, information, table);
  for (std::size_t row = 0; row < size; ++row) {
    Square j(layers * layers), t(layers * layers); // in units of the roots of the information
    for (std::size_t b = 0; b < layers; ++b) {
      const std::size_t i = b * size + row;
      j[b * layers + b] = 1;
      t[b * layers + b] = model_variance[i] * information[i];
      for (std::size_t a = 0; a < b; ++a) {
        const std::size_t at = pair_of(a, b) * size + row;
        const double scale = scale_of(information, size, row, a, b);
        double tie = unit_sum(sums.information[at]);
        if (b == a + 1 && energy_sigma > 0) tie -= scale / core::squared(energy_sigma);
        j[a * layers + b] = j[b * layers + a] = tie;
        const double most = std::sqrt(t[a * layers + a] * t[b * layers + b]);
        t[a * layers + b] = t[b * layers + a] =
            std::clamp(unit_sum(sums.covariance[at]) / scale, -most, most);
      }
    }
    const Square w = inverse_of(j, layers);
    for (std::size_t a = 0; a < layers; ++a)
      result[a * size + row] = variance_of(w, t, layers, a) / information[a * size + row];
  }
  return result;
}

} // namespace kilobragg::pixelrefinement
