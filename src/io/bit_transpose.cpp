// Portable bit transposes: eight bytes at a time as an 8 x 8 bit matrix in one 64-bit word.
#include "bit_transpose.hpp"

#include <cstdint>

namespace kilobragg::io {
namespace {

/// Transposes the 8 x 8 bit matrix whose row r is byte r of `x`: bit c of row r goes to bit r of row
/// c. Three rounds exchange blocks of 1, 2 and 4 bits (Warren, Hacker's Delight, 7-3).
std::uint64_t transpose8x8(std::uint64_t x) {
  std::uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAULL;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCULL;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0ULL;
  return x ^ t ^ (t << 28);
}

} // namespace

void bit_untranspose_portable(const std::byte* planes, std::byte* out, std::size_t count,
                              std::size_t element_size) {
  const std::size_t plane = count / 8;
  for (std::size_t byte = 0; byte < element_size; ++byte)
    for (std::size_t j = 0; j < plane; ++j) {
      std::uint64_t rows = 0;
      for (std::size_t bit = 0; bit < 8; ++bit)
        rows |= std::to_integer<std::uint64_t>(planes[(8 * byte + bit) * plane + j]) << (8 * bit);
      rows = transpose8x8(rows);
      for (std::size_t i = 0; i < 8; ++i)
        out[(8 * j + i) * element_size + byte] = static_cast<std::byte>(rows >> (8 * i));
    }
}

void bit_transpose_portable(const std::byte* elements, std::byte* planes, std::size_t count,
                            std::size_t element_size) {
  const std::size_t plane = count / 8;
  for (std::size_t byte = 0; byte < element_size; ++byte)
    for (std::size_t j = 0; j < plane; ++j) {
      std::uint64_t rows = 0;
      for (std::size_t i = 0; i < 8; ++i)
        rows |= std::to_integer<std::uint64_t>(elements[(8 * j + i) * element_size + byte])
                << (8 * i);
      rows = transpose8x8(rows);
      for (std::size_t bit = 0; bit < 8; ++bit)
        planes[(8 * byte + bit) * plane + j] = static_cast<std::byte>(rows >> (8 * bit));
    }
}

} // namespace kilobragg::io
