// Strong pixels of one panel by `dispersion` or `dispersion_extended`, row by row on the host.
#pragma once

#include "kernels/threshold/local_sums.hpp"
#include "kernels/threshold/running_sums.hpp"

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

/// Which dispersed pixels a pass keeps: all (`dispersion_extended`) or those above the local mean.
struct DispersedTest {
  Options options;
  bool above_mean;

  template <typename Sum>
  KOKKOS_INLINE_FUNCTION bool operator()(double value, const LocalSums<Sum>& sums) const {
    return is_dispersed(options, sums) && (!above_mean || exceeds_local_mean(options, value, sums));
  }
};

/// One pass down the panel with sums taken anew for every pixel: any pixel type, any window.
template <typename T, typename Counts>
void mark_dispersed(const PanelPixels<T>& pixels, const Counts& counts, const DispersedTest& test,
                    const PanelBits& bits) {
  const HalfWindow half{test.options.kernel_x, test.options.kernel_y};
  for (int y = 0; y < pixels.height + half.y; ++y) {
    if (y < pixels.height) mark_valid(pixels, y, bits.valid.row(y));
    const int middle = y - half.y;
    if (middle < 0) continue;
    for (int word = 0; word < bits.valid.words_per_row(); ++word)
      bits.strong.row(middle)[word] = select_in_word(pixels, counts, bits.valid, middle, word,
                                                     bits.valid.row(middle)[word], half, test);
  }
}

/// Dispersed pixels among the valid ones of one word, from running sums where they hold.
template <typename T>
Word dispersed_in_word(const PanelPixels<T>& pixels, RunningSums<T>& sums,
                       const DispersedTest& test, const PanelBits& bits, int y, int word) {
  const Word valid = bits.valid.row(y)[word];
  if (valid == 0) return 0;
  if (sums.is_bright(y, word))
    return select_in_word(pixels, RawCounts{}, bits.valid, y, word, valid,
                          {test.options.kernel_x, test.options.kernel_y}, test);
  if (!sums.may_be_dispersed(word)) return 0;
  WordSums found;
  Word kept = 0;
  for (Word left = sums.window_sums(word, found) & valid; left != 0; left &= left - 1) {
    const int i = __builtin_ctzll(left);
    const LocalSums<std::int64_t> local{found.count[i], found.sum[i], found.square[i]};
    if (test(static_cast<double>(pixels.row(y)[word * word_bits + i]), local))
      kept |= left & (~left + 1);
  }
  return kept;
}

/// The same pass for integers with sums that slide down the panel.
template <typename T>
void mark_dispersed(const PanelPixels<T>& pixels, RawCounts counts, const DispersedTest& test,
                    const PanelBits& bits, RunningSumsMemory& memory) {
  if (!RunningSums<T>::fits(test.options)) {
    mark_dispersed(pixels, counts, test, bits);
    return;
  }
  RunningSums<T> sums(memory, pixels, test.options);
  const int half = test.options.kernel_y;
  for (int y = 0; y < pixels.height + half; ++y) {
    const int leaving = y - 2 * half - 1;
    const Word* left = leaving >= 0 ? bits.valid.row(leaving) : nullptr;
    if (y < pixels.height)
      sums.enter_row(y, bits.valid.row(y), left);
    else
      sums.leave_row(y, left);
    if (y < half) continue;
    for (int word = 0; word < bits.valid.words_per_row(); ++word)
      bits.strong.row(y - half)[word] = dispersed_in_word(pixels, sums, test, bits, y - half, word);
  }
}

template <typename T>
void mark_dispersed(const PanelPixels<T>& pixels, const CalibratedCounts& counts,
                    const DispersedTest& test, const PanelBits& bits, RunningSumsMemory&) {
  mark_dispersed(pixels, counts, test, bits);
}

/// Strong pixels by `dispersion`.
template <typename T, typename Counts>
void find_dispersion(const PanelPixels<T>& pixels, const Counts& counts, const Options& o,
                     const PanelBits& bits, RunningSumsMemory& memory) {
  mark_dispersed(pixels, counts, DispersedTest{o, true}, bits, memory);
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
                              const PanelBits& bits, RunningSumsMemory& memory) {
  mark_dispersed(pixels, counts, DispersedTest{o, false}, bits, memory);
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
