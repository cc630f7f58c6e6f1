// Decodes byte-offset compressed pixels.
#include "byte_offset.hpp"

#include "kilobragg/core/error.hpp"

#include <cstring>
#include <limits>

namespace kilobragg::io {
namespace {

/// A little-endian difference of type T at `at`, which moves on.
template <typename T>
T take(std::span<const std::byte> bytes, std::size_t& at) {
  core::require(bytes.size() - at >= sizeof(T), "the pixels are truncated (after {} bytes)",
                bytes.size());
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  at += sizeof(T);
  return value;
}

} // namespace

void decode_byte_offset(std::span<const std::byte> bytes, std::span<std::int32_t> out) {
  std::size_t at = 0;
  // Unsigned, because damaged differences may run over.
  std::uint64_t value = 0;
  for (std::int32_t& pixel : out) {
    std::int64_t step = take<std::int8_t>(bytes, at);
    if (step == std::numeric_limits<std::int8_t>::min()) {
      step = take<std::int16_t>(bytes, at);
      if (step == std::numeric_limits<std::int16_t>::min()) {
        step = take<std::int32_t>(bytes, at);
        if (step == std::numeric_limits<std::int32_t>::min()) step = take<std::int64_t>(bytes, at);
      }
    }
    value += static_cast<std::uint64_t>(step);
    pixel = static_cast<std::int32_t>(value);
  }
}

} // namespace kilobragg::io
