// The tests that call a pixel strong from its local sums: `dispersion` and `dispersion_extended`.
#pragma once

#include "kernels/function.hpp"

#include <cmath>
#include <cstdint>

namespace kilobragg::threshold {

/// Parameters of both algorithms. Windows are (2 kernel_x + 1) x (2 kernel_y + 1) pixels.
struct Options {
  int kernel_x = 3, kernel_y = 3;
  double gain = 1;
  double sigma_background = 6, sigma_strong = 3;
  int min_local = 2;           ///< fewest pixels in a window
  double global_threshold = 0; ///< strong pixels are above
};

/// Widest half window that the host code takes.
inline constexpr int max_kernel = 16;
/// Half windows of the background mean of `dispersion_extended` are wider by this.
inline constexpr int background_margin = 2;
/// Values of this magnitude and above never enter local sums, so that 64 bits always suffice.
inline constexpr std::int64_t summed_value_limit = std::int64_t{1} << 24;
/// Windows of so many pixels and fewer have count * sum_squares below 2^63.
inline constexpr std::int64_t exact_window_pixels = 181;

/// Sums over the usable pixels of a window, its centre included. `Sum` is int64 for counts (exact)
/// or double.
template <typename Sum>
struct LocalSums {
  std::int64_t count = 0;
  Sum sum = 0, sum_squares = 0;
};

/// n^2 times the variance over the window: count * sum_squares - sum^2.
KOKKOS_INLINE_FUNCTION double spread(const LocalSums<double>& s) {
  return static_cast<double>(s.count) * s.sum_squares - s.sum * s.sum;
}
KOKKOS_INLINE_FUNCTION double spread(const LocalSums<std::int64_t>& s) {
  if (s.count <= exact_window_pixels)
    return static_cast<double>(s.count * s.sum_squares - s.sum * s.sum);
  return spread(
      LocalSums<double>{s.count, static_cast<double>(s.sum), static_cast<double>(s.sum_squares)});
}

/// Threshold on the index of dispersion, times (n - 1) / gain: n - 1 + sigma_background sqrt(2 (n - 1)).
KOKKOS_INLINE_FUNCTION double dispersion_limit(const Options& o, double count) {
  return count - 1 + o.sigma_background * std::sqrt(2 * (count - 1));
}

/// variance / mean > gain (1 + sigma_background sqrt(2 / (n - 1))), free of divisions.
template <typename Sum>
KOKKOS_INLINE_FUNCTION bool is_dispersed(const Options& o, const LocalSums<Sum>& s) {
  if (s.count < o.min_local || s.count < 1 || s.sum < 0) return false;
  const double limit = dispersion_limit(o, static_cast<double>(s.count));
  return spread(s) > o.gain * static_cast<double>(s.sum) * limit;
}

/// `dispersion`: value > mean + sigma_strong sqrt(gain mean) over the window that is_dispersed() saw.
template <typename Sum>
KOKKOS_INLINE_FUNCTION bool exceeds_local_mean(const Options& o, double value,
                                               const LocalSums<Sum>& s) {
  const double count = static_cast<double>(s.count), sum = static_cast<double>(s.sum);
  return value > o.global_threshold &&
         count * value - sum > o.sigma_strong * std::sqrt(o.gain * sum * count);
}

/// `dispersion_extended`: value >= mean + sigma_strong sqrt(gain mean), the mean over the background
/// pixels of the wider window and 0 where there are fewer than two.
template <typename Sum>
KOKKOS_INLINE_FUNCTION bool exceeds_background(const Options& o, double value,
                                               const LocalSums<Sum>& s) {
  if (value <= o.global_threshold || s.sum < 0) return false;
  const double mean =
      s.count >= 2 ? static_cast<double>(s.sum) / static_cast<double>(s.count) : 0.0;
  return value >= mean + o.sigma_strong * std::sqrt(o.gain * mean);
}

/// `dispersion_extended` keeps the dispersed pixels whose neighbours within this Chebyshev distance
/// are all dispersed. Unusable pixels count as not dispersed; beyond the panel nothing counts.
KOKKOS_INLINE_FUNCTION int erosion_radius(const Options& o) {
  return (o.kernel_x < o.kernel_y ? o.kernel_x : o.kernel_y) - 1;
}

} // namespace kilobragg::threshold
