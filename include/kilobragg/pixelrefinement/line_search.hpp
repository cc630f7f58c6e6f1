// Finds a step along a direction that lowers a function enough: More and Thuente's search.
#pragma once

namespace kilobragg::pixelrefinement {

struct LineSearchParams {
  double decrease = 1e-4; ///< f(step) <= f(0) + decrease * step * slope(0)
  double curvature = 0.9; ///< |slope(step)| <= curvature * |slope(0)|
  double smallest = 1e-20, largest = 1e20;
  double width = 1e-16; ///< relative width of a bracket that is not divided any more
  int max_evaluations = 20;
};

enum class SearchStatus {
  Evaluate,  ///< wants f and slope at `step`
  Found,     ///< `step` obeys both conditions (strong Wolfe)
  AtLargest, ///< `step` is the largest allowed and lowers f enough; f still falls there
  Failed,    ///< `step` is the best found, which may be 0
};

/// A point of the line: step, value and slope there.
struct LinePoint {
  double step = 0, f = 0, slope = 0;
};

/// A search in hand, plain data.
struct LineSearch {
  SearchStatus status = SearchStatus::Evaluate;
  double step = 1;
  LinePoint start, best, other; ///< best and other are the ends of the interval of uncertainty
  bool bracketed = false, first_stage = true;
  double low = 0, high = 0; ///< bounds of the next step
  double width = 0, width_before = 0, largest = 0;
  int evaluations = 0;
};

/// Begins where f and its slope (< 0) are known, with a first step to try.
LineSearch start_search(double f, double slope, double step, const LineSearchParams& params = {});

/// Takes f and slope at `search.step`. More & Thuente (1994), ACM Trans. Math. Softw. 20, 286: while no
/// minimum is bracketed the search is for f(step) - f(0) - decrease step slope(0), and steps come from
/// cubic and quadratic interpolation with safeguards. Values that are not finite bound the step.
void advance_search(LineSearch& search, double f, double slope,
                    const LineSearchParams& params = {});

} // namespace kilobragg::pixelrefinement
