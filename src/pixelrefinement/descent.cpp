// Runs of whitened L-BFGS, each in the metric of where it begins.
#include "descent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace kilobragg::pixelrefinement {
namespace {

void solve_backward(const std::vector<double>& l, std::size_t n, std::span<double> b) {
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= l[k * n + i] * b[k];
    b[i] /= l[i * n + i];
  }
}

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::vector<double> unwhitened(const std::vector<double>& l, const std::vector<double>& x0,
                               std::vector<double> y) {
  solve_backward(l, x0.size(), y);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += x0[i];
  return y;
}

} // namespace

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

void solve_forward(const std::vector<double>& l, std::size_t n, std::span<double> b) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= l[i * n + k] * b[k];
    b[i] /= l[i * n + i];
  }
}

Descent::Descent(ShotTarget& target, const Stage1Params& params, std::vector<double> x,
                 int evaluations)
    : target_(target)
    , params_(params)
    , x_(std::move(x))
    , point_(x_)
    , evaluations_(evaluations) {
  lbfgs_.gradient_tolerance = 0;
  lbfgs_.max_iterations = params.max_evaluations;
}

void Descent::take(const diffraction::ShoeboxView& light) {
  if (begins_) begin_run(light);
  if (!finished_) evaluate(light);
}

void Descent::begin_run(const diffraction::ShoeboxView& light) {
  begins_ = false;
  x0_ = x_;
  const std::size_t n = x0_.size();
  std::vector<double> metric = target_.information(x0_, light);
  if (evaluations_ == 0 && cholesky(metric, n).empty()) return fail(ShotState::Singular);
  // A parameter at its limit has next to no information left: its x is not to leap by more than about
  // 0.3, a tenth of the way between the limits.
  constexpr double least_information = 10;
  for (std::size_t i = 0; i < n; ++i) metric[i * n + i] += least_information;
  l_ = cholesky(metric, n);
  if (l_.empty()) return fail(ShotState::NotFinite);
  constexpr int most_in_a_metric = 15;
  last_ = std::min(params_.max_evaluations, evaluations_ + most_in_a_metric);
  search_ = start_lbfgs(std::vector<double>(n, 0.0), std::vector<double>(n, 1.0));
}

void Descent::evaluate(const diffraction::ShoeboxView& light) {
  std::vector<double> gradient(x0_.size());
  double f = target_.evaluate(point_, light, gradient);
  ++evaluations_;
  if (!all_finite(gradient)) f = std::numeric_limits<double>::quiet_NaN();
  if (search_.evaluations == 0 && !std::isfinite(f)) return fail(ShotState::NotFinite);
  solve_forward(l_, x0_.size(), gradient);
  advance_lbfgs(search_, f, gradient, lbfgs_);
  if (search_.status != LbfgsStatus::Evaluate || evaluations_ >= last_ || converged())
    end_run();
  else
    point_ = unwhitened(l_, x0_, search_.point);
}

/// |g|^2 / 2 is what a quadratic of unit curvature could still gain.
bool Descent::converged() const {
  return std::inner_product(search_.g.begin(), search_.g.end(), search_.g.begin(), 0.0) <
         2 * params_.tolerance;
}

void Descent::end_run() {
  x_ = point_ = unwhitened(l_, x0_, search_.x);
  f_ = search_.f;
  const bool done = converged() || search_.status == LbfgsStatus::Converged ||
                    search_.status == LbfgsStatus::Stalled;
  state_ = done ? ShotState::Refined : ShotState::Limit;
  finished_ = evaluations_ >= params_.max_evaluations || evaluations_ <= 1 || (done && confirms_);
  confirms_ = done;
  begins_ = true;
}

/// What a run before found stays.
void Descent::fail(ShotState state) {
  finished_ = true;
  if (state_ == ShotState::Fresh) state_ = state;
}

} // namespace kilobragg::pixelrefinement
