// Minimises a function of many variables from its values and gradients: L-BFGS.
#pragma once

#include "kilobragg/pixelrefinement/line_search.hpp"

#include <limits>
#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

struct LbfgsParams {
  int history = 10;                 ///< pairs of steps and gradient changes that are kept
  double gradient_tolerance = 1e-6; ///< converged where |g| <= this * max(1, |x|)
  double value_tolerance = 0; ///< ... or an iteration lowers f by no more than this * max(1, |f|)
  int max_iterations = 1000;
  double max_step =
      std::numeric_limits<double>::infinity(); ///< largest change of a variable in an iteration
  LineSearchParams search;
};

enum class LbfgsStatus {
  Evaluate,  ///< wants f and its gradient at `point`
  Converged, ///< by either tolerance
  Stalled,   ///< no lower point along the gradient: f is as low as its rounding errors allow
  Limit,     ///< max_iterations
};

/// A line of a table of convergence: how things stand at the best point so far.
struct LbfgsReport {
  int iteration = 0, evaluations = 0;
  double f = 0, gradient_norm = 0;
  double step = 0; ///< taken to get here, as a multiple of the search direction
};

/// Everything that the minimiser knows: plain data, so that a copy written to disk goes on bit for bit.
template <typename Vector>
struct LbfgsStateOf {
  LbfgsStatus status = LbfgsStatus::Evaluate;
  Vector point; ///< where f is wanted; at the end, the best point
  int iterations = 0, evaluations = 0;
  double f = 0;     ///< at x
  Vector x, g;      ///< best point so far and the gradient there
  Vector direction; ///< of the search in hand
  LineSearch search;
  bool has_diagonal = false;
  Vector diagonal;         ///< of a first guess of the Hessian, H0, positive; else 1
  std::vector<Vector> s;   ///< steps, the oldest first
  std::vector<Vector> y;   ///< changes of the gradient
  std::vector<double> s_y; ///< products
  double inverse_scale =
      1; ///< of the first guess of the inverse: (s y) / (y H0^-1 y) of the newest pair
  LbfgsReport report;
};

/// Of few variables in one process. Variables spread over ranks: pixelrefinement/spread_lbfgs.hpp.
using LbfgsState = LbfgsStateOf<std::vector<double>>;

/// Starts at x0. A diagonal close to that of the Hessian (Fisher information) makes the first step the
/// right length and later ones fewer. Throws core::Error unless its elements are positive.
LbfgsState start_lbfgs(std::vector<double> x0, std::vector<double> diagonal = {});

/// Takes f and its gradient at `state.point` and moves on: Nocedal & Wright (2006), algorithms 7.4 and
/// 7.5, the first guess of the Hessian scaled by (s y) / (y H0^-1 y). A value that is not finite shortens
/// the step. Pairs with s y <= 1e-10 |s| |y| are not kept. Where a search fails the memory is dropped
/// and it goes on along the gradient, once. Where max_step ends a search, the first Wolfe condition is
/// enough. Throws core::Error if the first value or gradient is not finite.
void advance_lbfgs(LbfgsState& state, double f, std::span<const double> gradient,
                   const LbfgsParams& params = {});

} // namespace kilobragg::pixelrefinement
