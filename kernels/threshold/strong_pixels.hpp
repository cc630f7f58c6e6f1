// Strong pixels of one panel by `dispersion` or `dispersion_extended`, row by row on the host.
#pragma once

#include "kernels/threshold/local_sums.hpp"

namespace kilobragg::threshold {

/// Bit images of one panel that the passes below share; the caller owns the memory.
struct PanelBits {
  BitImage valid;  ///< usable pixels
  BitImage strong; ///< the result
  BitImage signal; ///< `dispersion_extended` only: dispersed pixels left by the erosion
};

/// Usable pixels of one row: allowed by the mask and inside the trusted range.
template <typename T>
void mark_valid(const PanelPixels<T>& pixels, int y, Word* valid) {
  const T* raw = pixels.row(y);
  for (int word = 0; word < words_for(pixels.width); ++word) {
    const int n =
        pixels.width - word * word_bits < word_bits ? pixels.width - word * word_bits : word_bits;
    Word trusted = 0;
    for (int i = 0; i < n; ++i)
      trusted |= static_cast<Word>(pixels.trusts(raw[word * word_bits + i])) << i;
    valid[word] = trusted & pixels.allowed_word(y, word);
  }
}

/// Marks in bits.strong the pixels of one row that are dispersed and, with `peak_test`, exceed the
/// local mean. Valid bits must be there for all rows of the window.
template <typename T, typename Counts>
void mark_dispersed(const PanelPixels<T>& pixels, const Counts& counts, const Options& o,
                    const PanelBits& bits, int y, bool peak_test) {
  const auto keep = [&](double value, const auto& sums) {
    return is_dispersed(o, sums) && (!peak_test || exceeds_local_mean(o, value, sums));
  };
  for (int word = 0; word < bits.valid.words_per_row(); ++word)
    bits.strong.row(y)[word] =
        select_in_word(pixels, counts, bits.valid, y, word, bits.valid.row(y)[word],
                       {o.kernel_x, o.kernel_y}, keep);
}

/// One pass down the panel: valid bits run ahead by half a window.
template <typename T, typename Counts>
void mark_panel(const PanelPixels<T>& pixels, const Counts& counts, const Options& o,
                const PanelBits& bits, bool peak_test) {
  for (int y = 0; y < pixels.height + o.kernel_y; ++y) {
    if (y < pixels.height) mark_valid(pixels, y, bits.valid.row(y));
    if (y >= o.kernel_y) mark_dispersed(pixels, counts, o, bits, y - o.kernel_y, peak_test);
  }
}

/// Strong pixels by `dispersion`.
template <typename T, typename Counts>
void find_dispersion(const PanelPixels<T>& pixels, const Counts& counts, const Options& o,
                     const PanelBits& bits) {
  mark_panel(pixels, counts, o, bits, true);
}

/// Erodes bits.strong (dispersed pixels) into bits.signal. Masked pixels erode their neighbours.
inline void mark_signal(const Options& o, const PanelBits& bits) {
  const int radius = erosion_radius(o);
  for (int y = 0; y < bits.strong.height; ++y)
    for (int word = 0; word < bits.strong.words_per_row(); ++word)
      bits.signal.row(y)[word] =
          bits.strong.row(y)[word] == 0 ? 0 : eroded(bits.strong, y, word, radius);
}

/// Strong pixels by `dispersion_extended`. bits.valid ends as the background set.
template <typename T, typename Counts>
void find_dispersion_extended(const PanelPixels<T>& pixels, const Counts& counts, const Options& o,
                              const PanelBits& bits) {
  mark_panel(pixels, counts, o, bits, false);
  mark_signal(o, bits);
  const BitImage& background = bits.valid;
  const std::size_t words =
      static_cast<std::size_t>(background.height) * background.words_per_row();
  for (std::size_t i = 0; i < words; ++i) background.words[i] &= ~bits.signal.words[i];
  const HalfWindow half{o.kernel_x + background_margin, o.kernel_y + background_margin};
  const auto keep = [&](double value, const auto& sums) {
    return exceeds_background(o, value, sums);
  };
  for (int y = 0; y < pixels.height; ++y)
    for (int word = 0; word < background.words_per_row(); ++word) {
      const Word signal = bits.signal.row(y)[word];
      bits.strong.row(y)[word] =
          signal == 0 ? 0 : select_in_word(pixels, counts, background, y, word, signal, half, keep);
    }
}

} // namespace kilobragg::threshold
