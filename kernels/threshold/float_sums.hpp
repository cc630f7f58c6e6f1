// Single-precision window sums that tell which pixels of float or calibrated panels can be dispersed.
#pragma once

#include "kernels/threshold/lanes.hpp"
#include "kernels/threshold/panel_pixels.hpp"
#include "kernels/threshold/running_sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace kilobragg::threshold {

/// Memory of FloatSums, kept from panel to panel.
struct FloatSumsMemory {
  std::vector<float> ring;        ///< values of the rows inside the window; 0 where not summed
  std::vector<float> sum, square; ///< column sums over the window's rows
  std::vector<int> odd_row;       ///< of each word, the last row with a value out of bounds
  std::vector<Word> may;          ///< pixels of the row that may be dispersed
};

/// Sums over 7 x 7 windows in float, made anew for each row from the last seven, so that rounding
/// stays below what the comparison allows for. They only point at pixels for a closer look.
template <typename T, typename Counts>
class FloatSums {
public:
  FloatSums(FloatSumsMemory& memory, const PanelPixels<T>& pixels, const Counts& counts,
            const Options& o)
      : memory_(memory)
      , pixels_(pixels)
      , counts_(counts)
      , words_(words_for(pixels.width))
      , padded_((words_ + 3) * word_bits)
      , dispersion_(static_cast<float>(o.gain * dispersion_limit(o, window) / (window - 1))) {
    memory_.ring.assign(static_cast<std::size_t>(rows) * padded_, 0);
    memory_.sum.assign(padded_, 0);
    memory_.square.assign(padded_, 0);
    memory_.odd_row.assign(words_ + 2, std::numeric_limits<int>::min());
    memory_.may.assign(words_, 0);
  }

  /// Whether the sums are made for such windows.
  static bool fits(const Options& o) { return o.kernel_x == half && o.kernel_y == half; }

  /// Row y enters; its valid bits are there already.
  void enter_row(int y, const Word* valid) {
    const T* row = pixels_.row(y);
    float* ring = ring_row(y);
    for (int word = 0; word < words_; ++word) {
      T inside[word_bits] = {};
      const int n = std::min(word_bits, pixels_.width - word * word_bits);
      std::copy_n(row + word * word_bits, n, inside);
      if (load_word(inside, valid[word], ring + word * word_bits)) memory_.odd_row[word + 1] = y;
    }
  }
  /// A row below the panel.
  void leave_row(int y) { std::fill_n(ring_row(y), words_ * word_bits, 0.0F); }

  /// Looks at all windows whose lower row entered last.
  void look_at_row() {
    add_rows();
    SevenColumns<float> sums(memory_.sum.data() + word_bits - half);
    SevenColumns<float> squares(memory_.square.data() + word_bits - half);
    for (int word = 0; word < words_; ++word) {
      Lanes<std::int32_t> may[word_bits / lane_count], any{};
      for (auto& part : may) part = candidates(sums.next(), squares.next()), any |= part;
      memory_.may[word] = 0;
      if (!any_negative(any)) continue;
      for (int i = 0; i < word_bits / lane_count; ++i)
        memory_.may[word] |= true_bits(may[i]) << (i * lane_count);
    }
  }

  /// Pixels of a word of row y (the middle of the window) that need a closer look: at least all
  /// dispersed ones.
  Word may_be_dispersed(int y, int word) const {
    const int* odd = memory_.odd_row.data() + word;
    return std::max({odd[0], odd[1], odd[2]}) >= y - half ? ~Word{0} : memory_.may[word];
  }

private:
  static constexpr int half = 3, rows = 2 * half + 1, window = rows * rows;
  /// Squares of smaller values would leave the range of floats.
  static constexpr double smallest_value = 1e-15;
  /// Relative rounding of 49-term sums in float is below 1e-6; ten times that is allowed for.
  static constexpr float slack = 1e-5F;

  /// Valid values to float, 0 for the others; true if a valid one is too large or too small for sums
  /// in float. Without branches, so that it runs in vectors.
  bool load_word(const T* raw, Word valid, float* to) const {
    Word odd = 0;
    for (int i = 0; i < word_bits; ++i) {
      const auto value = static_cast<double>(counts_(raw[i]));
      const double size = std::abs(value);
      const Word in = (valid >> i) & 1u,
                 plain = Word{size < static_cast<double>(summed_value_limit)} &
                         (Word{size > smallest_value} | Word{size == 0});
      to[i] = (in & plain) != 0 ? static_cast<float>(value) : 0.0F;
      odd |= in & ~plain;
    }
    return (odd & 1u) != 0;
  }

  float* ring_row(int y) {
    return memory_.ring.data() + static_cast<std::size_t>(y % rows) * padded_ + word_bits;
  }

  void add_rows() {
    for (int at = word_bits; at < word_bits * (words_ + 1); at += lane_count) {
      Lanes<float> sum{}, square{};
      for (int r = 0; r < rows; ++r) {
        const Lanes<float> value =
            load_lanes(memory_.ring.data() + static_cast<std::size_t>(r) * padded_ + at);
        sum += value;
        square += value * value;
      }
      store_lanes(memory_.sum.data() + at, sum);
      store_lanes(memory_.square.data() + at, square);
    }
  }

  Lanes<std::int32_t> candidates(const Lanes<float>& x, const Lanes<float>& y) const {
    // A pixel is dispersed when n y - x^2 - limit(n) x > 0, and limit(n) >= (n - 1) dispersion_. With
    // that bound the left side is linear in n, so that it is enough to look at n = 2 and n = 49.
    // The rounding of x, up to 1e-6 sqrt(49 y), enters through limit x as well:
    // limit 1e-6 sqrt(49 y) <= slack / 2 * 49 y + 5e-8 limit^2.
    const float limit = dispersion_ * static_cast<float>(window - 1);
    const Lanes<float> spread = y * static_cast<float>(window),
                       allowance = spread * (2 * slack) + 5e-8F * limit * limit;
    const Lanes<std::int32_t> full = spread + allowance > x * (x + limit),
                              least = 2 * y + allowance > x * (x + dispersion_);
    const Lanes<std::int32_t> positive = (x >= 0) | (x * x <= spread * (slack * slack));
    return (full | least) & positive & (y > 0);
  }

  FloatSumsMemory& memory_;
  PanelPixels<T> pixels_;
  Counts counts_;
  int words_, padded_;
  float dispersion_;
};

} // namespace kilobragg::threshold
