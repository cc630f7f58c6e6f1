// The chunk codec: both transposes against the bit-by-bit one, all sizes, and damaged chunks.
#include "reference/bitshuffle_plain.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/bitshuffle.hpp"

#include <gtest/gtest.h>
#include <lz4.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>

namespace kilobragg::io {
namespace {

using Bytes = std::vector<std::byte>;

/// Counts as detectors give them: small, so that upper planes are empty, with some large ones.
Bytes counts(std::size_t elements, std::size_t element_size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(elements * element_size);
  for (std::size_t i = 0; i < elements; ++i) {
    std::uint64_t value = random() % 7;
    if (random() % 50 == 0) value = std::uint64_t{random()} << 32 | random();
    std::memcpy(bytes.data() + i * element_size, &value, element_size);
  }
  return bytes;
}

void put(Bytes& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

/// A chunk made without our encoder: plain transposes and LZ4, any block size.
Bytes plain_chunk(const Bytes& data, std::size_t element_size, std::size_t block_elements) {
  Bytes out;
  put(out, data.size(), 8);
  put(out, block_elements * element_size, 4);
  const std::size_t count = data.size() / element_size, grouped = count / 8 * 8;
  for (std::size_t at = 0; at < grouped;) {
    const std::size_t n = std::min(block_elements, grouped - at);
    const Bytes planes = reference::transpose_bits(
        std::span(data).subspan(at * element_size, n * element_size), element_size);
    std::vector<char> packed(static_cast<std::size_t>(LZ4_compressBound(int(planes.size()))));
    const int size = LZ4_compress_default(reinterpret_cast<const char*>(planes.data()),
                                          packed.data(), int(planes.size()), int(packed.size()));
    put(out, static_cast<std::uint64_t>(size), 4);
    const auto* first = reinterpret_cast<const std::byte*>(packed.data());
    out.insert(out.end(), first, first + size);
    at += n;
  }
  out.insert(out.end(), data.begin() + std::ptrdiff_t(grouped * element_size), data.end());
  return out;
}

Bytes decode(const Bytes& chunk, std::size_t element_size, std::size_t size,
             BitshuffleKernel kernel) {
  // Exactly sized heap blocks, so that AddressSanitizer sees any byte beyond them.
  const std::unique_ptr<std::byte[]> copy(new std::byte[chunk.size()]);
  std::copy(chunk.begin(), chunk.end(), copy.get());
  Bytes out(size), scratch;
  decode_bitshuffle_lz4({copy.get(), chunk.size()}, element_size, out, scratch, kernel);
  return out;
}

bool has_avx2() { return __builtin_cpu_supports("avx2"); }

class Bitshuffle : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Bitshuffle, PlainVersionInvertsItself) {
  const Bytes data = counts(4096, GetParam(), 1);
  EXPECT_EQ(reference::untranspose_bits(reference::transpose_bits(data, GetParam()), GetParam()),
            data);
}

TEST_P(Bitshuffle, DecodesWhatThePlainVersionEncodes) {
  const std::size_t e = GetParam();
  for (const std::size_t elements : {0, 1, 7, 8, 9, 255, 256, 257, 264, 2048, 5000, 20011})
    for (const std::size_t block : {8, 24, 256, 1000, 1024, 4096}) {
      const Bytes data = counts(elements, e, static_cast<unsigned>(elements + block));
      const Bytes chunk = plain_chunk(data, e, block);
      EXPECT_EQ(decode(chunk, e, data.size(), BitshuffleKernel::portable), data)
          << elements << " in blocks of " << block;
      if (has_avx2()) {
        EXPECT_EQ(decode(chunk, e, data.size(), BitshuffleKernel::avx2), data)
            << elements << " in blocks of " << block;
      }
    }
}

TEST_P(Bitshuffle, EncoderWritesWhatThePlainVersionWrites) {
  const std::size_t e = GetParam();
  for (const std::size_t elements : {1, 8, 100, 10000}) {
    const Bytes data = counts(elements, e, 3);
    EXPECT_EQ(encode_bitshuffle_lz4(data, e), plain_chunk(data, e, 8192 / e));
  }
}

// The fast transposes skip bytes whose bits are all zero; each pattern of such bytes is a path.
TEST_P(Bitshuffle, DecodesEveryPatternOfEmptyBytes) {
  const std::size_t e = GetParam(), elements = 1000;
  std::mt19937 random(11);
  for (unsigned pattern = 0; pattern < 1u << e; ++pattern) {
    Bytes data(elements * e);
    for (std::size_t i = 0; i < data.size(); ++i)
      if (pattern >> (i % e) & 1) data[i] = static_cast<std::byte>(random());
    EXPECT_EQ(decode(plain_chunk(data, e, 512), e, data.size(), BitshuffleKernel::automatic), data)
        << pattern;
  }
}

TEST_P(Bitshuffle, AZeroChunkDecodesToZeros) {
  const Bytes data(GetParam() * 3000);
  EXPECT_EQ(decode(encode_bitshuffle_lz4(data, GetParam()), GetParam(), data.size(),
                   BitshuffleKernel::automatic),
            data);
}

TEST_P(Bitshuffle, EveryTruncationIsAnError) {
  const Bytes data = counts(2057, GetParam(), 5);
  const Bytes chunk = plain_chunk(data, GetParam(), 512);
  for (std::size_t size = 0; size < chunk.size(); ++size) {
    const Bytes part(chunk.begin(), chunk.begin() + std::ptrdiff_t(size));
    EXPECT_THROW(decode(part, GetParam(), data.size(), BitshuffleKernel::automatic), core::Error)
        << size << " of " << chunk.size() << " bytes";
  }
}

TEST_P(Bitshuffle, FlippedBytesGiveAnErrorOrOtherPixelsButNoCrash) {
  const Bytes data = counts(1111, GetParam(), 6);
  const Bytes chunk = plain_chunk(data, GetParam(), 512);
  for (std::size_t at = 0; at < chunk.size(); ++at)
    for (const unsigned flip : {0x01u, 0x80u, 0xFFu}) {
      Bytes damaged = chunk;
      damaged[at] ^= static_cast<std::byte>(flip);
      try {
        decode(damaged, GetParam(), data.size(), BitshuffleKernel::automatic);
      } catch (const core::Error&) {
        continue;
      }
      // The header and the sizes of blocks are checked, so what passes is inside a block.
      EXPECT_GE(at, 8u);
    }
}

INSTANTIATE_TEST_SUITE_P(ElementSizes, Bitshuffle, ::testing::Values(1, 2, 4, 8));

TEST(BitshuffleErrors, SayWhatIsWrong) {
  const Bytes data = counts(64, 2, 7);
  const Bytes chunk = encode_bitshuffle_lz4(data, 2);
  try {
    decode(chunk, 2, 100, BitshuffleKernel::automatic);
    FAIL() << "a wrong size passed";
  } catch (const core::Error& error) {
    EXPECT_STREQ(error.what(), "chunk is corrupt (it announces 128 decoded bytes instead of 100)");
  }
  EXPECT_THROW(decode(chunk, 3, data.size(), BitshuffleKernel::automatic), core::Error);
}

TEST(PlainLz4, RoundTripsWithAnyBlock) {
  for (const std::size_t size : {0, 1, 1000, 100000})
    for (const std::size_t block : {1, 100, 4096, 1 << 20}) {
      const Bytes data = counts(size, 1, 8);
      const Bytes chunk = encode_lz4(data, block);
      Bytes out(data.size());
      decode_lz4(chunk, out);
      EXPECT_EQ(out, data);
    }
}

TEST(PlainLz4, StoresBlocksThatDoNotShrink) {
  std::mt19937 random(9);
  Bytes noise(5000);
  for (std::byte& b : noise) b = static_cast<std::byte>(random());
  const Bytes chunk = encode_lz4(noise, 1000);
  EXPECT_EQ(chunk.size(), 12 + 5 * (4 + 1000u));
  Bytes out(noise.size());
  decode_lz4(chunk, out);
  EXPECT_EQ(out, noise);
}

TEST(PlainLz4, DamageIsAnErrorOrOtherBytes) {
  const Bytes data = counts(3000, 1, 10);
  const Bytes chunk = encode_lz4(data, 700);
  for (std::size_t size = 0; size < chunk.size(); ++size) {
    const std::unique_ptr<std::byte[]> part(new std::byte[size + 1]);
    std::copy_n(chunk.begin(), size, part.get());
    Bytes out(data.size());
    EXPECT_THROW(decode_lz4({part.get(), size}, out), core::Error) << size;
  }
  for (std::size_t at = 0; at < chunk.size(); ++at) {
    Bytes damaged = chunk, out(data.size());
    damaged[at] ^= std::byte{0x55};
    try {
      decode_lz4(damaged, out);
    } catch (const core::Error&) {
      continue;
    }
    EXPECT_GE(at, 8u);
  }
}

} // namespace
} // namespace kilobragg::io
