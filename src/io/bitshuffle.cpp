// Bitshuffle-LZ4 and plain LZ4 chunks: headers and blocks over liblz4, transposes chosen at run time.
#include "kilobragg/io/bitshuffle.hpp"

#include "bit_transpose.hpp"

#include "kilobragg/core/error.hpp"

#include <lz4.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace kilobragg::io {
namespace {

constexpr std::size_t header_size = 12;
/// Blocks of this many bytes stay in the first-level cache; the default of bitshuffle's writers.
constexpr std::size_t target_block = 8192;
/// No writer makes larger blocks, and LZ4 could not hold them.
constexpr std::size_t largest_block = 1u << 30;

std::uint64_t big_endian(const std::byte* p, int bytes) {
  std::uint64_t v = 0;
  for (int i = 0; i < bytes; ++i) v = v << 8 | std::to_integer<std::uint64_t>(p[i]);
  return v;
}

void put_big_endian(std::vector<std::byte>& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

/// Walks through the blocks of a chunk.
class ChunkCursor {
public:
  ChunkCursor(std::span<const std::byte> chunk, std::size_t decoded)
      : rest_(chunk) {
    core::require(chunk.size() >= header_size,
                  "chunk is truncated ({} bytes, the header alone has {})", chunk.size(),
                  header_size);
    const std::uint64_t size = big_endian(chunk.data(), 8);
    core::require(size == decoded, "chunk is corrupt (it announces {} decoded bytes instead of {})",
                  size, decoded);
    block_size_ = big_endian(chunk.data() + 8, 4);
    rest_ = chunk.subspan(header_size);
  }
  std::size_t block_size() const { return block_size_; }
  /// The compressed bytes of the next block.
  std::span<const std::byte> next_block() {
    core::require(rest_.size() >= 4, "chunk is truncated (a block is missing)");
    const std::size_t size = big_endian(rest_.data(), 4);
    rest_ = rest_.subspan(4);
    core::require(size <= rest_.size(), "chunk is truncated (a block of {} bytes ends after {})",
                  size, rest_.size());
    return take(size);
  }
  /// `size` bytes as they are.
  std::span<const std::byte> take(std::size_t size) {
    core::require(size <= rest_.size(), "chunk is truncated (its last {} bytes are missing)",
                  size - rest_.size());
    const auto bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
  }

private:
  std::span<const std::byte> rest_;
  std::size_t block_size_ = 0;
};

void lz4_block(std::span<const std::byte> from, std::byte* to, std::size_t size) {
  const int got = LZ4_decompress_safe(
      reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(to),
      static_cast<int>(std::min<std::size_t>(from.size(), largest_block)), static_cast<int>(size));
  core::require(got >= 0 && static_cast<std::size_t>(got) == size,
                "chunk is corrupt (an LZ4 block does not decode to {} bytes)", size);
}

void append_lz4(std::vector<std::byte>& out, std::span<const std::byte> block, bool may_store) {
  const auto bound = static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(block.size())));
  const std::size_t at = out.size();
  out.resize(at + 4 + bound);
  const int size = LZ4_compress_default(reinterpret_cast<const char*>(block.data()),
                                        reinterpret_cast<char*>(out.data() + at + 4),
                                        static_cast<int>(block.size()), static_cast<int>(bound));
  std::size_t length = static_cast<std::size_t>(size);
  if (may_store && length >= block.size()) {
    length = block.size();
    std::memcpy(out.data() + at + 4, block.data(), length);
  }
  for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<std::byte>(length >> (8 * (3 - i)));
  out.resize(at + 4 + length);
}

BitUntranspose choose(BitshuffleKernel kernel) {
  if (kernel == BitshuffleKernel::portable) return bit_untranspose_portable;
  const BitUntranspose avx2 = bit_untranspose_avx2();
  core::require(avx2 || kernel == BitshuffleKernel::automatic, "this processor has no AVX2");
  return avx2 ? avx2 : bit_untranspose_portable;
}

void require_element_size(std::size_t size) {
  core::require(size == 1 || size == 2 || size == 4 || size == 8,
                "chunk has elements of {} bytes (1, 2, 4 and 8 are known)", size);
}

} // namespace

void decode_bitshuffle_lz4(std::span<const std::byte> chunk, std::size_t element_size,
                           std::span<std::byte> out, std::vector<std::byte>& scratch,
                           BitshuffleKernel kernel) {
  require_element_size(element_size);
  ChunkCursor cursor(chunk, out.size());
  const std::size_t group = 8 * element_size, block = cursor.block_size();
  core::require(block > 0 && block % group == 0 && block <= largest_block,
                "chunk is corrupt (blocks of {} bytes for elements of {})", block, element_size);
  core::require(out.size() % element_size == 0,
                "chunk is corrupt ({} bytes are no whole number of {}-byte elements)", out.size(),
                element_size);
  const std::size_t grouped = out.size() / group * group;
  if (scratch.size() < std::min(block, grouped)) scratch.resize(std::min(block, grouped));
  const BitUntranspose untranspose = choose(kernel);
  for (std::size_t done = 0; done < grouped;) {
    const std::size_t size = std::min(block, grouped - done);
    lz4_block(cursor.next_block(), scratch.data(), size);
    untranspose(scratch.data(), out.data() + done, size / element_size, element_size);
    done += size;
  }
  const auto rest = cursor.take(out.size() - grouped);
  std::copy(rest.begin(), rest.end(), out.begin() + static_cast<std::ptrdiff_t>(grouped));
}

void decode_lz4(std::span<const std::byte> chunk, std::span<std::byte> out) {
  ChunkCursor cursor(chunk, out.size());
  const std::size_t block = cursor.block_size();
  core::require(block > 0 && block <= largest_block, "chunk is corrupt (blocks of {} bytes)",
                block);
  for (std::size_t done = 0; done < out.size();) {
    const std::size_t size = std::min(block, out.size() - done);
    const auto bytes = cursor.next_block();
    if (bytes.size() == size)
      std::memcpy(out.data() + done, bytes.data(), size);
    else
      lz4_block(bytes, out.data() + done, size);
    done += size;
  }
}

std::vector<std::byte> encode_bitshuffle_lz4(std::span<const std::byte> data,
                                             std::size_t element_size) {
  require_element_size(element_size);
  core::require(data.size() % element_size == 0, "data are no whole number of elements");
  const std::size_t group = 8 * element_size, grouped = data.size() / group * group;
  std::vector<std::byte> out, planes(target_block);
  out.reserve(header_size + data.size() / 2);
  put_big_endian(out, data.size(), 8);
  put_big_endian(out, target_block, 4);
  for (std::size_t done = 0; done < grouped;) {
    const std::size_t size = std::min(target_block, grouped - done);
    bit_transpose_portable(data.data() + done, planes.data(), size / element_size, element_size);
    append_lz4(out, std::span(planes).first(size), false);
    done += size;
  }
  const auto rest = data.subspan(grouped);
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

std::vector<std::byte> encode_lz4(std::span<const std::byte> data, std::size_t block_size) {
  core::require(block_size > 0 && block_size <= largest_block, "blocks of {} bytes", block_size);
  std::vector<std::byte> out;
  put_big_endian(out, data.size(), 8);
  put_big_endian(out, block_size, 4);
  for (std::size_t done = 0; done < data.size();) {
    const std::size_t size = std::min(block_size, data.size() - done);
    append_lz4(out, data.subspan(done, size), true);
    done += size;
  }
  return out;
}

} // namespace kilobragg::io
