// The two loops over the history, and what happens between searches, for any kind of vector.
#pragma once

#include "kilobragg/core/error.hpp"
#include "kilobragg/pixelrefinement/lbfgs.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace kilobragg::pixelrefinement {

/// L-BFGS over the vectors of `Vectors`, which has
///     Vector, Pair {const Vector *a, *b};
///     element by element assign(to, from), subtract_from(a, b): a = b - a, add_scaled(a, factor, b):
///     a += factor b, scale(a, factor), divide(a, d): a /= d, move(to, x, step, d): to = x + step d;
///     over all elements largest(v): max |v_i|, and products(pairs): all of them in one message.
template <typename Vectors>
class LbfgsSteps {
public:
  using Vector = typename Vectors::Vector;
  using State = LbfgsStateOf<Vector>;

  LbfgsSteps(State& state, const LbfgsParams& params, Vectors& vectors)
      : state_(state)
      , params_(params)
      , vectors_(vectors) {}

  void advance(double f, const Vector& gradient) {
    core::require(state_.status == LbfgsStatus::Evaluate, "a minimisation that has ended goes on");
    if (++state_.evaluations == 1)
      begin(f, gradient);
    else
      search_on(f, gradient);
  }

private:
  void begin(double f, const Vector& gradient) {
    core::require(std::isfinite(f), "the function is {} where its minimisation starts", f);
    take_over(f, gradient);
    if (gradient_vanishes())
      finish(LbfgsStatus::Converged);
    else
      begin_search();
  }

  void search_on(double f, const Vector& gradient) {
    advance_search(state_.search, f, product(gradient, state_.direction), params_.search);
    switch (state_.search.status) {
    case SearchStatus::Evaluate:
      place_point();
      break;
    case SearchStatus::Found:
    case SearchStatus::AtLargest:
      accept(f, gradient);
      break;
    case SearchStatus::Failed:
      search_failed();
      break;
    }
  }

  /// A new search from x; along the gradient where the direction leads up, which rounding can make it.
  void begin_search() {
    find_direction();
    double slope = product(state_.direction, state_.g);
    if (!(slope < 0)) {
      forget_pairs();
      find_direction();
      slope = product(state_.direction, state_.g);
    }
    LineSearchParams search = params_.search;
    search.largest = std::max(search.smallest, std::min(search.largest, largest_step()));
    state_.search = start_search(state_.f, slope, first_step(), search);
    place_point();
  }

  /// -H g: the recursion over the pairs, newest to oldest and back.
  void find_direction() {
    Vector& q = state_.direction;
    vectors_.assign(q, state_.g);
    const std::size_t pairs = state_.s.size();
    std::vector<double> alpha(pairs);
    for (std::size_t i = pairs; i-- > 0;) {
      alpha[i] = product(state_.s[i], q) / state_.s_y[i];
      vectors_.add_scaled(q, -alpha[i], state_.y[i]);
    }
    precondition(q);
    if (pairs > 0) vectors_.scale(q, state_.inverse_scale);
    for (std::size_t i = 0; i < pairs; ++i) {
      const double beta = product(state_.y[i], q) / state_.s_y[i];
      vectors_.add_scaled(q, alpha[i] - beta, state_.s[i]);
    }
    vectors_.scale(q, -1);
  }

  /// v becomes H0^-1 v with the first guess of the Hessian, before it is scaled.
  void precondition(Vector& v) {
    if (state_.has_diagonal) vectors_.divide(v, state_.diagonal);
  }

  /// Without a diagonal the length of the first step is unknown: 1, or less where the gradient is large.
  double first_step() const {
    if (!state_.s.empty() || state_.has_diagonal) return 1;
    return std::min(1.0, 1 / state_.report.gradient_norm);
  }

  /// Where the variable that moves most has moved by max_step.
  double largest_step() {
    if (std::isinf(params_.max_step)) return params_.max_step;
    return params_.max_step / vectors_.largest(state_.direction);
  }

  void place_point() {
    vectors_.move(state_.point, state_.x, state_.search.step, state_.direction);
  }

  /// `point` becomes x.
  void accept(double f, const Vector& gradient) {
    vectors_.subtract_from(state_.x, state_.point);
    vectors_.subtract_from(state_.g, gradient);
    remember();
    const double fell = state_.f - f;
    ++state_.iterations;
    take_over(f, gradient);
    if (gradient_vanishes() || fell <= params_.value_tolerance * std::max(1.0, std::abs(f)))
      finish(LbfgsStatus::Converged);
    else if (state_.iterations >= params_.max_iterations)
      finish(LbfgsStatus::Limit);
    else
      begin_search();
  }

  /// The step is in x and the change of the gradient in g: becomes a pair, unless it tells nothing.
  void remember() {
    Vector& weighted = state_.direction; // of a search that has ended
    vectors_.assign(weighted, state_.g);
    precondition(weighted);
    const auto [s_y, s_s, y_y, y_weighted] =
        vectors_.products(std::array{Pair{&state_.x, &state_.g}, Pair{&state_.x, &state_.x},
                                     Pair{&state_.g, &state_.g}, Pair{&state_.g, &weighted}});
    if (!(s_y > 1e-10 * std::sqrt(s_s * y_y))) return;
    state_.s.push_back(std::move(state_.x));
    state_.y.push_back(std::move(state_.g));
    state_.s_y.push_back(s_y);
    state_.inverse_scale = s_y / y_weighted;
    state_.x = Vector();
    state_.g = Vector();
    if (static_cast<int>(state_.s.size()) <= params_.history) return;
    state_.x = std::move(state_.s.front()); // its memory is used again
    state_.g = std::move(state_.y.front());
    state_.s.erase(state_.s.begin());
    state_.y.erase(state_.y.begin());
    state_.s_y.erase(state_.s_y.begin());
  }

  void take_over(double f, const Vector& gradient) {
    vectors_.assign(state_.x, state_.point);
    vectors_.assign(state_.g, gradient);
    state_.f = f;
  }

  bool gradient_vanishes() {
    const auto [x_x, g_g] =
        vectors_.products(std::array{Pair{&state_.x, &state_.x}, Pair{&state_.g, &state_.g}});
    const double norm = std::sqrt(g_g);
    core::require(std::isfinite(norm), "a gradient of length {} where the function is {}", norm,
                  state_.f);
    const double step = state_.iterations > 0 ? state_.search.step : 0;
    state_.report = {state_.iterations, state_.evaluations, state_.f, norm, step};
    return norm <= params_.gradient_tolerance * std::max(1.0, std::sqrt(x_x));
  }

  /// No step of the search obeys both conditions.
  void search_failed() {
    if (state_.s.empty()) {
      finish(LbfgsStatus::Stalled);
      return;
    }
    forget_pairs();
    begin_search();
  }

  void forget_pairs() {
    state_.s.clear();
    state_.y.clear();
    state_.s_y.clear();
  }

  void finish(LbfgsStatus status) {
    state_.status = status;
    vectors_.assign(state_.point, state_.x);
  }

  using Pair = typename Vectors::Pair;
  double product(const Vector& a, const Vector& b) {
    return vectors_.products(std::array{Pair{&a, &b}})[0];
  }

  State& state_;
  const LbfgsParams& params_;
  Vectors& vectors_;
};

/// Elements of a Hessian's diagonal are positive.
inline void check_diagonal(std::span<const double> diagonal, std::size_t variables) {
  core::require(diagonal.empty() || diagonal.size() == variables,
                "a diagonal of {} elements for {} variables", diagonal.size(), variables);
  for (const double d : diagonal)
    core::require(d > 0 && std::isfinite(d), "an element {} of a Hessian's diagonal", d);
}

} // namespace kilobragg::pixelrefinement
