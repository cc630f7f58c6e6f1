// MD5 for identifiers and CRC-32C for records. Neither is for security.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kilobragg::core {

/// MD5 (RFC 1321) as 32 lower-case hex digits. Identifiers use it because cctbx.xfel.merge splits
/// half sets by the MD5 of identifiers.
std::string md5_hex(std::span<const std::byte> bytes);
std::string md5_hex(std::string_view text);

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of each record in a shard. With `seed`
/// the checksum of earlier bytes, continues it. Uses the SSE4.2 instruction where the CPU has it.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

/// The same by table, on any CPU.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t seed = 0);

} // namespace kilobragg::core
