// MD5 for identifiers, CRC-32C for records, and bits that scatter. None is for security.
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

/// Every bit of x reaches every bit of the result, and no two x have the same (the finaliser of
/// splitmix64, Steele, Lea and Flood 2014). 0 gives 0.
constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

} // namespace kilobragg::core
