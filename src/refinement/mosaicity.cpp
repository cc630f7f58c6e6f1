// Maximum-likelihood fit of domain size and mosaic spread, and the reciprocal volume that they fill.
#include "kilobragg/refinement/mosaicity.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace kilobragg::refinement {
namespace {

constexpr double widening = 1.4;
constexpr double edge = 10; ///< steepness of the soft edge, in units of the half width
constexpr double alpha_min = 2e-6, alpha_max = 0.2; ///< 2/D (1/angstrom)
constexpr double eta_min = 1e-8, eta_max = 1;       ///< rad

/// What the likelihood needs of each spot.
struct Observations {
  std::vector<double> d, delta_psi; ///< delta_psi as absolute values
};

/// Point in (log alpha, log eta), alpha = 2/D.
using Point = std::array<double, 2>;

/// Negative log-likelihood with gradient and Hessian in (log alpha, log eta).
struct Objective {
  double value = 0;
  Point gradient{};
  double h00 = 0, h01 = 0, h11 = 0;
};

/// -log p of one spot whose half width is psi: log(2 psi) - 2 log(1+e^10) + log(1+e^(10(1+u))) +
/// log(1+e^(10(1-u))), u = |delta_psi| / psi; and its first two derivatives in psi. One exponential
/// serves both terms, since e^(-10(1+u)) = e^-20 e^(10(1-u)) is small enough for a short series.
struct SpotTerm {
  double factor; ///< -log p = log(factor) + rest: factors of several spots share a logarithm
  double rest, first, second;
};
SpotTerm spot_term(double delta_psi, double psi) {
  static const double norm = 2 * std::log1p(std::exp(edge));
  static const double far = std::exp(-2 * edge);
  const double u = delta_psi / psi;
  const double near = std::exp(edge * (1 - u)), t = far * near;
  const double s_near = near / (1 + near), s_far = 1 / (1 + t);
  const double l1 = edge * (s_far - s_near);
  const double l2 = edge * edge * (s_far * (1 - s_far) + s_near * (1 - s_near));
  return {2 * psi * (1 + near), edge * (1 + u) + t - 0.5 * t * t - norm, (1 - l1 * u) / psi,
          (-1 + l2 * u * u + 2 * l1 * u) / (psi * psi)};
}

Objective objective(const Observations& spots, const Point& x) {
  const double alpha = std::exp(x[0]), eta = std::exp(x[1]);
  Objective sum;
  double product = 1; // of at most 8 factors between 1e-6 and 1e6
  for (std::size_t i = 0; i < spots.d.size(); ++i) {
    const double domain = 0.5 * spots.d[i] * alpha, spread = 0.5 * eta;
    const SpotTerm term = spot_term(spots.delta_psi[i], domain + spread);
    product *= term.factor;
    if (i % 8 == 7) {
      sum.value += std::log(product);
      product = 1;
    }
    sum.value += term.rest;
    sum.gradient[0] += term.first * domain;
    sum.gradient[1] += term.first * spread;
    sum.h00 += term.second * domain * domain + term.first * domain;
    sum.h01 += term.second * domain * spread;
    sum.h11 += term.second * spread * spread + term.first * spread;
  }
  sum.value += std::log(product);
  return sum;
}

constexpr std::size_t dimensions = 2;
const Point lower{std::log(alpha_min), std::log(eta_min)};
const Point upper{std::log(alpha_max), std::log(eta_max)};

Point clamped(Point x) {
  for (std::size_t i = 0; i < dimensions; ++i) x[i] = std::clamp(x[i], lower[i], upper[i]);
  return x;
}

/// Step of a damped Newton iteration over the variables that are not held at a bound.
Point newton_step(const Objective& f, const std::array<bool, dimensions>& free, double damping) {
  const auto& g = f.gradient;
  if (!free[1]) return {free[0] ? -g[0] / (std::abs(f.h00) + damping) : 0.0, 0.0};
  if (!free[0]) return {0.0, -g[1] / (std::abs(f.h11) + damping)};
  // Shift so that the smaller eigenvalue is at least the damping.
  const double mean = 0.5 * (f.h00 + f.h11);
  const double smallest = mean - std::hypot(0.5 * (f.h00 - f.h11), f.h01);
  const double shift = std::max(damping, damping - smallest);
  const double a = f.h00 + shift, b = f.h01, c = f.h11 + shift;
  const double det = a * c - b * b;
  return {-(c * g[0] - b * g[1]) / det, -(a * g[1] - b * g[0]) / det};
}

struct Minimum {
  Point x;
  double value;
};

/// Local minimum from one start: damped Newton inside the bounds, each accepted step a descent.
Minimum minimise(const Observations& spots, const Point& start) {
  Point x = clamped(start);
  Objective f = objective(spots, x);
  const double n = static_cast<double>(spots.d.size());
  double damping = 1e-3 * n;
  for (int iteration = 0; iteration < 60 && damping < 1e9 * n; ++iteration) {
    std::array<bool, dimensions> free{};
    double slope = 0;
    for (std::size_t i = 0; i < dimensions; ++i) {
      free[i] =
          !((x[i] <= lower[i] && f.gradient[i] > 0) || (x[i] >= upper[i] && f.gradient[i] < 0));
      if (free[i]) slope = std::max(slope, std::abs(f.gradient[i]));
    }
    if (slope < 1e-7 * n) break;
    Point step = newton_step(f, free, damping);
    const double length = std::hypot(step[0], step[1]);
    if (length > 2) step = {step[0] * 2 / length, step[1] * 2 / length};
    const Point next = clamped({x[0] + step[0], x[1] + step[1]});
    const Objective trial = objective(spots, next);
    if (trial.value < f.value) {
      x = next, f = trial;
      damping = std::max(1e-9 * n, damping * 0.1);
    } else {
      damping *= 8;
    }
  }
  return {x, f.value};
}

/// Straight line max|delta_psi| = d k1 + k2 over bins of equal count along the resolution.
std::array<double, 2> envelope(const Observations& spots) {
  const std::size_t n = spots.d.size();
  const std::size_t bins = std::min({std::max<std::size_t>(3, n / 25), std::size_t{50}, n});
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return spots.d[i] > spots.d[j]; });
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    const std::size_t first = bin * n / bins, last = (bin + 1) * n / bins;
    double x = 0, y = 0;
    for (std::size_t i = first; i < last; ++i) {
      x += spots.d[order[i]] / static_cast<double>(last - first);
      y = std::max(y, spots.delta_psi[order[i]]);
    }
    sx += x, sy += y, sxx += x * x, sxy += x * y;
  }
  const double m = static_cast<double>(bins), det = m * sxx - sx * sx;
  const double slope = det > 0 ? (m * sxy - sx * sy) / det : 0;
  return {slope, (sy - slope * sx) / m};
}

/// Starts: the envelope, and one each in which either cause alone explains the spread.
std::array<Point, 3> starts(const Observations& spots, double cell_volume) {
  const double domain_min = 3 * std::cbrt(cell_volume);
  const auto [slope, offset] = envelope(spots);
  const double domain = slope > 0 ? std::max(0.5 / slope, domain_min) : domain_min;
  double mean_psi = 0, mean_d = 0;
  for (std::size_t i = 0; i < spots.d.size(); ++i) {
    mean_psi += spots.delta_psi[i] / static_cast<double>(spots.d.size());
    mean_d += spots.d[i] / static_cast<double>(spots.d.size());
  }
  // A box of half width w has mean |delta_psi| w/2.
  const double alpha = 4 * mean_psi / mean_d, eta = 4 * mean_psi;
  const auto point = [](double a, double e) {
    return Point{std::log(std::max(a, alpha_min)), std::log(std::max(e, eta_min))};
  };
  return {point(2 / domain, std::abs(2 * offset)), point(alpha, 0.01 * eta),
          point(0.01 * alpha, eta)};
}

double plane_spacing(const models::Lattice& lattice, const models::IndexedSpot& spot) {
  return 1 / norm(lattice.crystal.q(spot.hkl));
}

Observations observations(const models::Lattice& lattice) {
  Observations result;
  for (const models::IndexedSpot& spot : lattice.spots) {
    const double d = plane_spacing(lattice, spot);
    if ((spot.flags & models::flag_used_in_refinement) == 0) continue;
    if (!std::isfinite(spot.delta_psi) || !std::isfinite(d)) continue;
    result.d.push_back(d);
    result.delta_psi.push_back(std::abs(spot.delta_psi));
  }
  return result;
}

models::Mosaicity model_at(const Point& x) {
  return {0.5 * std::exp(x[1]) / core::degree, 2 / std::exp(x[0])};
}

/// Half width of the accepted delta-psi (rad) at spacing d.
double half_width(const models::Mosaicity& model, double d) {
  return d / model.domain_size_angstrom + model.half_mosaicity_deg * core::degree;
}

} // namespace

MosaicityFit fit_mosaicity(const models::Lattice& lattice) {
  const Observations spots = observations(lattice);
  core::require(spots.d.size() >= 4,
                "mosaicity cannot be fitted ({} usable spots, 4 are needed) more spots?",
                spots.d.size());
  const double volume = std::abs(1 / determinant(lattice.crystal.a_matrix));
  Minimum best{{}, std::numeric_limits<double>::infinity()};
  for (const Point& start : starts(spots, volume)) {
    const Minimum found = minimise(spots, start);
    if (found.value < best.value) best = found;
  }
  MosaicityFit fit;
  fit.maximum_likelihood = model_at(best.x);
  fit.mosaicity = {fit.maximum_likelihood.half_mosaicity_deg * widening,
                   fit.maximum_likelihood.domain_size_angstrom / widening};
  for (const models::IndexedSpot& spot : lattice.spots)
    fit.accepted.push_back(std::abs(spot.delta_psi) <
                           half_width(fit.maximum_likelihood, plane_spacing(lattice, spot)));
  return fit;
}

double mosaicity_log_likelihood(std::span<const double> d, std::span<const double> delta_psi,
                                const models::Mosaicity& model) {
  double sum = 0;
  for (std::size_t i = 0; i < d.size(); ++i) {
    const SpotTerm term = spot_term(std::abs(delta_psi[i]), half_width(model, d[i]));
    sum -= std::log(term.factor) + term.rest;
  }
  return sum;
}

double ewald_proximal_volume(const models::Mosaicity& model, double wavelength, double d_min) {
  const double radius = 1 / wavelength;
  const double two_theta = 2 * std::asin(std::min(1.0, 0.5 * wavelength / d_min));
  const double outer = radius + 1 / model.domain_size_angstrom;
  const double eta = 2 * model.half_mosaicity_deg * core::degree;
  const double sector = 2.0 / 3.0 * core::pi;
  const auto cube = [](double r) { return r * r * r; };
  double spread = 0;
  constexpr int steps = 100; // left-edge sum of 100 steps, so that the limit means the same
  for (int i = 0; i < steps; ++i) {
    const double phi = two_theta * i / steps;
    spread += (cube(outer + 0.5 * eta * radius * std::sin(phi)) - cube(outer)) * std::sin(phi) *
              two_theta / steps;
  }
  return sector * ((1 - std::cos(two_theta)) * (cube(outer) - cube(radius)) + spread);
}

} // namespace kilobragg::refinement
