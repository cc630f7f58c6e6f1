// Bitshuffle-LZ4 and plain LZ4 chunks of HDF5 data sets (filters 32008 and 32004): decode and encode.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace kilobragg::io {

/// HDF5 filter numbers of the chunk formats that this file reads.
inline constexpr int bitshuffle_filter = 32008, lz4_filter = 32004;

/// Which bit transpose decodes; `automatic` takes the fastest that this processor has.
enum class BitshuffleKernel { automatic, portable, avx2 };

/// Decodes one bitshuffle-LZ4 chunk into `out`, which must have exactly the decoded size.
/// `element_size` (1, 2, 4 or 8 bytes) is the first data option of the filter. Layout: 8 bytes
/// big-endian decoded size, 4 bytes big-endian block size in bytes, then per block 4 bytes
/// big-endian compressed size and LZ4 data; a last block shorter by whole groups of eight elements;
/// the last (count mod 8) elements as they are. Throws core::Error on anything truncated or
/// inconsistent; reads and writes only inside the two spans.
/// `scratch` is grown when needed, so that frames after the first allocate nothing.
void decode_bitshuffle_lz4(std::span<const std::byte> chunk, std::size_t element_size,
                           std::span<std::byte> out, std::vector<std::byte>& scratch,
                           BitshuffleKernel kernel = BitshuffleKernel::automatic);

/// Decodes one plain LZ4 chunk: the same header, blocks not transposed, a block stored as it is
/// where its compressed size equals its decoded size. Throws core::Error.
void decode_lz4(std::span<const std::byte> chunk, std::span<std::byte> out);

/// Encodes as above with the default block of about 8192 bytes.
std::vector<std::byte> encode_bitshuffle_lz4(std::span<const std::byte> data,
                                             std::size_t element_size);

/// Encodes for filter 32004. `block_size` in bytes.
std::vector<std::byte> encode_lz4(std::span<const std::byte> data,
                                  std::size_t block_size = 1 << 20);

} // namespace kilobragg::io
