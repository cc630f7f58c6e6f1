// Steps by interpolation within a shrinking interval.
#include "kilobragg/pixelrefinement/line_search.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::pixelrefinement {
namespace {

/// What the extrema of the cubic through two points and their slopes are made from. With `clip` a cubic
/// without any has a root of 0.
struct Cubic {
  double theta, gamma;

  Cubic(const LinePoint& a, const LinePoint& b, bool clip) {
    theta = 3 * (a.f - b.f) / (b.step - a.step) + a.slope + b.slope;
    const double s = std::max({std::abs(theta), std::abs(a.slope), std::abs(b.slope)});
    const double square = (theta / s) * (theta / s) - (a.slope / s) * (b.slope / s);
    gamma = s * std::sqrt(clip ? std::max(0.0, square) : square);
  }
};

/// f rose: the minimum lies between. The cubic's step if it is nearer to `best` than the parabola's (two
/// values and a slope), else the mean of both.
double step_after_rise(const LinePoint& best, const LinePoint& now) {
  const Cubic cubic(best, now, false);
  const double gamma = now.step < best.step ? -cubic.gamma : cubic.gamma;
  const double r = (gamma - best.slope + cubic.theta) / (gamma - best.slope + gamma + now.slope);
  const double way = now.step - best.step;
  const double by_cubic = best.step + r * way;
  const double by_parabola =
      best.step + best.slope / ((best.f - now.f) / way + best.slope) / 2 * way;
  return std::abs(by_cubic - best.step) < std::abs(by_parabola - best.step)
             ? by_cubic
             : by_cubic + (by_parabola - by_cubic) / 2;
}

/// f fell and the slope changed sign: again between. Of cubic and secant the step further from `now`.
double step_after_turn(const LinePoint& best, const LinePoint& now) {
  const Cubic cubic(best, now, false);
  const double gamma = now.step > best.step ? -cubic.gamma : cubic.gamma;
  const double r = (gamma - now.slope + cubic.theta) / (gamma - now.slope + gamma + best.slope);
  const double by_cubic = now.step + r * (best.step - now.step);
  const double by_secant = now.step + now.slope / (now.slope - best.slope) * (best.step - now.step);
  return std::abs(by_cubic - now.step) > std::abs(by_secant - now.step) ? by_cubic : by_secant;
}

/// f fell and the slope became flatter: extrapolated, only where the cubic goes down that way.
double step_after_flattening(const LineSearch& search, const LinePoint& now) {
  const LinePoint& best = search.best;
  const Cubic cubic(best, now, true);
  const double gamma = now.step > best.step ? -cubic.gamma : cubic.gamma;
  const double r = (gamma - now.slope + cubic.theta) / (gamma + (best.slope - now.slope) + gamma);
  double by_cubic = now.step > best.step ? search.high : search.low;
  if (r < 0 && gamma != 0) by_cubic = now.step + r * (best.step - now.step);
  const double by_secant = now.step + now.slope / (now.slope - best.slope) * (best.step - now.step);
  const bool cubic_nearer = std::abs(by_cubic - now.step) < std::abs(by_secant - now.step);
  if (!search.bracketed)
    return std::clamp(cubic_nearer ? by_secant : by_cubic, search.low, search.high);
  const double step = cubic_nearer ? by_cubic : by_secant;
  const double limit = now.step + 0.66 * (search.other.step - now.step);
  return now.step > best.step ? std::min(limit, step) : std::max(limit, step);
}

/// f fell and the slope did not become flatter.
double step_after_fall(const LineSearch& search, const LinePoint& now) {
  if (!search.bracketed) return now.step > search.best.step ? search.high : search.low;
  const Cubic cubic(now, search.other, false);
  const double gamma = now.step > search.other.step ? -cubic.gamma : cubic.gamma;
  const double r =
      (gamma - now.slope + cubic.theta) / (gamma - now.slope + gamma + search.other.slope);
  return now.step + r * (search.other.step - now.step);
}

/// The next step, and the interval with `now` as one of its ends.
double interpolate(LineSearch& search, const LinePoint& now) {
  const LinePoint best = search.best;
  const bool turned = now.slope * std::copysign(1.0, best.slope) < 0;
  double step;
  if (now.f > best.f) {
    step = step_after_rise(best, now);
    search.bracketed = true;
  } else if (turned) {
    step = step_after_turn(best, now);
    search.bracketed = true;
  } else if (std::abs(now.slope) < std::abs(best.slope)) {
    step = step_after_flattening(search, now);
  } else {
    step = step_after_fall(search, now);
  }
  if (now.f > best.f) {
    search.other = now;
  } else {
    if (turned) search.other = best;
    search.best = now;
  }
  return step;
}

/// The same point with the slope of the wanted decrease taken out.
LinePoint tilted(LinePoint p, double slope) {
  p.f -= p.step * slope;
  p.slope -= slope;
  return p;
}

bool cannot_go_on(const LineSearch& search, const LineSearchParams& params) {
  return search.bracketed && (search.step <= search.low || search.step >= search.high ||
                              search.high - search.low <= params.width * search.high);
}

/// f, or its slope, is infinite or NaN: nothing beyond this step.
void retreat(LineSearch& search, const LineSearchParams& params) {
  search.largest = search.step;
  search.step = search.best.step + 0.1 * (search.step - search.best.step);
  if (search.evaluations >= params.max_evaluations || search.step <= params.smallest) {
    search.status = SearchStatus::Failed;
    search.step = search.best.step;
  }
}

void bound_next_step(LineSearch& search, double step) {
  if (search.bracketed) {
    const double width = std::abs(search.other.step - search.best.step);
    if (width >= 0.66 * search.width_before)
      step = search.best.step + 0.5 * (search.other.step - search.best.step);
    search.width_before = search.width;
    search.width = width;
    search.low = std::min(search.best.step, search.other.step);
    search.high = std::max(search.best.step, search.other.step);
  } else {
    search.low = step + 1.1 * (step - search.best.step);
    search.high = step + 4 * (step - search.best.step);
  }
  search.step = step;
}

} // namespace

LineSearch start_search(double f, double slope, double step, const LineSearchParams& params) {
  LineSearch search;
  search.step = std::clamp(step, params.smallest, params.largest);
  search.start = search.best = search.other = {0, f, slope};
  search.high = 5 * search.step;
  search.largest = params.largest;
  search.width = params.largest - params.smallest;
  search.width_before = 2 * search.width;
  return search;
}

void advance_search(LineSearch& search, double f, double slope, const LineSearchParams& params) {
  ++search.evaluations;
  if (!std::isfinite(f) || !std::isfinite(slope)) {
    retreat(search, params);
    return;
  }
  const LinePoint now{search.step, f, slope};
  const double wanted = params.decrease * search.start.slope;
  const double limit = search.start.f + now.step * wanted;
  if (search.first_stage && f <= limit && slope >= 0) search.first_stage = false;
  if (f <= limit && std::abs(slope) <= -params.curvature * search.start.slope) {
    search.best = now;
    search.status = SearchStatus::Found;
    return;
  }
  if (now.step >= search.largest && f <= limit && slope <= wanted) {
    search.best = now;
    search.status = SearchStatus::AtLargest;
    return;
  }
  const bool at_an_end = now.step <= params.smallest && (f > limit || slope >= wanted);
  if (cannot_go_on(search, params) || at_an_end || search.evaluations >= params.max_evaluations) {
    if (f < search.best.f) search.best = now;
    search.step = search.best.step;
    search.status = SearchStatus::Failed;
    return;
  }
  double step;
  if (search.first_stage && f <= search.best.f && f > limit) {
    search.best = tilted(search.best, wanted);
    search.other = tilted(search.other, wanted);
    step = interpolate(search, tilted(now, wanted));
    search.best = tilted(search.best, -wanted);
    search.other = tilted(search.other, -wanted);
  } else {
    step = interpolate(search, now);
  }
  bound_next_step(search, step);
  search.step = std::clamp(search.step, params.smallest, search.largest);
  if (cannot_go_on(search, params)) search.step = search.best.step;
}

} // namespace kilobragg::pixelrefinement
