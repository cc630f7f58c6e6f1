// The byte-offset compression of CBF files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kilobragg::io {

/// Decodes x-CBF_BYTE_OFFSET: each pixel is the one before plus a difference of one byte; -128
/// announces two bytes, -32768 in those four, -2^31 in those eight, all little-endian. Throws
/// core::Error where `bytes` ends before `out` is full.
void decode_byte_offset(std::span<const std::byte> bytes, std::span<std::int32_t> out);

} // namespace kilobragg::io
