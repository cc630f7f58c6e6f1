// Exact window sums for a few neighbouring pixels of one row, straight from the raw pixels.
#pragma once

#include "kernels/threshold/panel_pixels.hpp"

namespace kilobragg::threshold {

/// The pixels that sums take: usable ones but, where given, those of a second set.
struct TakenPixels {
  BitImage usable;
  const BitImage* excluded = nullptr;

  /// Bits of the columns x0 .. x0 + 63 of row y.
  KOKKOS_INLINE_FUNCTION Word from(int x0, int y) const {
    const Word bits = bits_from(usable.row(y), usable.words_per_row(), x0);
    return excluded ? bits & ~bits_from(excluded->row(y), excluded->words_per_row(), x0) : bits;
  }
};

/// Sums over the rows of a window, one for each of up to 64 columns.
template <typename Sum>
class ColumnSums {
public:
  /// Adds up the columns x0 .. x1 (inclusive, fewer than 64, inside the panel) over the rows
  /// y0 .. y1; only pixels that `taken` holds and whose value is_summed().
  template <typename T, typename Counts>
  void accumulate(const PanelPixels<T>& pixels, const Counts& counts, const TakenPixels& taken,
                  int x0, int x1, int y0, int y1) {
    x0_ = x0;
    columns_ = x1 - x0 + 1;
    for (int i = 0; i < columns_; ++i) count_[i] = 0, sum_[i] = 0, sum_squares_[i] = 0;
    for (int y = y0; y <= y1; ++y) add_row(pixels.row(y) + x0, counts, taken.from(x0, y));
  }

  /// Sums over the accumulated columns from x - half to x + half.
  LocalSums<Sum> window(int x, int half) const {
    const int from = x - half - x0_ > 0 ? x - half - x0_ : 0;
    const int to = x + half - x0_ < columns_ - 1 ? x + half - x0_ : columns_ - 1;
    LocalSums<Sum> s;
    for (int i = from; i <= to; ++i) {
      s.count += count_[i];
      s.sum += sum_[i];
      s.sum_squares += sum_squares_[i];
    }
    return s;
  }

private:
  template <typename T, typename Counts>
  void add_row(const T* raw, const Counts& counts, Word taken) {
    const int columns = columns_;
    for (int i = 0; i < columns;
         ++i) { // every value is looked at, so that the loop has no branches
      const Sum value = counts(raw[i]);
      const std::int64_t summed = static_cast<std::int64_t>((taken >> i) & 1u) & is_summed(value);
      const Sum added = summed != 0 ? value : Sum{0};
      count_[i] += summed;
      sum_[i] += added;
      sum_squares_[i] += added * added;
    }
  }

  int x0_ = 0, columns_ = 0;
  std::int64_t count_[word_bits];
  Sum sum_[word_bits], sum_squares_[word_bits];
};

/// Sizes of a window: half widths along x and y.
struct HalfWindow {
  int x, y;
};

/// Calls keep(x, value, sums) for each set bit of one word of row y and returns the bits for which
/// it gave true. Sums run over the window around the pixel, clipped at the panel, pixels in `taken`.
template <typename T, typename Counts, typename Keep>
Word select_in_word(const PanelPixels<T>& pixels, const Counts& counts, const TakenPixels& taken,
                    int y, int word, Word bits, HalfWindow half, const Keep& keep) {
  using Sum = typename Counts::Sum;
  ColumnSums<Sum> columns;
  Word kept = 0;
  const int y0 = y > half.y ? y - half.y : 0;
  const int y1 = y + half.y < pixels.height ? y + half.y : pixels.height - 1;
  while (bits != 0) {
    const int first = __builtin_ctzll(bits);
    Word run = bits & (low_bits(word_bits - 2 * half.x) << first);
    bits &= ~run;
    const int last = word_bits - 1 - __builtin_clzll(run), base = word * word_bits;
    const int x0 = base + first - half.x, x1 = base + last + half.x;
    columns.accumulate(pixels, counts, taken, x0 > 0 ? x0 : 0,
                       x1 < pixels.width ? x1 : pixels.width - 1, y0, y1);
    for (; run != 0; run &= run - 1) {
      const int x = base + __builtin_ctzll(run);
      const double value = static_cast<double>(counts(pixels.row(y)[x]));
      if (keep(value, columns.window(x, half.x))) kept |= run & (~run + 1);
    }
  }
  return kept;
}

} // namespace kilobragg::threshold
