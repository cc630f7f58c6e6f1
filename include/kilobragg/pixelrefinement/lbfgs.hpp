// Minimises a function of many variables from its values and gradients: L-BFGS.
#pragma once

#include "kilobragg/pixelrefinement/line_search.hpp"

#include <functional>
#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

struct LbfgsParams {
  int history = 10;                 ///< pairs of steps and gradient changes that are kept
  double gradient_tolerance = 1e-6; ///< converged where |g| <= this * max(1, |x|)
  double value_tolerance = 0; ///< ... or an iteration lowers f by no more than this * max(1, |f|)
  int max_iterations = 1000;
  LineSearchParams search;
};

enum class LbfgsStatus {
  Evaluate,  ///< wants f and its gradient at `point`
  Converged, ///< by either tolerance
  Stalled,   ///< no lower point along the gradient: f is as low as its rounding errors allow
  Limit,     ///< max_iterations
};

/// Everything that the minimiser knows: plain data, so that a copy written to disk goes on bit for bit.
struct LbfgsState {
  LbfgsStatus status = LbfgsStatus::Evaluate;
  std::vector<double> point; ///< where f is wanted; at the end, the best point
  int iterations = 0, evaluations = 0;
  double f = 0;                  ///< at x
  std::vector<double> x, g;      ///< best point so far and the gradient there
  std::vector<double> direction; ///< of the search in hand
  LineSearch search;
  std::vector<double> diagonal;       ///< of a first guess of the Hessian, positive; empty = 1
  std::vector<std::vector<double>> s; ///< steps, the oldest first
  std::vector<std::vector<double>> y; ///< changes of the gradient
  std::vector<double> s_y;            ///< products
};

/// Products of vectors, the only operation over all elements: where they are spread over ranks it sums
/// over the ranks, in a way that does not depend on their number.
using DotProduct = std::function<double(std::span<const double>, std::span<const double>)>;
/// Element after element.
double dot_product(std::span<const double> a, std::span<const double> b);

/// Starts at x0. A diagonal close to that of the Hessian (Fisher information) makes the first step the
/// right length and later ones fewer.
LbfgsState start_lbfgs(std::vector<double> x0, std::vector<double> diagonal = {});

/// Takes f and its gradient at `state.point` and moves on: Nocedal & Wright (2006), algorithms 7.4 and
/// 7.5, the first guess of the Hessian scaled by (s y) / (y H0^-1 y). A value that is not finite shortens
/// the step. Pairs with s y <= 1e-10 |s| |y| are not kept. Where a search fails the memory is dropped
/// and it goes on along the gradient, once.
void advance_lbfgs(LbfgsState& state, double f, std::span<const double> gradient,
                   const LbfgsParams& params = {}, const DotProduct& dot = dot_product);

} // namespace kilobragg::pixelrefinement
