// Stage 1: starting scale, whitened L-BFGS, outlying pixels, states of shots that fail.
#include "kilobragg/pixelrefinement/refine_shot.hpp"

#include "kilobragg/core/numbers.hpp"
#include "kilobragg/pixelrefinement/lbfgs.hpp"
#include "kilobragg/pixelrefinement/shot_image.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace kilobragg::pixelrefinement {
namespace {

/// Lower triangular L with L L^T = M + ridge, row-major; empty if M is not positive definite.
std::vector<double> cholesky(std::vector<double> m, std::size_t n) {
  constexpr double smallest =
      1e-12; // of a diagonal element: beyond it a parameter is not determined
  for (std::size_t j = 0; j < n; ++j) {
    const double whole = m[j * n + j];
    for (std::size_t k = 0; k < j; ++k) m[j * n + j] -= m[j * n + k] * m[j * n + k];
    if (!(m[j * n + j] > smallest * whole) || !(whole > 0)) return {};
    const double pivot = m[j * n + j] = std::sqrt(m[j * n + j]);
    for (std::size_t i = j + 1; i < n; ++i) {
      for (std::size_t k = 0; k < j; ++k) m[i * n + j] -= m[i * n + k] * m[j * n + k];
      m[i * n + j] /= pivot;
    }
  }
  return m;
}

/// Solves L y = b (forward) or L^T y = b (backward) in place.
void solve_forward(const std::vector<double>& l, std::size_t n, std::span<double> b) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= l[i * n + k] * b[k];
    b[i] /= l[i * n + i];
  }
}
void solve_backward(const std::vector<double>& l, std::size_t n, std::span<double> b) {
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= l[k * n + i] * b[k];
    b[i] /= l[i * n + i];
  }
}

double squared_length(const std::vector<double>& v) {
  return std::inner_product(v.begin(), v.end(), v.begin(), 0.0);
}

/// Calls visit(box, pixel, z) for each pixel that counts.
template <typename Visit>
void for_each_z(const ShotPixels& pixels, const std::vector<double>& bragg, const Visit& visit) {
  for (std::size_t b = 0; b < pixels.boxes.size(); ++b) {
    const ReflectionBox& box = pixels.boxes[b];
    if (box.state != BoxState::Used) continue;
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      if (pixels.used[i] == 0) continue;
      const double m = double(pixels.background[i]) + bragg[i],
                   noise = double(pixels.readout_of(i));
      visit(b, i, (double(pixels.value[i]) - m) / std::sqrt(m + noise * noise));
    }
  }
}

/// z^2 of each pixel that counts.
std::vector<double> squares(const ShotPixels& pixels, const std::vector<double>& bragg) {
  std::vector<double> z2;
  for_each_z(pixels, bragg, [&](std::size_t, std::size_t, double z) { z2.push_back(z * z); });
  return z2;
}

double root_mean(const std::vector<double>& z2) {
  return z2.empty() ? 0 : std::sqrt(std::accumulate(z2.begin(), z2.end(), 0.0) / double(z2.size()));
}

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// The same without the worst thousandth, which a few bad pixels may be: a wrong model is wrong in more.
double typical_deviation(std::vector<double> z2) {
  const auto kept = static_cast<std::ptrdiff_t>(z2.size() - (z2.size() + 999) / 1000);
  std::nth_element(z2.begin(), z2.begin() + kept, z2.end());
  z2.resize(static_cast<std::size_t>(kept));
  return root_mean(z2);
}

/// Marks pixels that outshine whatever the model has to offer anywhere: before a model is refined it may
/// miss spots, so that only they are surely bad. `bragg` with all t = 0.
std::size_t drop_impossible(ShotPixels& pixels, const std::vector<double>& bragg, double limit) {
  constexpr double beyond = 10;
  const double brightest = beyond * *std::max_element(bragg.begin(), bragg.end());
  std::size_t dropped = 0;
  for_each_z(pixels, bragg, [&](std::size_t, std::size_t i, double z) {
    if (z < limit || double(pixels.value[i] - pixels.background[i]) < brightest) return;
    pixels.used[i] = 0;
    ++dropped;
  });
  return dropped;
}

/// Marks pixels that lie apart from the others of their box; returns how many.
std::size_t drop_outliers(ShotPixels& pixels, const std::vector<double>& bragg, double limit) {
  std::vector<std::vector<std::pair<std::size_t, double>>> of_box(pixels.boxes.size());
  for_each_z(pixels, bragg,
             [&](std::size_t b, std::size_t i, double z) { of_box[b].emplace_back(i, z); });
  std::size_t dropped = 0;
  for (const auto& members : of_box) {
    if (members.empty()) continue;
    std::vector<double> z, away;
    for (const auto& [i, value] : members) z.push_back(value);
    const double middle = core::median(z);
    for (const double value : z) away.push_back(std::abs(value - middle));
    const double deviation = std::max(1.0, 1.4826 * core::median(away));
    for (const auto& [i, value] : members) {
      if (std::abs(value - middle) <= limit * deviation) continue;
      pixels.used[i] = 0;
      ++dropped;
    }
  }
  return dropped;
}

std::size_t boxes_in_use(const ShotPixels& pixels) {
  return static_cast<std::size_t>(
      std::count_if(pixels.boxes.begin(), pixels.boxes.end(),
                    [](const ReflectionBox& b) { return b.state == BoxState::Used; }));
}

/// One minimisation; x holds the best point at the end.
struct Descent {
  ShotState state = ShotState::Refined;
  std::vector<double> x;
  double f = 0;
  int evaluations = 0;
};

/// y = L^T (x - x0): the information in y is the unit matrix, and df/dy = L^-1 df/dx.
std::vector<double> unwhitened(const std::vector<double>& l, const std::vector<double>& x0,
                               std::vector<double> y) {
  solve_backward(l, x0.size(), y);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += x0[i];
  return y;
}

/// From `descent.x` on, in the metric there.
void descend(ShotTarget& target, const Stage1Params& params, Descent& descent) {
  const std::vector<double> x0 = descent.x;
  const std::size_t n = x0.size();
  std::vector<double> metric = target.information(x0);
  if (descent.evaluations == 0 && cholesky(metric, n).empty()) {
    descent.state = ShotState::Singular;
    return;
  }
  // A parameter at its limit has next to no information left: its x is not to leap by more than about
  // 0.3, a tenth of the way between the limits.
  constexpr double least_information = 10;
  for (std::size_t i = 0; i < n; ++i) metric[i * n + i] += least_information;
  const std::vector<double> l = cholesky(metric, n);
  if (l.empty()) {
    descent.state = ShotState::NotFinite;
    return;
  }
  constexpr int most_in_a_metric = 15;
  const int last = std::min(params.max_evaluations, descent.evaluations + most_in_a_metric);
  LbfgsParams lbfgs;
  lbfgs.gradient_tolerance = 0;
  lbfgs.max_iterations = params.max_evaluations;
  LbfgsState state = start_lbfgs(std::vector<double>(n, 0.0), std::vector<double>(n, 1.0));
  // |g|^2 / 2 is what a quadratic of unit curvature could still gain.
  const auto converged = [&] { return squared_length(state.g) < 2 * params.tolerance; };
  std::vector<double> gradient(n);
  while (state.status == LbfgsStatus::Evaluate && descent.evaluations < last) {
    double f = target.evaluate(unwhitened(l, x0, state.point), gradient);
    ++descent.evaluations;
    if (!all_finite(gradient)) f = std::numeric_limits<double>::quiet_NaN();
    if (state.evaluations == 0 && !std::isfinite(f)) {
      descent.state = ShotState::NotFinite;
      return;
    }
    solve_forward(l, n, gradient);
    advance_lbfgs(state, f, gradient, lbfgs);
    if (converged()) break;
  }
  descent.x = unwhitened(l, x0, state.x);
  descent.f = state.f;
  const bool done =
      converged() || state.status == LbfgsStatus::Converged || state.status == LbfgsStatus::Stalled;
  descent.state = done ? ShotState::Refined : ShotState::Limit;
}

/// Descends in the metric of where it has got to, again and again, as that of a poor model misleads, and
/// once more after it converged.
void descend_anew(ShotTarget& target, const Stage1Params& params, Descent& descent) {
  descend(target, params, descent);
  bool confirmed = descent.evaluations <= 1;
  while (
      descent.evaluations < params.max_evaluations &&
      (descent.state == ShotState::Limit || (descent.state == ShotState::Refined && !confirmed))) {
    confirmed = descent.state == ShotState::Refined;
    Descent next = descent;
    descend(target, params, next);
    if (next.state != ShotState::Refined && next.state != ShotState::Limit) return;
    descent = next;
  }
}

std::vector<RefinedParameter> list_parameters(ShotTarget& target, const ParameterSpace& space,
                                              const std::vector<double>& x) {
  const std::size_t n = space.size();
  const std::vector<double> l = cholesky(target.information(x), n);
  std::vector<RefinedParameter> list;
  for (std::size_t i = 0; i < n; ++i) {
    RefinedParameter p{space.name(i), space.value(i, x[i]), 0};
    if (!l.empty()) { // element i of the inverse is |L^-1 e_i|^2
      std::vector<double> e(n);
      e[i] = 1;
      solve_forward(l, n, e);
      p.sigma = std::abs(space.slope(i, x[i])) * std::sqrt(squared_length(e));
    }
    list.push_back(p);
  }
  return list;
}

} // namespace

double set_first_scale(ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                       const FactorSphere& sphere, const Stage1Params& params) {
  Stage1Params exact = params;
  exact.target.free_intensities = false;
  const ShotImage image = model_image(shot, pixels, table, sphere, exact);
  double seen = 0, modelled = 0;
  for_each_z(pixels, image.bragg, [&](std::size_t, std::size_t i, double) {
    const double b = double(pixels.background[i]), noise = double(pixels.readout_of(i));
    const double weight = image.bragg[i] / (b + noise * noise);
    seen += weight * (double(pixels.value[i]) - b);
    modelled += weight * image.bragg[i];
  });
  if (!(seen > 0) || !(modelled > 0)) return 0;
  for (diffraction::ShotLattice& lattice : shot.lattices) lattice.scale *= seen / modelled;
  return seen / modelled;
}

Stage1Result refine_shot(ShotModel& shot, ShotPixels& pixels, const FactorTable& table,
                         const FactorSphere& sphere, const Stage1Params& params) {
  Stage1Result result;
  result.boxes = boxes_in_use(pixels);
  const auto end_as = [&](ShotState state) {
    shot.state = state;
    return result;
  };
  if (result.boxes < static_cast<std::size_t>(params.min_boxes)) return end_as(ShotState::NoPixels);
  const ParameterSpace space(shot, params.rules);
  const ShotReflections near = reflections_near(shot, sphere, params.slack);
  ShotTargetParams exact = params.target;
  exact.free_intensities = false;
  const auto known_light = [&](const std::vector<double>& x) {
    return ShotTarget(space, pixels, table, near, exact).image(x).bragg;
  };
  const std::vector<double> first = known_light(space.start());
  if (!all_finite(first) || !all_finite(squares(pixels, first)))
    return end_as(ShotState::NotFinite);
  result.outliers = drop_impossible(pixels, first, 2 * params.outlier_z);
  Descent descent;
  descent.x = space.start();
  ShotTarget target(space, pixels, table, near, params.target);
  descend_anew(target, params, descent);
  result.evaluations = descent.evaluations;
  result.f = descent.f;
  if (descent.state != ShotState::Refined && descent.state != ShotState::Limit)
    return end_as(descent.state);
  const std::vector<double> bragg = target.image(descent.x).bragg, z2 = squares(pixels, bragg);
  result.sigma_z = root_mean(z2);
  result.pixels = z2.size();
  if (!std::isfinite(result.sigma_z)) return end_as(ShotState::NotFinite);
  // A model that explains less than its parameters would by chance explains nothing.
  const bool dark = target.dark() - descent.f < double(space.size());
  if (dark || typical_deviation(z2) > params.max_sigma_z) return end_as(ShotState::BadFit);
  const std::size_t dropped = drop_outliers(pixels, bragg, params.outlier_z);
  result.outliers += dropped;
  ShotTarget last(space, pixels, table, near, params.target);
  if (dropped > 0 && descent.evaluations < params.max_evaluations) {
    Descent again = descent;
    descend_anew(last, params, again);
    if (again.state == ShotState::Refined || again.state == ShotState::Limit) descent = again;
  }
  const std::vector<double> final_z2 = squares(pixels, last.image(descent.x).bragg);
  result.f = descent.f;
  result.evaluations = descent.evaluations;
  result.sigma_z = root_mean(final_z2);
  result.pixels = final_z2.size();
  result.sigma_z_known = root_mean(squares(pixels, known_light(descent.x)));
  result.parameters = list_parameters(last, space, descent.x);
  shot = space.model(descent.x);
  return end_as(descent.state);
}

} // namespace kilobragg::pixelrefinement
