// Stage 1: starting scale, whitened L-BFGS, outlying pixels, states of shots that fail.
#include "kilobragg/pixelrefinement/refine_shot.hpp"

#include "kilobragg/pixelrefinement/lbfgs.hpp"

#include <algorithm>
#include <cmath>
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

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// How far pixels are from the model, in standard deviations.
struct Residuals {
  double sum = 0; ///< of squares
  std::size_t count = 0;
  double deviation() const { return count == 0 ? 0 : std::sqrt(sum / double(count)); }
};

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

Residuals residuals(const ShotPixels& pixels, const std::vector<double>& bragg) {
  Residuals r;
  for_each_z(pixels, bragg, [&](std::size_t, std::size_t, double z) {
    r.sum += z * z;
    ++r.count;
  });
  return r;
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
    const double middle = median(z);
    for (const double value : z) away.push_back(std::abs(value - middle));
    const double deviation = std::max(1.0, 1.4826 * median(away));
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

Descent descend(ShotTarget& target, const ParameterSpace& space, const Stage1Params& params,
                int max_evaluations) {
  const std::size_t n = space.size();
  Descent result;
  result.x = space.start();
  const std::vector<double> l = cholesky(target.information(result.x), n);
  if (l.empty()) {
    result.state = ShotState::Singular;
    return result;
  }
  // y = L^T (x - x0): the information in y is the unit matrix, and df/dy = L^-1 df/dx.
  const std::vector<double> x0 = result.x;
  const auto to_x = [&](const std::vector<double>& y) {
    std::vector<double> x = y;
    solve_backward(l, n, x);
    for (std::size_t i = 0; i < n; ++i) x[i] += x0[i];
    return x;
  };
  LbfgsParams lbfgs;
  lbfgs.gradient_tolerance = 0;
  lbfgs.max_iterations = max_evaluations;
  LbfgsState state = start_lbfgs(std::vector<double>(n, 0.0));
  std::vector<double> gradient(n);
  while (state.status == LbfgsStatus::Evaluate && state.evaluations < max_evaluations) {
    const double f = target.evaluate(to_x(state.point), gradient);
    if (state.evaluations == 0 && !std::isfinite(f)) {
      result.state = ShotState::NotFinite;
      return result;
    }
    solve_forward(l, n, gradient);
    advance_lbfgs(state, f, gradient, lbfgs);
    // |g|^2 / 2 is what a quadratic of unit curvature could still gain.
    if (squared_length(state.g) < 2 * params.tolerance) break;
  }
  result.x = to_x(state.x);
  result.f = state.f;
  result.evaluations = state.evaluations;
  const bool converged = squared_length(state.g) < 2 * params.tolerance ||
                         state.status == LbfgsStatus::Converged ||
                         state.status == LbfgsStatus::Stalled;
  result.state = converged ? ShotState::Refined : ShotState::Limit;
  return result;
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
  ParameterRules fixed = params.rules;
  for (ParameterRule* rule : {&fixed.scale, &fixed.rotation, &fixed.cell, &fixed.size,
                              &fixed.size_off_diagonal, &fixed.spread})
    rule->fixed = true;
  const ParameterSpace space(shot, fixed);
  ShotTargetParams exact = params.target;
  exact.free_intensities = false;
  const ShotReflections near = reflections_near(shot, sphere, params.slack);
  ShotTarget target(space, pixels, table, near, exact);
  const ShotImage image = target.image(space.start());
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
  if (result.boxes < static_cast<std::size_t>(params.min_boxes)) {
    shot.state = ShotState::NoPixels;
    return result;
  }
  const ParameterSpace space(shot, params.rules);
  const ShotReflections near = reflections_near(shot, sphere, params.slack);
  {
    ShotTarget first(space, pixels, table, near, params.target);
    result.outliers = drop_outliers(pixels, first.image(space.start()).bragg, 2 * params.outlier_z);
  }
  ShotTarget target(space, pixels, table, near, params.target);
  Descent descent = descend(target, space, params, params.max_evaluations);
  result.evaluations = descent.evaluations;
  result.f = descent.f;
  shot.state = descent.state;
  if (shot.state != ShotState::Refined && shot.state != ShotState::Limit) return result;
  const ShotImage image = target.image(descent.x);
  result.outliers += drop_outliers(pixels, image.bragg, params.outlier_z);
  const Residuals free = residuals(pixels, image.bragg);
  result.sigma_z = free.deviation();
  result.pixels = free.count;
  if (!std::isfinite(result.sigma_z)) {
    shot.state = ShotState::NotFinite;
    return result;
  }
  if (result.sigma_z > params.max_sigma_z) {
    shot.state = ShotState::BadFit;
    return result;
  }
  ShotTargetParams exact = params.target;
  exact.free_intensities = false;
  result.sigma_z_known =
      residuals(pixels, ShotTarget(space, pixels, table, near, exact).image(descent.x).bragg)
          .deviation();
  result.parameters = list_parameters(target, space, descent.x);
  const ShotState state = shot.state;
  shot = space.model(descent.x);
  shot.state = state;
  return result;
}

} // namespace kilobragg::pixelrefinement
