// Plain thresholds: every window summed pixel by pixel, every distance looked up, in long double.
#pragma once

#include "kernels/threshold/dispersion.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace kilobragg::testing {

/// One panel: values and which of them may be used.
struct PlainPanel {
  int width = 0, height = 0;
  std::vector<double> values;
  std::vector<bool> usable;

  std::size_t at(int x, int y) const { return static_cast<std::size_t>(y) * width + x; }
  bool inside(int x, int y) const { return x >= 0 && y >= 0 && x < width && y < height; }
};

/// Sums over a window; the long double holds integers up to 2^64 exactly.
struct PlainSums {
  long double count = 0, sum = 0, sum_squares = 0;
};

inline PlainSums window_sums(const PlainPanel& panel, const std::vector<bool>& taken, int x, int y,
                             int half_x, int half_y) {
  PlainSums s;
  for (int v = y - half_y; v <= y + half_y; ++v)
    for (int u = x - half_x; u <= x + half_x; ++u) {
      if (!panel.inside(u, v) || !taken[panel.at(u, v)]) continue;
      const long double value = panel.values[panel.at(u, v)];
      if (std::abs(value) >= 16777216.0L) continue;
      s.count += 1, s.sum += value, s.sum_squares += value * value;
    }
  return s;
}

inline bool plain_dispersed(const threshold::Options& o, const PlainSums& s) {
  if (s.count < o.min_local || s.count < 1 || s.sum < 0) return false;
  const long double n = s.count - 1;
  return s.count * s.sum_squares - s.sum * s.sum >
         o.gain * s.sum * (n + o.sigma_background * std::sqrt(2 * n));
}

/// Strong pixels by `dispersion`.
inline std::vector<bool> plain_dispersion(const PlainPanel& panel, const threshold::Options& o) {
  std::vector<bool> strong(panel.values.size());
  for (int y = 0; y < panel.height; ++y)
    for (int x = 0; x < panel.width; ++x) {
      if (!panel.usable[panel.at(x, y)]) continue;
      const PlainSums s = window_sums(panel, panel.usable, x, y, o.kernel_x, o.kernel_y);
      const double value = panel.values[panel.at(x, y)];
      strong[panel.at(x, y)] =
          plain_dispersed(o, s) && value > o.global_threshold &&
          s.count * value - s.sum > o.sigma_strong * std::sqrt(o.gain * s.sum * s.count);
    }
  return strong;
}

/// Whether all pixels within a Chebyshev distance are set; those off the panel do not count.
inline bool surrounded(const PlainPanel& panel, const std::vector<bool>& set, int x, int y,
                       int radius) {
  for (int v = y - radius; v <= y + radius; ++v)
    for (int u = x - radius; u <= x + radius; ++u)
      if (panel.inside(u, v) && !set[panel.at(u, v)]) return false;
  return true;
}

/// Strong pixels by `dispersion_extended`.
inline std::vector<bool> plain_dispersion_extended(const PlainPanel& panel,
                                                   const threshold::Options& o) {
  const std::size_t n = panel.values.size();
  std::vector<bool> dispersed(n), signal(n), background(n), strong(n);
  for (int y = 0; y < panel.height; ++y)
    for (int x = 0; x < panel.width; ++x)
      dispersed[panel.at(x, y)] =
          panel.usable[panel.at(x, y)] &&
          plain_dispersed(o, window_sums(panel, panel.usable, x, y, o.kernel_x, o.kernel_y));
  for (int y = 0; y < panel.height; ++y)
    for (int x = 0; x < panel.width; ++x) {
      const std::size_t i = panel.at(x, y);
      signal[i] =
          dispersed[i] && surrounded(panel, dispersed, x, y, std::min(o.kernel_x, o.kernel_y) - 1);
      background[i] = panel.usable[i] && !signal[i];
    }
  for (int y = 0; y < panel.height; ++y)
    for (int x = 0; x < panel.width; ++x) {
      const std::size_t i = panel.at(x, y);
      if (!signal[i] || !(panel.values[i] > o.global_threshold)) continue;
      const PlainSums s = window_sums(panel, background, x, y, o.kernel_x + 2, o.kernel_y + 2);
      const long double mean = s.count >= 2 ? s.sum / s.count : 0;
      strong[i] = s.sum >= 0 && panel.values[i] >= mean + o.sigma_strong * std::sqrt(o.gain * mean);
    }
  return strong;
}

} // namespace kilobragg::testing
