// A panel's raw pixels with what makes them usable, and how raw values become counts.
#pragma once

#include "kernels/threshold/bit_image.hpp"
#include "kernels/threshold/dispersion.hpp"

#include <cstddef>
#include <cstdint>

namespace kilobragg::threshold {

/// One panel of a frame. Pixel (x, y) is data[y * stride + x].
template <typename T>
struct PanelPixels {
  const T* data = nullptr;
  std::size_t stride = 0;
  int width = 0, height = 0;
  T lowest = 0, highest = 0;     ///< trusted raw values, inclusive; NaN is never trusted
  const Word* allowed = nullptr; ///< static and geometric mask as a BitImage; null = all

  KOKKOS_INLINE_FUNCTION const T* row(int y) const {
    return data + static_cast<std::size_t>(y) * stride;
  }
  KOKKOS_INLINE_FUNCTION bool trusts(T raw) const { return raw >= lowest && raw <= highest; }
  /// Mask word of a row, bits past the width cleared.
  KOKKOS_INLINE_FUNCTION Word allowed_word(int y, int word) const {
    const int left = width - word * word_bits;
    if (!allowed) return low_bits(left < word_bits ? left : word_bits);
    return allowed[static_cast<std::size_t>(y) * words_for(width) + word];
  }
};

/// Integer pixels taken as they are; sums are exact.
struct RawCounts {
  using Sum = std::int64_t;
  template <typename T>
  KOKKOS_INLINE_FUNCTION Sum operator()(T raw) const {
    return raw;
  }
};

/// (raw - pedestal) / gain in double: float pixels, or panels with a gain or pedestal of their own.
struct CalibratedCounts {
  using Sum = double;
  double pedestal = 0, gain = 1;
  template <typename T>
  KOKKOS_INLINE_FUNCTION Sum operator()(T raw) const {
    return (static_cast<double>(raw) - pedestal) / gain;
  }
};

/// Whether a value may enter local sums.
template <typename Sum>
KOKKOS_INLINE_FUNCTION bool is_summed(Sum value) {
  return value < static_cast<Sum>(summed_value_limit) &&
         value > -static_cast<Sum>(summed_value_limit);
}

} // namespace kilobragg::threshold
