// Axes of plots: ranges with round ends, ticks at round numbers and their labels.
#pragma once

#include <string>
#include <vector>

namespace kilobragg::report {

struct Tick {
  double at = 0;
  std::string label;
};

/// One axis in data units, with the text beside it.
struct Axis {
  double lo = 0, hi = 1; ///< lo < hi
  std::string title;     ///< with its unit
  std::vector<Tick> ticks;
};

/// The smallest of 1, 2, 5 times a power of ten that is at least `rough` (> 0).
double round_step(double rough);

/// Ticks within [lo, hi] at multiples of a round step, at most `most` of them (>= 2). Labels have the
/// decimals that the step needs and no more; from 10 000 on they read 10k, 2.5M.
std::vector<Tick> round_ticks(double lo, double hi, int most);

/// [lo, hi] as it is, with round ticks. An empty range (lo >= hi) is widened.
Axis number_axis(double lo, double hi, std::string title, int most_ticks = 6);

/// The range of `axis` widened to the next tick at both ends.
Axis round_ends(double lo, double hi, std::string title, int most_ticks = 6);

/// From 0 to the tick at or above `most`, with ticks at whole numbers.
Axis count_axis(double most, std::string title, int most_ticks = 6);

/// Seconds shown in the unit (s, min, h, d) that suits the range; the unit is in the title. Ticks
/// stay at seconds.
Axis time_axis(double lo, double hi, const std::string& title, int most_ticks = 6);

} // namespace kilobragg::report
