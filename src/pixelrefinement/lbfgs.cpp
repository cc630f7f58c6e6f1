// The two loops over the history, and what happens between searches.
#include "kilobragg/pixelrefinement/lbfgs.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::pixelrefinement {
namespace {

/// a += factor * b.
void add_scaled(std::vector<double>& a, double factor, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
}

std::vector<double> difference(std::span<const double> a, std::span<const double> b) {
  std::vector<double> result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] - b[i];
  return result;
}

/// v becomes H0^-1 v with the first guess of the Hessian, before it is scaled.
void precondition(const LbfgsState& state, std::vector<double>& v) {
  if (state.diagonal.empty()) return;
  for (std::size_t i = 0; i < v.size(); ++i) v[i] /= state.diagonal[i];
}

/// -H g: the recursion over the pairs, newest to oldest and back.
std::vector<double> search_direction(const LbfgsState& state, const DotProduct& dot) {
  std::vector<double> q = state.g;
  const std::size_t pairs = state.s.size();
  std::vector<double> alpha(pairs);
  for (std::size_t i = pairs; i-- > 0;) {
    alpha[i] = dot(state.s[i], q) / state.s_y[i];
    add_scaled(q, -alpha[i], state.y[i]);
  }
  precondition(state, q);
  if (pairs > 0) {
    std::vector<double> guess = state.y.back();
    precondition(state, guess);
    const double scale = state.s_y.back() / dot(state.y.back(), guess);
    for (double& v : q) v *= scale;
  }
  for (std::size_t i = 0; i < pairs; ++i)
    add_scaled(q, alpha[i] - dot(state.y[i], q) / state.s_y[i], state.s[i]);
  for (double& v : q) v = -v;
  return q;
}

void forget_pairs(LbfgsState& state) {
  state.s.clear();
  state.y.clear();
  state.s_y.clear();
}

/// Without a diagonal the length of the first step is unknown: 1, or less where the gradient is large.
double first_step(const LbfgsState& state, const DotProduct& dot) {
  if (!state.s.empty() || !state.diagonal.empty()) return 1;
  return std::min(1.0, 1 / std::sqrt(dot(state.g, state.g)));
}

void place_point(LbfgsState& state) {
  state.point = state.x;
  add_scaled(state.point, state.search.step, state.direction);
}

/// A new search from x; along the gradient where the direction leads up, which rounding can make it.
void begin_search(LbfgsState& state, const LbfgsParams& params, const DotProduct& dot) {
  state.direction = search_direction(state, dot);
  double slope = dot(state.direction, state.g);
  if (!(slope < 0)) {
    forget_pairs(state);
    state.direction = search_direction(state, dot);
    slope = dot(state.direction, state.g);
  }
  state.search = start_search(state.f, slope, first_step(state, dot), params.search);
  place_point(state);
}

bool gradient_vanishes(const LbfgsState& state, const LbfgsParams& params, const DotProduct& dot) {
  const double size = std::sqrt(dot(state.x, state.x));
  return std::sqrt(dot(state.g, state.g)) <= params.gradient_tolerance * std::max(1.0, size);
}

void finish(LbfgsState& state, LbfgsStatus status) {
  state.status = status;
  state.point = state.x;
}

void remember(LbfgsState& state, std::vector<double> s, std::vector<double> y,
              const LbfgsParams& params, const DotProduct& dot) {
  const double s_y = dot(s, y);
  if (!(s_y > 1e-10 * std::sqrt(dot(s, s) * dot(y, y)))) return;
  state.s.push_back(std::move(s));
  state.y.push_back(std::move(y));
  state.s_y.push_back(s_y);
  if (static_cast<int>(state.s.size()) <= params.history) return;
  state.s.erase(state.s.begin());
  state.y.erase(state.y.begin());
  state.s_y.erase(state.s_y.begin());
}

/// `point` becomes x.
void accept(LbfgsState& state, double f, std::span<const double> gradient,
            const LbfgsParams& params, const DotProduct& dot) {
  remember(state, difference(state.point, state.x), difference(gradient, state.g), params, dot);
  const double fell = state.f - f;
  state.x = state.point;
  state.f = f;
  state.g.assign(gradient.begin(), gradient.end());
  ++state.iterations;
  if (gradient_vanishes(state, params, dot) ||
      fell <= params.value_tolerance * std::max(1.0, std::abs(f)))
    finish(state, LbfgsStatus::Converged);
  else if (state.iterations >= params.max_iterations)
    finish(state, LbfgsStatus::Limit);
  else
    begin_search(state, params, dot);
}

/// No step of the search obeys both conditions.
void search_failed(LbfgsState& state, const LbfgsParams& params, const DotProduct& dot) {
  if (state.s.empty()) {
    finish(state, LbfgsStatus::Stalled);
    return;
  }
  forget_pairs(state);
  begin_search(state, params, dot);
}

} // namespace

double dot_product(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

LbfgsState start_lbfgs(std::vector<double> x0, std::vector<double> diagonal) {
  core::require(diagonal.empty() || diagonal.size() == x0.size(),
                "a diagonal of {} elements for {} variables", diagonal.size(), x0.size());
  for (const double d : diagonal)
    core::require(d > 0 && std::isfinite(d), "an element {} of a Hessian's diagonal", d);
  LbfgsState state;
  state.point = std::move(x0);
  state.diagonal = std::move(diagonal);
  return state;
}

void advance_lbfgs(LbfgsState& state, double f, std::span<const double> gradient,
                   const LbfgsParams& params, const DotProduct& dot) {
  core::require(state.status == LbfgsStatus::Evaluate, "a minimisation that has ended goes on");
  core::require(gradient.size() == state.point.size(), "a gradient of {} elements for {} variables",
                gradient.size(), state.point.size());
  ++state.evaluations;
  if (state.x.empty()) {
    core::require(std::isfinite(f), "the function is {} where its minimisation starts", f);
    state.x = state.point;
    state.f = f;
    state.g.assign(gradient.begin(), gradient.end());
    if (gradient_vanishes(state, params, dot))
      finish(state, LbfgsStatus::Converged);
    else
      begin_search(state, params, dot);
    return;
  }
  const double slope = dot(gradient, state.direction);
  advance_search(state.search, f, slope, params.search);
  if (state.search.status == SearchStatus::Found)
    accept(state, f, gradient, params, dot);
  else if (state.search.status == SearchStatus::Failed)
    search_failed(state, params, dot);
  else
    place_point(state);
}

} // namespace kilobragg::pixelrefinement
