// Column sums that slide down a panel of integers and tell which pixels can be dispersed at all.
#pragma once

#include "kernels/threshold/lanes.hpp"
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
  std::vector<std::uint8_t> full;    ///< of each word, whether its windows hold valid pixels only
  std::vector<std::uint8_t> stale;   ///< whether `full` must be looked up again
  std::vector<std::uint8_t> may;     ///< of each word, whether it may hold dispersed pixels
};

/// Sums over 7 neighbouring columns, walking right by one vector at a time.
template <typename Value>
struct SevenColumns {
  using V = Lanes<Value>;
  const Value* from; ///< leftmost column of the first lane's window
  V pairs;

  explicit SevenColumns(const Value* first)
      : from(first)
      , pairs(pairs_at(first)) {}
  static V pairs_at(const Value* at) { return load_lanes(at) + load_lanes(at + 1); }
  V next() {
    const V right = pairs_at(from + lane_count);
    const V sum = (pairs + shifted_lanes<2>(pairs, right)) +
                  (shifted_lanes<4>(pairs, right) + load_lanes(from + 6));
    from += lane_count;
    pairs = right;
    return sum;
  }
};

/// Window sums of one row's 64 pixels, as found in the column sums.
struct WordSums {
  std::int32_t sum[word_bits], square[word_bits];
  std::int32_t count[word_bits];
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
      , padded_((words_ + 3) * word_bits)
      , window_((2 * o.kernel_x + 1) * (2 * o.kernel_y + 1))
      , value_bound_(static_cast<std::int32_t>(
            std::sqrt(std::numeric_limits<std::int32_t>::max() / window_)))
      , dispersion_(static_cast<float>(o.gain * dispersion_limit(o, window_) / (window_ - 1))) {
    plain_low_ = std::max<std::int64_t>(pixels.lowest, -value_bound_);
    plain_high_ = std::min<std::int64_t>(pixels.highest, value_bound_);
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
      const Word allowed = pixels_.allowed_word(y, word);
      const T* raw = row + word * word_bits;
      WordLanes values;
      if (allowed == ~Word{0} && load_plain(raw, values))
        valid[word] = allowed;
      else
        valid[word] = load_mixed(raw, allowed, values, y, word);
      replace(values, ring, column(word));
      recount(word, valid[word], leaving ? leaving[word] : 0);
    }
  }

  /// Row y >= height: nothing enters, row y - 2 kernel_y - 1 leaves.
  void leave_row(int y, const Word* leaving) {
    std::int16_t* ring = ring_row(y);
    const WordLanes nothing{};
    for (int word = 0; word < words_; ++word) {
      replace(nothing, ring, column(word));
      recount(word, 0, leaving ? leaving[word] : 0);
    }
  }

  /// Whether the windows of this word of row y (the middle of the window) hold values out of bounds.
  bool is_bright(int y, int word) const {
    if (last_bright_row_ < y - o_.kernel_y) return false;
    const int* bright = memory_.bright_row.data() + word; // of the word before
    return std::max({bright[0], bright[1], bright[2]}) >= y - o_.kernel_y;
  }

  /// Looks at all windows whose lower row entered last: afterwards may_be_dispersed() answers.
  void look_at_row() {
    if (o_.kernel_x == 3) look_at_full_windows();
  }

  /// Whether the 64 pixels of a word of row y (the middle of the window) need no closer look: all
  /// windows full, no value out of bounds, none dispersed.
  bool is_quiet(int y, int word) {
    return o_.kernel_x == 3 && memory_.may[word] == 0 && is_full(word) && !is_bright(y, word);
  }

  /// Exact window sums for the 64 pixels of a word that is not bright. Returns those that may be
  /// dispersed: all that are, and few others.
  Word window_sums(int word, WordSums& out) const {
    const int at = column(word);
    if (o_.kernel_x == 3)
      add_seven_columns(at, out);
    else
      add_columns(at, out);
    Word may = 0;
    for (int i = 0; i < word_bits; i += lane_count) {
      const Ints sum = load_lanes(out.sum + i);
      const Floats x = convert_lanes<float>(sum),
                   y = convert_lanes<float>(load_lanes(out.square + i)),
                   count = convert_lanes<float>(load_lanes(out.count + i));
      const Ints dispersed =
          x * (x + (count - 1) * dispersion_) < y * count * static_cast<float>(1 + rounding_slack);
      may |= true_bits(dispersed & (sum >= 0)) << i;
    }
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
    memory_.full.assign(words_ + 2, 0);
    memory_.may.assign(words_, 0);
    memory_.stale.assign(words_ + 2, 1);
  }

  using Ints = Lanes<std::int32_t>;
  using Unsigneds = Lanes<std::uint32_t>;
  using Floats = Lanes<float>;
  static constexpr int parts = word_bits / lane_count;
  /// The values of one word.
  struct WordLanes {
    Ints part[parts];
  };

  /// Loads 64 pixels that are all trusted and within the bound; false if they are not.
  bool load_plain(const T* raw, WordLanes& values) const {
    if (plain_low_ > plain_high_) return false;
    const auto low = static_cast<std::uint32_t>(plain_low_);
    Unsigneds farthest{};
    for (int i = 0; i < parts; ++i) {
#ifdef PF
      __builtin_prefetch(raw + i * lane_count + PF);
#endif
      values.part[i] = convert_lanes<std::int32_t>(load_lanes(raw + i * lane_count));
      const Unsigneds above = reread_lanes<std::uint32_t>(values.part[i]) - low;
      farthest = above > farthest ? above : farthest;
    }
    return !any_negative(farthest > static_cast<std::uint32_t>(plain_high_ - plain_low_));
  }

  /// Loads 64 pixels of any kind: 0 for those that are not valid or beyond the bound. Returns the
  /// valid ones.
  Word load_mixed(const T* raw, Word allowed, WordLanes& values, int y, int word) {
    T inside[word_bits] = {};
    const int n = std::min(word_bits, pixels_.width - word * word_bits);
    std::copy(raw, raw + n, inside); // never reads past the row
    Word valid = 0, bright = 0;
    for (int i = 0; i < parts; ++i) {
      const int first = i * lane_count;
      const Ints value = convert_lanes<std::int32_t>(load_lanes(inside + first)),
                 usable = lanes_from_bits(static_cast<std::uint32_t>(allowed >> first)) &
                          (value >= static_cast<std::int32_t>(pixels_.lowest)) &
                          (value <= static_cast<std::int32_t>(pixels_.highest)),
                 bounded = (value <= value_bound_) & (value >= -value_bound_);
      values.part[i] = value & usable & bounded;
      valid |= true_bits(usable) << first;
      bright |= true_bits(usable & ~bounded);
    }
    if (bright != 0) memory_.bright_row[word + 1] = last_bright_row_ = y;
    return valid;
  }

  /// Takes a word's oldest values out of its column sums and puts new ones in.
  void replace(const WordLanes& values, std::int16_t* ring, int at) {
    for (int i = 0; i < parts; ++i, at += lane_count) {
      const Ints in = values.part[i], out = convert_lanes<std::int32_t>(load_lanes(ring + at));
      store_lanes(ring + at, convert_lanes<std::int16_t>(in));
      store_lanes(memory_.sum.data() + at, Ints(load_lanes(memory_.sum.data() + at) + (in - out)));
      const Ints change = (in - out) * (in + out);
      store_lanes(memory_.square.data() + at, Unsigneds(load_lanes(memory_.square.data() + at) +
                                                        reread_lanes<std::uint32_t>(change)));
    }
  }

  void recount(int word, Word in, Word out) {
    if (in == out) return;
    for (int i = word; i <= word + 2; ++i) memory_.stale[i] = 1;
    std::uint8_t* count = memory_.count.data() + column(word);
    for (int i = 0; i < word_bits; i += lane_count) { // true lanes are -1
      const Ints change = lanes_from_bits(static_cast<std::uint32_t>(out >> i)) -
                          lanes_from_bits(static_cast<std::uint32_t>(in >> i));
      store_lanes(count + i,
                  Lanes<std::uint8_t>(load_lanes(count + i) + convert_lanes<std::uint8_t>(change)));
    }
  }

  bool is_full(int word) {
    if (memory_.stale[word + 1] != 0) {
      const std::uint8_t* count = memory_.count.data() + column(word);
      bool full = true;
      for (int i = -o_.kernel_x; i < word_bits + o_.kernel_x; ++i)
        full = full & (count[i] == 2 * o_.kernel_y + 1);
      memory_.full[word + 1] = full;
      memory_.stale[word + 1] = 0;
    }
    return memory_.full[word + 1] != 0;
  }

  /// For each word whether count * squares * (1 + slack) > sum * (sum + gain * limit) and sum >= 0
  /// for any of its pixels, taking all windows to be full of valid pixels.
  void look_at_full_windows() {
    SevenColumns<std::int32_t> sums(memory_.sum.data() + column(0) - 3);
    SevenColumns<std::uint32_t> squares(memory_.square.data() + column(0) - 3);
    const float scaled = static_cast<float>(window_ * (1 + rounding_slack)),
                limit = static_cast<float>(window_ - 1) * dispersion_;
    for (int word = 0; word < words_; ++word) {
      Ints any{};
      for (int i = 0; i < parts; ++i) {
        const Ints sum = sums.next();
        const Floats x = convert_lanes<float>(sum),
                     y = convert_lanes<float>(reread_lanes<std::int32_t>(squares.next()));
        const Floats above = x * (x + limit) - y * scaled;
        any |= reread_lanes<std::int32_t>(above) & ~sum; // sign bits
      }
      memory_.may[word] = any_negative(any);
    }
  }

  void add_columns(int at, WordSums& out) const {
    out = {};
    for (int d = -o_.kernel_x; d <= o_.kernel_x; ++d)
      for (int i = 0; i < word_bits; ++i) {
        out.sum[i] += memory_.sum[at + i + d];
        out.square[i] += static_cast<std::int32_t>(memory_.square[at + i + d]);
        out.count[i] += memory_.count[at + i + d];
      }
  }

  void add_seven_columns(int at, WordSums& out) const {
    SevenColumns<std::int32_t> sums(memory_.sum.data() + at - 3);
    SevenColumns<std::uint32_t> squares(memory_.square.data() + at - 3);
    for (int i = 0; i < word_bits; i += lane_count) {
      store_lanes(out.sum + i, sums.next());
      store_lanes(out.square + i, reread_lanes<std::int32_t>(squares.next()));
    }
    const std::uint8_t* count = memory_.count.data() + at - 3;
    std::uint8_t total[word_bits];
    for (int i = 0; i < word_bits; ++i)
      total[i] = static_cast<std::uint8_t>(count[i] + count[i + 1] + count[i + 2] + count[i + 3] +
                                           count[i + 4] + count[i + 5] + count[i + 6]);
    for (int i = 0; i < word_bits; ++i) out.count[i] = total[i];
  }

  /// Pixels from the one being loaded to the one asked for ahead of time (7 to 9 % faster).
  static constexpr int prefetch_distance = 512;
  /// Covers the rounding of the float comparison, a few units of 2^-24.
  static constexpr double rounding_slack = 2e-6;

  RunningSumsMemory& memory_;
  PanelPixels<T> pixels_;
  Options o_;
  int words_, padded_, window_;
  int last_bright_row_ = std::numeric_limits<int>::min();
  std::int32_t value_bound_;            ///< largest magnitude whose squares fit 32-bit window sums
  std::int64_t plain_low_, plain_high_; ///< raw values that are trusted and within the bound
  /// Index of dispersion that full windows must exceed; smaller windows must exceed more.
  float dispersion_;
};

} // namespace kilobragg::threshold
