// Strong pixels of one panel by `dispersion` or `dispersion_extended`, row by row on the host.
#pragma once

#include "kernels/threshold/float_sums.hpp"
#include "kernels/threshold/local_sums.hpp"
#include "kernels/threshold/running_sums.hpp"

#include <algorithm>
#include <type_traits>

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
  for (int word = 0; word < words_for(pixels.width); ++word) {
    const int n = std::min(word_bits, pixels.width - word * word_bits);
    T inside[word_bits] = {};
    std::copy_n(pixels.row(y) + word * word_bits, n, inside);
    Word trusted = 0;
    for (int i = 0; i < word_bits; i += lane_count) {
      const auto value = load_lanes(inside + i);
      trusted |= true_bits(convert_lanes<std::int32_t>((value >= pixels.lowest) &
                                                       (value <= pixels.highest)))
                 << i;
    }
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

/// Memory of both kinds of sums.
struct SumsMemory {
  RunningSumsMemory running;
  FloatSumsMemory floats;
};

/// One pass down the panel with sums taken anew for every pixel that `sums` (none: all) cannot rule
/// out: any pixel type, any window. Calls after_row(n) whenever n rows of bits.strong are done.
template <typename T, typename Counts, typename AfterRow>
void mark_dispersed(const PanelPixels<T>& pixels, const Counts& counts, const DispersedTest& test,
                    const PanelBits& bits, FloatSums<T, Counts>* sums, const AfterRow& after_row) {
  const HalfWindow half{test.options.kernel_x, test.options.kernel_y};
  for (int y = 0; y < pixels.height + half.y; ++y) {
    if (y < pixels.height) mark_valid(pixels, y, bits.valid.row(y));
    if (sums && y < pixels.height) sums->enter_row(y, bits.valid.row(y));
    if (sums && y >= pixels.height) sums->leave_row(y);
    const int middle = y - half.y;
    if (middle < 0) continue;
    if (sums) sums->look_at_row();
    for (int word = 0; word < bits.valid.words_per_row(); ++word) {
      const Word looked_at =
          bits.valid.row(middle)[word] & (sums ? sums->may_be_dispersed(middle, word) : ~Word{0});
      bits.strong.row(middle)[word] =
          looked_at == 0
              ? 0
              : select_in_word(pixels, counts, {bits.valid}, middle, word, looked_at, half, test);
    }
    after_row(middle + 1);
  }
}

/// Dispersed pixels among the valid ones of one word, from running sums where they hold.
template <typename T>
Word dispersed_in_word(const PanelPixels<T>& pixels, RunningSums<T>& sums,
                       const DispersedTest& test, const PanelBits& bits, int y, int word) {
  const Word valid = bits.valid.row(y)[word];
  if (valid == 0) return 0;
  if (sums.is_bright(y, word))
    return select_in_word(pixels, RawCounts{}, {bits.valid}, y, word, valid,
                          {test.options.kernel_x, test.options.kernel_y}, test);
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
template <typename T, typename AfterRow>
void slide_dispersed(const PanelPixels<T>& pixels, const DispersedTest& test, const PanelBits& bits,
                     RunningSumsMemory& memory, const AfterRow& after_row) {
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
    sums.look_at_row();
    Word* dispersed = bits.strong.row(y - half);
    for (int word = 0; word < bits.valid.words_per_row(); ++word)
      dispersed[word] = sums.is_quiet(y - half, word)
                            ? 0
                            : dispersed_in_word(pixels, sums, test, bits, y - half, word);
    after_row(y - half + 1);
  }
}

/// Chooses the pass: sliding sums for plain integers, float sums to narrow down other pixels, where
/// the window suits them.
template <typename T, typename Counts, typename AfterRow>
void mark_dispersed(const PanelPixels<T>& pixels, const Counts& counts, const DispersedTest& test,
                    const PanelBits& bits, SumsMemory& memory, const AfterRow& after_row) {
  if constexpr (std::is_same_v<Counts, RawCounts>)
    if (RunningSums<T>::fits(test.options)) {
      slide_dispersed(pixels, test, bits, memory.running, after_row);
      return;
    }
  if (FloatSums<T, Counts>::fits(test.options)) {
    FloatSums<T, Counts> sums(memory.floats, pixels, counts, test.options);
    mark_dispersed(pixels, counts, test, bits, &sums, after_row);
  } else {
    mark_dispersed(pixels, counts, test, bits, static_cast<FloatSums<T, Counts>*>(nullptr),
                   after_row);
  }
}

/// Strong pixels by `dispersion`.
template <typename T, typename Counts>
void find_dispersion(const PanelPixels<T>& pixels, const Counts& counts, const Options& o,
                     const PanelBits& bits, SumsMemory& memory) {
  mark_dispersed(pixels, counts, DispersedTest{o, true}, bits, memory, [](int) {});
}

/// The later steps of `dispersion_extended`, row by row as close behind the dispersed pixels as
/// their windows allow, while the raw rows are still in the cache.
template <typename T, typename Counts>
class ExtendedRows {
public:
  ExtendedRows(const PanelPixels<T>& pixels, const Counts& counts, const Options& o,
               const PanelBits& bits)
      : pixels_(pixels)
      , counts_(counts)
      , o_(o)
      , bits_(bits) {}

  /// The first `rows` rows of bits.strong hold the dispersed pixels (and earlier ones, results).
  void advance(int rows) {
    const int height = pixels_.height, radius = erosion_radius(o_),
              half = o_.kernel_y + background_margin;
    while (signal_ < height && (signal_ + radius < rows || rows == height)) erode_row(signal_++);
    while (strong_ < height && (strong_ + half < signal_ || signal_ == height))
      select_row(strong_++);
  }

private:
  void erode_row(int y) {
    const Word* dispersed = bits_.strong.row(y);
    Word* signal = bits_.signal.row(y);
    for (int word = 0; word < bits_.strong.words_per_row(); ++word)
      signal[word] = dispersed[word] == 0 ? 0 : eroded(bits_.strong, y, word, erosion_radius(o_));
  }

  /// Replaces dispersed pixels, which no erosion needs any more, by strong ones.
  void select_row(int y) {
    const HalfWindow half{o_.kernel_x + background_margin, o_.kernel_y + background_margin};
    const TakenPixels background{bits_.valid, &bits_.signal};
    const auto keep = [this](double value, const auto& sums) {
      return exceeds_background(o_, value, sums);
    };
    const Word* signal = bits_.signal.row(y);
    Word* strong = bits_.strong.row(y);
    for (int word = 0; word < bits_.strong.words_per_row(); ++word)
      strong[word] = signal[word] == 0 ? 0
                                       : select_in_word(pixels_, counts_, background, y, word,
                                                        signal[word], half, keep);
  }

  const PanelPixels<T>& pixels_;
  const Counts& counts_;
  const Options& o_;
  const PanelBits& bits_;
  int signal_ = 0, strong_ = 0; ///< rows done
};

/// Strong pixels by `dispersion_extended`.
template <typename T, typename Counts>
void find_dispersion_extended(const PanelPixels<T>& pixels, const Counts& counts, const Options& o,
                              const PanelBits& bits, SumsMemory& memory) {
  ExtendedRows<T, Counts> extended(pixels, counts, o, bits);
  mark_dispersed(pixels, counts, DispersedTest{o, false}, bits, memory,
                 [&extended](int rows) { extended.advance(rows); });
}

} // namespace kilobragg::threshold
