// Column sums that slide down a panel of integers and tell which pixels can be dispersed at all.
#pragma once

#include "kernels/threshold/panel_pixels.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

namespace kilobragg::threshold {

/// Memory of RunningSums, kept from panel to panel.
struct RunningSumsMemory {
  std::vector<std::int16_t> ring;    ///< the rows inside the window; 0 where nothing is summed
  std::vector<std::int32_t> sum;     ///< of each column over the window's rows
  std::vector<std::uint32_t> square; ///< sum of squares of each column
  std::vector<std::uint8_t> count;   ///< valid pixels of each column
  std::vector<int> bright_row;       ///< of each word, the last row with a value out of bounds
};

/// Window sums of one row's 64 pixels, as found in the column sums.
struct WordSums {
  std::int32_t sum[word_bits], square[word_bits];
  std::uint8_t count[word_bits];
};

/// Sums over windows of a panel of integers as the window slides down: each row enters once and
/// leaves once. 32-bit lanes hold them exactly because values beyond `value_bound` stay out; words
/// whose windows touch such a value say so and are left to exact sums over the pixels themselves.
template <typename T>
class RunningSums {
public:
  RunningSums(RunningSumsMemory& memory, const PanelPixels<T>& pixels, const Options& o)
      : memory_(memory)
      , pixels_(pixels)
      , o_(o)
      , words_(words_for(pixels.width))
      , padded_((words_ + 2) * word_bits)
      , window_((2 * o.kernel_x + 1) * (2 * o.kernel_y + 1)) {
    value_bound_ = 1;
    while ((value_bound_ + 1) * (value_bound_ + 1) <=
           std::numeric_limits<std::int32_t>::max() / window_)
      ++value_bound_;
    clear();
  }

  /// Whether windows of this size fit the counters.
  static bool fits(const Options& o) {
    return (2 * o.kernel_x + 1) * (2 * o.kernel_y + 1) <= std::numeric_limits<std::uint8_t>::max();
  }

  /// Row y < height enters, row y - 2 kernel_y - 1 leaves; `valid` receives the bits of usable pixels
  /// and `leaving` holds those of the row that leaves (null = none).
  void enter_row(int y, Word* valid, const Word* leaving) {
    const T* row = pixels_.row(y);
    std::int16_t* ring = ring_row(y);
    for (int word = 0; word < words_; ++word) {
      const int at = column(word);
      const Word allowed = pixels_.allowed_word(y, word);
      const T* raw = row + word * word_bits;
      alignas(64) std::int16_t values[word_bits];
      if (allowed == ~Word{0} && all_plain(raw)) {
        valid[word] = allowed;
        for (int i = 0; i < word_bits; ++i) values[i] = static_cast<std::int16_t>(raw[i]);
      } else {
        valid[word] = load_mixed(raw, allowed, values, y, word);
      }
      replace(values, ring + at, memory_.sum.data() + at, memory_.square.data() + at);
      recount(word, valid[word], leaving ? leaving[word] : 0);
    }
  }

  /// Row y >= height: nothing enters, row y - 2 kernel_y - 1 leaves.
  void leave_row(int y, const Word* leaving) {
    alignas(64) static constexpr std::int16_t nothing[word_bits] = {};
    std::int16_t* ring = ring_row(y);
    for (int word = 0; word < words_; ++word) {
      const int at = column(word);
      replace(nothing, ring + at, memory_.sum.data() + at, memory_.square.data() + at);
      recount(word, 0, leaving ? leaving[word] : 0);
    }
  }

  /// Whether the windows of this word of row y (the middle of the window) hold values out of bounds.
  bool is_bright(int y, int word) const {
    const int* bright = memory_.bright_row.data() + word; // of the word before
    return std::max({bright[0], bright[1], bright[2]}) >= y - o_.kernel_y;
  }

  /// Whether any of the 64 pixels may be dispersed: never false for one that is.
  bool may_be_dispersed(int word) const {
    const int at = column(word);
    return is_full(word) ? any_full(at) : any_mixed(at);
  }

  /// Exact window sums for the 64 pixels of a word that is not bright. Returns those that may be
  /// dispersed.
  Word window_sums(int word, WordSums& out) const {
    const int at = column(word), k = o_.kernel_x;
    for (int i = 0; i < word_bits; ++i) {
      std::int32_t sum = 0;
      std::uint32_t square = 0;
      std::uint8_t count = 0;
      for (int d = -k; d <= k; ++d) {
        sum += memory_.sum[at + i + d];
        square += memory_.square[at + i + d];
        count = static_cast<std::uint8_t>(count + memory_.count[at + i + d]);
      }
      out.sum[i] = sum, out.square[i] = static_cast<std::int32_t>(square), out.count[i] = count;
    }
    Word may = 0;
    for (int i = 0; i < word_bits; ++i)
      may |= static_cast<Word>(is_candidate(out.count[i], out.sum[i], out.square[i])) << i;
    return may;
  }

private:
  int column(int word) const { return (word + 1) * word_bits; }
  std::int16_t* ring_row(int y) {
    return memory_.ring.data() + static_cast<std::size_t>(y % (2 * o_.kernel_y + 1)) * padded_;
  }

  void clear() {
    memory_.ring.assign(static_cast<std::size_t>(2 * o_.kernel_y + 1) * padded_, 0);
    memory_.sum.assign(padded_, 0);
    memory_.square.assign(padded_, 0);
    memory_.count.assign(padded_, 0);
    memory_.bright_row.assign(words_ + 2, std::numeric_limits<int>::min());
    for (int m = 0; m <= window_; ++m) {
      scaled_count_[m] = static_cast<float>(m * (1 + rounding_slack));
      limit_[m] =
          m < 1 ? 0 : static_cast<float>(o_.gain * dispersion_limit(o_, static_cast<double>(m)));
    }
  }

  /// Whether 64 pixels are all trusted and within the bound.
  bool all_plain(const T* raw) const {
    using Wide = std::conditional_t<sizeof(T) < 4, std::int32_t, std::int64_t>;
    const Wide low = std::max<Wide>(pixels_.lowest, -value_bound_),
               high = std::min<Wide>(pixels_.highest, value_bound_);
    if (low > high) return false;
    using Unsigned = std::make_unsigned_t<T>;
    const auto first = static_cast<Unsigned>(low);
    Unsigned farthest = 0;
    for (int i = 0; i < word_bits; ++i)
      farthest = std::max(farthest, static_cast<Unsigned>(static_cast<Unsigned>(raw[i]) - first));
    return farthest <= static_cast<Unsigned>(high - low);
  }

  Word load_mixed(const T* raw, Word allowed, std::int16_t* values, int y, int word) {
    Word valid = 0;
    const int n = std::min(word_bits, pixels_.width - word * word_bits);
    std::fill(values, values + word_bits, std::int16_t{0});
    for (int i = 0; i < n; ++i) {
      if (!((allowed >> i) & 1u) || !pixels_.trusts(raw[i])) continue;
      valid |= Word{1} << i;
      if (raw[i] <= value_bound_ && static_cast<std::int64_t>(raw[i]) >= -value_bound_)
        values[i] = static_cast<std::int16_t>(raw[i]);
      else
        memory_.bright_row[word + 1] = y;
    }
    return valid;
  }

  static void replace(const std::int16_t* values, std::int16_t* ring, std::int32_t* sum,
                      std::uint32_t* square) {
    for (int i = 0; i < word_bits; ++i) {
      const std::int32_t in = values[i], out = ring[i];
      sum[i] += in - out;
      square[i] += static_cast<std::uint32_t>((in - out) * (in + out));
      ring[i] = values[i];
    }
  }

  void recount(int word, Word in, Word out) {
    if (in == out) return;
    std::uint8_t* count = memory_.count.data() + column(word);
    for (int i = 0; i < word_bits; ++i)
      count[i] = static_cast<std::uint8_t>(count[i] + ((in >> i) & 1u) - ((out >> i) & 1u));
  }

  bool is_full(int word) const {
    const int k = o_.kernel_x, full = 2 * o_.kernel_y + 1;
    const std::uint8_t* count = memory_.count.data() + column(word) - k;
    std::uint8_t different = 0;
    for (int i = 0; i < word_bits + 2 * k; ++i)
      different = static_cast<std::uint8_t>(different | (count[i] ^ full));
    return different == 0;
  }

  /// count * squares * (1 + slack) > sum * (sum + gain * limit) and sum >= 0 anywhere in the word.
  bool any_full(int at) const { return o_.kernel_x == 3 ? any_full_of<3>(at) : any_mixed(at); }

  template <int K>
  bool any_full_of(int at) const {
    const std::int32_t* sums = memory_.sum.data() + at;
    const std::uint32_t* squares = memory_.square.data() + at;
    const float scaled = scaled_count_[window_], limit = limit_[window_];
    std::int32_t any = 0;
    for (int i = 0; i < word_bits; ++i) {
      std::int32_t sum = 0;
      std::uint32_t square = 0;
      for (int d = -K; d <= K; ++d) sum += sums[i + d], square += squares[i + d];
      const float x = static_cast<float>(sum),
                  below = x * (x + limit) -
                          static_cast<float>(static_cast<std::int32_t>(square)) * scaled;
      std::int32_t sign;
      std::memcpy(&sign, &below, sizeof sign);
      any |= sign & ~sum;
    }
    return any < 0;
  }

  /// The same for one pixel with its own count.
  bool is_candidate(int count, std::int32_t sum, std::int32_t square) const {
    const float x = static_cast<float>(sum);
    return sum >= 0 && x * (x + limit_[count]) < static_cast<float>(square) * scaled_count_[count];
  }

  bool any_mixed(int at) const {
    const int k = o_.kernel_x;
    bool any = false;
    for (int i = 0; i < word_bits; ++i) {
      std::int32_t sum = 0;
      std::uint32_t square = 0;
      int count = 0;
      for (int d = -k; d <= k; ++d) {
        sum += memory_.sum[at + i + d];
        square += memory_.square[at + i + d];
        count += memory_.count[at + i + d];
      }
      any |= is_candidate(count, sum, static_cast<std::int32_t>(square));
    }
    return any;
  }

  /// Covers the rounding of the float comparison, a few units of 2^-24.
  static constexpr double rounding_slack = 2e-6;

  RunningSumsMemory& memory_;
  PanelPixels<T> pixels_;
  Options o_;
  int words_, padded_, window_;
  std::int32_t value_bound_;
  float scaled_count_[256], limit_[256];
};

} // namespace kilobragg::threshold
