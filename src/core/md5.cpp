// MD5 after RFC 1321.
#include "kilobragg/core/hash.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace kilobragg::core {
namespace {

/// floor(2^32 |sin(i + 1)|), the table T of RFC 1321 section 3.4.
constexpr std::array<std::uint32_t, 64> sines{
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr std::array<int, 16> shifts{7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};

using State = std::array<std::uint32_t, 4>;

/// The round function and the word that step `i` takes.
struct Mix {
  std::uint32_t value;
  int word;
};
Mix mix(int i, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  switch (i / 16) {
  case 0:
    return {(b & c) | (~b & d), i};
  case 1:
    return {(d & b) | (~d & c), (5 * i + 1) % 16};
  case 2:
    return {b ^ c ^ d, (3 * i + 5) % 16};
  default:
    return {c ^ (b | ~d), (7 * i) % 16};
  }
}

void add_block(State& state, const std::byte* block) {
  static_assert(std::endian::native == std::endian::little);
  std::array<std::uint32_t, 16> words;
  std::memcpy(words.data(), block, sizeof words);
  auto [a, b, c, d] = state;
  for (int i = 0; i < 64; ++i) {
    const Mix m = mix(i, b, c, d);
    const std::uint32_t sum = a + m.value + sines[i] + words[m.word];
    a = d, d = c, c = b;
    b += std::rotl(sum, shifts[4 * (i / 16) + i % 4]);
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

std::string to_hex(const State& state) {
  std::string text;
  for (const std::uint32_t word : state)
    for (int i = 0; i < 4; ++i)
      for (const int shift : {4, 0}) text += "0123456789abcdef"[(word >> (8 * i + shift)) & 15];
  return text;
}

} // namespace

std::string md5_hex(std::span<const std::byte> bytes) {
  State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const std::size_t whole = bytes.size() / 64 * 64;
  for (std::size_t at = 0; at < whole; at += 64) add_block(state, bytes.data() + at);
  // The rest, a one bit, zeros, and the length in bits fill one or two blocks.
  std::array<std::byte, 128> tail{};
  const std::size_t rest = bytes.size() - whole;
  if (rest) std::memcpy(tail.data(), bytes.data() + whole, rest);
  tail[rest] = std::byte{0x80};
  const std::size_t length = rest < 56 ? 64 : 128;
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  std::memcpy(tail.data() + length - 8, &bits, 8);
  for (std::size_t at = 0; at < length; at += 64) add_block(state, tail.data() + at);
  return to_hex(state);
}

std::string md5_hex(std::string_view text) {
  return md5_hex(std::as_bytes(std::span(text.data(), text.size())));
}

} // namespace kilobragg::core
