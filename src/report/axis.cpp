// Ticks at 1, 2, 5 times powers of ten.
#include "kilobragg/report/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::report {
namespace {

/// "0.25", "1500", "20k", "1.5M" for a tick that is a multiple of `step`.
std::string tick_label(double value, double step) {
  const char* suffix = "";
  const double size = std::max(std::abs(value), step);
  if (size >= 1e6) {
    value /= 1e6;
    step /= 1e6;
    suffix = "M";
  } else if (size >= 1e4) {
    value /= 1e3;
    step /= 1e3;
    suffix = "k";
  }
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step * 1.0001))));
  std::string text = fmt::format("{:.{}f}", value, decimals);
  // Beside a step of 500 one million is "1M", not "1.0000M".
  if (*suffix != '\0' && text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  // Neither "-0.0" nor "0k".
  if (text.find_first_not_of("-0.") == std::string::npos) {
    if (text.front() == '-') text.erase(0, 1);
    suffix = "";
  }
  return text + suffix;
}

/// Widens an empty or impossible range around its middle.
void widen(double& lo, double& hi) {
  if (!std::isfinite(lo) || !std::isfinite(hi)) {
    lo = 0;
    hi = 1;
  }
  if (lo < hi) return;
  const double margin = lo == 0 ? 1 : 0.05 * std::abs(lo);
  hi = lo + margin;
  lo -= margin;
}

std::vector<Tick> ticks_of_step(double lo, double hi, double step) {
  std::vector<Tick> ticks;
  const double slack = 1e-9 * (hi - lo);
  for (double n = std::ceil((lo - slack) / step); n * step <= hi + slack; ++n)
    ticks.push_back({n * step, tick_label(n * step, step)});
  return ticks;
}

/// Whole multiples of `step` that [lo, hi] holds.
double count_within(double lo, double hi, double step) {
  return std::floor(hi / step + 1e-9) - std::ceil(lo / step - 1e-9) + 1;
}

double step_for(double lo, double hi, int most) {
  double step = round_step((hi - lo) / most);
  while (count_within(lo, hi, step) > most) step = round_step(1.01 * step);
  return step;
}

} // namespace

double round_step(double rough) {
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

std::vector<Tick> round_ticks(double lo, double hi, int most) {
  return ticks_of_step(lo, hi, step_for(lo, hi, most));
}

Axis number_axis(double lo, double hi, std::string title, int most_ticks) {
  widen(lo, hi);
  return {lo, hi, std::move(title), round_ticks(lo, hi, most_ticks)};
}

Axis round_ends(double lo, double hi, std::string title, int most_ticks) {
  widen(lo, hi);
  const double step = step_for(lo, hi, std::max(2, most_ticks - 1));
  lo = step * std::floor(lo / step + 1e-9);
  hi = step * std::ceil(hi / step - 1e-9);
  return {lo, hi, std::move(title), ticks_of_step(lo, hi, step)};
}

Axis count_axis(double most, std::string title, int most_ticks) {
  const double step = std::max(1.0, step_for(0, std::max(most, 1.0), std::max(2, most_ticks - 1)));
  const double hi = step * std::ceil(std::max(most, 1.0) / step - 1e-9);
  return {0, hi, std::move(title), ticks_of_step(0, hi, step)};
}

Axis time_axis(double lo, double hi, const std::string& title, int most_ticks) {
  widen(lo, hi);
  const char* name = "s";
  double unit = 1;
  if (hi >= 3 * 86400.0) {
    name = "d";
    unit = 86400;
  } else if (hi >= 3 * 3600.0) {
    name = "h";
    unit = 3600;
  } else if (hi >= 3 * 60.0) {
    name = "min";
    unit = 60;
  }
  Axis axis = number_axis(lo / unit, hi / unit, fmt::format("{} ({})", title, name), most_ticks);
  axis.lo = lo;
  axis.hi = hi;
  for (Tick& tick : axis.ticks) tick.at *= unit;
  return axis;
}

} // namespace kilobragg::report
