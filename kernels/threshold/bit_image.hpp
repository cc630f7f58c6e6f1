// One bit per pixel of a panel, in rows of 64-bit words, and the shifts that windows need.
#pragma once

#include "kernels/function.hpp"

#include <cstddef>
#include <cstdint>

namespace kilobragg::threshold {

using Word = std::uint64_t;
inline constexpr int word_bits = 64;

KOKKOS_INLINE_FUNCTION constexpr int words_for(int width) {
  return (width + word_bits - 1) / word_bits;
}
/// The lowest n bits set, 0 <= n <= 64.
KOKKOS_INLINE_FUNCTION constexpr Word low_bits(int n) {
  return n >= word_bits ? ~Word{0} : (Word{1} << n) - 1;
}

/// A panel's bits; bit x % 64 of word x / 64 of row y is pixel (x, y). Bits past the width are 0.
struct BitImage {
  Word* words = nullptr;
  int width = 0, height = 0;

  KOKKOS_INLINE_FUNCTION int words_per_row() const { return words_for(width); }
  KOKKOS_INLINE_FUNCTION Word* row(int y) const {
    return words + static_cast<std::size_t>(y) * words_per_row();
  }
  KOKKOS_INLINE_FUNCTION bool test(int x, int y) const {
    return (row(y)[x / word_bits] >> (x % word_bits)) & 1u;
  }
};

/// Bits of the columns x0 .. x0+63 of a row, x0 >= 0, zeros past the end.
KOKKOS_INLINE_FUNCTION Word bits_from(const Word* row, int words_per_row, int x0) {
  const int word = x0 / word_bits, shift = x0 % word_bits;
  const Word low = word < words_per_row ? row[word] >> shift : 0;
  const Word high =
      shift != 0 && word + 1 < words_per_row ? row[word + 1] << (word_bits - shift) : 0;
  return low | high;
}

/// Pixels of word `word` of a row whose neighbours left and right within `radius` < 64 are all set;
/// what lies outside the panel does not count against them.
KOKKOS_INLINE_FUNCTION Word eroded_in_row(const BitImage& bits, int y, int word, int radius) {
  const int last = bits.words_per_row() - 1;
  const Word* row = bits.row(y);
  const Word outside = ~low_bits(bits.width - last * word_bits); // of the last word
  auto filled = [&](int w) {
    if (w < 0 || w > last) return ~Word{0};
    return w == last ? row[w] | outside : row[w];
  };
  const Word before = filled(word - 1), here = filled(word), after = filled(word + 1);
  Word kept = here;
  for (int s = 1; s <= radius; ++s) {
    kept &= (here >> s) | (after << (word_bits - s));
    kept &= (here << s) | (before >> (word_bits - s));
  }
  return word == last ? kept & ~outside : kept;
}

/// Pixels of one word that have only set pixels within the Chebyshev distance `radius`.
KOKKOS_INLINE_FUNCTION Word eroded(const BitImage& bits, int y, int word, int radius) {
  Word kept = ~Word{0};
  const int y0 = y > radius ? y - radius : 0;
  const int y1 = y + radius < bits.height ? y + radius : bits.height - 1;
  for (int row = y0; row <= y1 && kept != 0; ++row) kept &= eroded_in_row(bits, row, word, radius);
  return kept;
}

} // namespace kilobragg::threshold
