// Planes to elements with AVX2: 256 elements at a time by butterflies across eight registers.
#include "bit_transpose.hpp"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>

// Chosen at run time, so the functions carry their own target whatever the build's -march is.
#define KILOBRAGG_AVX2 __attribute__((target("avx2")))
#define KILOBRAGG_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

namespace kilobragg::io {
namespace {

/// Eight registers of 32 bytes.
struct Rows {
  __m256i r[8];
};

/// Exchanges, byte by byte, the high half of every 2*shift-bit field of `a` with the low half of
/// that of `b`; `mask` selects the low halves.
template <int shift>
KILOBRAGG_AVX2_INLINE void exchange(__m256i& a, __m256i& b, __m256i mask) {
  const __m256i t = _mm256_and_si256(_mm256_xor_si256(_mm256_srli_epi16(a, shift), b), mask);
  b = _mm256_xor_si256(b, t);
  a = _mm256_xor_si256(a, _mm256_slli_epi16(t, shift));
}

/// 32 bit matrices of 8 x 8, one per byte position: bit i of row r goes to bit r of row i.
KILOBRAGG_AVX2_INLINE void transpose_bits(Rows& x) {
  const __m256i m1 = _mm256_set1_epi8(0x55), m2 = _mm256_set1_epi8(0x33),
                m4 = _mm256_set1_epi8(0x0F);
  for (int i = 0; i < 8; i += 2) exchange<1>(x.r[i], x.r[i + 1], m1);
  for (int i = 0; i < 8; i += 4)
    for (int k = i; k < i + 2; ++k) exchange<2>(x.r[k], x.r[k + 2], m2);
  for (int k = 0; k < 4; ++k) exchange<4>(x.r[k], x.r[k + 4], m4);
}

KILOBRAGG_AVX2_INLINE __m256i load(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
KILOBRAGG_AVX2_INLINE void store(std::byte* p, __m256i v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
}

/// Row i of the result holds one byte of elements 8j + i, j = 0 ... 31. Returns false, leaving zeros,
/// where all eight planes are zero: common in the upper bytes of 32-bit counts.
KILOBRAGG_AVX2_INLINE bool load_byte(const std::byte* planes, std::size_t stride, Rows& x) {
  __m256i any = _mm256_setzero_si256();
  for (int i = 0; i < 8; ++i) {
    x.r[i] = load(planes + static_cast<std::size_t>(i) * stride);
    any = _mm256_or_si256(any, x.r[i]);
  }
  if (_mm256_testz_si256(any, any)) return false;
  transpose_bits(x);
  return true;
}

// A 128-bit half of the rows holds 16 octets of elements. Unpacking works on both halves alike, so
// octets 0-15 stay in the low halves and 16-31 in the high ones until the store.

/// 8 x 8 transpose of 16-bit units within each half: row i, unit k goes to row k, unit i, so that
/// row k holds the eight elements of one octet.
KILOBRAGG_AVX2_INLINE void transpose_units16(Rows& x) {
  Rows a, b;
  for (int i = 0; i < 4; ++i) {
    a.r[2 * i] = _mm256_unpacklo_epi16(x.r[2 * i], x.r[2 * i + 1]);
    a.r[2 * i + 1] = _mm256_unpackhi_epi16(x.r[2 * i], x.r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    b.r[4 * i] = _mm256_unpacklo_epi32(a.r[4 * i], a.r[4 * i + 2]);
    b.r[4 * i + 1] = _mm256_unpackhi_epi32(a.r[4 * i], a.r[4 * i + 2]);
    b.r[4 * i + 2] = _mm256_unpacklo_epi32(a.r[4 * i + 1], a.r[4 * i + 3]);
    b.r[4 * i + 3] = _mm256_unpackhi_epi32(a.r[4 * i + 1], a.r[4 * i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    x.r[2 * i] = _mm256_unpacklo_epi64(b.r[i], b.r[i + 4]);
    x.r[2 * i + 1] = _mm256_unpackhi_epi64(b.r[i], b.r[i + 4]);
  }
}

/// Stores the low halves of the rows one after the other and the high halves likewise, `high` bytes
/// further on.
KILOBRAGG_AVX2_INLINE void store_halves(std::byte* out, const Rows& x, std::size_t high) {
  for (int i = 0; i < 8; i += 2) {
    const __m256i low = _mm256_permute2x128_si256(x.r[i], x.r[i + 1], 0x20);
    const __m256i top = _mm256_permute2x128_si256(x.r[i], x.r[i + 1], 0x31);
    store(out + 16 * i, low);
    store(out + high + 16 * i, top);
  }
}

/// Elements of one byte in order: afterwards the low half of row k holds octets 2k and 2k + 1.
KILOBRAGG_AVX2_INLINE void order_bytes(Rows& x) {
  Rows p, q;
  for (int i = 0; i < 4; ++i) {
    p.r[i] = _mm256_unpacklo_epi8(x.r[2 * i], x.r[2 * i + 1]);
    p.r[i + 4] = _mm256_unpackhi_epi8(x.r[2 * i], x.r[2 * i + 1]);
  }
  for (int h = 0; h < 8; h += 4) {
    q.r[h] = _mm256_unpacklo_epi16(p.r[h], p.r[h + 1]);
    q.r[h + 1] = _mm256_unpackhi_epi16(p.r[h], p.r[h + 1]);
    q.r[h + 2] = _mm256_unpacklo_epi16(p.r[h + 2], p.r[h + 3]);
    q.r[h + 3] = _mm256_unpackhi_epi16(p.r[h + 2], p.r[h + 3]);
  }
  for (int h = 0; h < 8; h += 4) {
    x.r[h] = _mm256_unpacklo_epi32(q.r[h], q.r[h + 2]);
    x.r[h + 1] = _mm256_unpackhi_epi32(q.r[h], q.r[h + 2]);
    x.r[h + 2] = _mm256_unpacklo_epi32(q.r[h + 1], q.r[h + 3]);
    x.r[h + 3] = _mm256_unpackhi_epi32(q.r[h + 1], q.r[h + 3]);
  }
}

// Each of these writes 256 elements, or returns false without writing where all their bits are zero.

KILOBRAGG_AVX2_INLINE bool block_of_1(const std::byte* planes, std::size_t stride, std::byte* out) {
  Rows x;
  if (!load_byte(planes, stride, x)) return false;
  order_bytes(x);
  store_halves(out, x, 128);
  return true;
}

/// Counts below 256: only the low bytes have bits.
KILOBRAGG_AVX2_INLINE void widen_bytes(Rows& low, std::byte* out) {
  order_bytes(low);
  for (int i = 0; i < 8; ++i) {
    store(out + 32 * i, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(low.r[i])));
    store(out + 256 + 32 * i, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(low.r[i], 1)));
  }
}

KILOBRAGG_AVX2_INLINE bool block_of_2(const std::byte* planes, std::size_t stride, std::byte* out) {
  Rows low, high;
  const bool any_low = load_byte(planes, stride, low);
  if (!load_byte(planes + 8 * stride, stride, high)) {
    if (any_low) widen_bytes(low, out);
    return any_low;
  }
  Rows p, q;
  for (int i = 0; i < 8; ++i) {
    p.r[i] = _mm256_unpacklo_epi8(low.r[i], high.r[i]);
    q.r[i] = _mm256_unpackhi_epi8(low.r[i], high.r[i]);
  }
  transpose_units16(p);
  transpose_units16(q);
  store_halves(out, p, 256);
  store_halves(out + 128, q, 256);
  return true;
}

/// The two 16-bit halves of each element as above, then interleaved.
KILOBRAGG_AVX2_INLINE bool block_of_4(const std::byte* planes, std::size_t stride, std::byte* out) {
  alignas(32) std::byte low[512], high[512];
  const bool any_low = block_of_2(planes, stride, low);
  if (!block_of_2(planes + 16 * stride, stride, high)) {
    for (std::size_t i = 0; any_low && i < 512; i += 16)
      store(out + 2 * i,
            _mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(low + i))));
    return any_low;
  }
  if (!any_low) std::memset(low, 0, sizeof low);
  for (std::size_t i = 0; i < 512; i += 32) {
    const __m256i a = _mm256_permute4x64_epi64(load(low + i), 0xD8);
    const __m256i b = _mm256_permute4x64_epi64(load(high + i), 0xD8);
    store(out + 2 * i, _mm256_unpacklo_epi16(a, b));
    store(out + 2 * i + 32, _mm256_unpackhi_epi16(a, b));
  }
  return true;
}

KILOBRAGG_AVX2_INLINE bool block_of_8(const std::byte* planes, std::size_t stride, std::byte* out) {
  alignas(32) std::byte low[1024], high[1024];
  const bool any_low = block_of_4(planes, stride, low);
  const bool any_high = block_of_4(planes + 32 * stride, stride, high);
  if (!any_low && !any_high) return false;
  if (!any_low) std::memset(low, 0, sizeof low);
  if (!any_high) std::memset(high, 0, sizeof high);
  for (std::size_t i = 0; i < 1024; i += 32) {
    const __m256i a = _mm256_permute4x64_epi64(load(low + i), 0xD8);
    const __m256i b = _mm256_permute4x64_epi64(load(high + i), 0xD8);
    store(out + 2 * i, _mm256_unpacklo_epi32(a, b));
    store(out + 2 * i + 32, _mm256_unpackhi_epi32(a, b));
  }
  return true;
}

/// The columns of planes that no full vector covers.
void tail(const std::byte* planes, std::byte* out, std::size_t plane, std::size_t from,
          std::size_t element_size) {
  std::byte column[64];
  for (std::size_t j = from; j < plane; ++j) {
    for (std::size_t b = 0; b < 8 * element_size; ++b) column[b] = planes[b * plane + j];
    bit_untranspose_portable(column, out + 8 * j * element_size, 8, element_size);
  }
}

KILOBRAGG_AVX2_INLINE bool block_of(const std::byte* planes, std::size_t stride, std::byte* out,
                                    std::size_t element_size) {
  switch (element_size) {
  case 1:
    return block_of_1(planes, stride, out);
  case 2:
    return block_of_2(planes, stride, out);
  case 4:
    return block_of_4(planes, stride, out);
  default:
    return block_of_8(planes, stride, out);
  }
}

KILOBRAGG_AVX2 void untranspose(const std::byte* planes, std::byte* out, std::size_t count,
                                std::size_t element_size) {
  const std::size_t plane = count / 8;
  std::size_t j = 0;
  for (; j + 32 <= plane; j += 32) {
    std::byte* to = out + 8 * j * element_size;
    if (!block_of(planes + j, plane, to, element_size)) std::memset(to, 0, 256 * element_size);
  }
  tail(planes, out, plane, j, element_size);
}

} // namespace

BitUntranspose bit_untranspose_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has ? untranspose : nullptr;
}

} // namespace kilobragg::io

#else

namespace kilobragg::io {
BitUntranspose bit_untranspose_avx2() { return nullptr; }
} // namespace kilobragg::io

#endif
