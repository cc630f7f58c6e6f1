// Widens and narrows stored pixels to the three kinds of image buffers.
#include "pixel_source.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace kilobragg::io {
namespace {

template <typename From, typename To>
void convert_from(const std::byte* stored, To* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, stored + i * sizeof(From), sizeof(From));
    if constexpr (std::is_same_v<From, To> || std::is_floating_point_v<To>) {
      out[i] = static_cast<To>(value);
    } else if constexpr (std::is_floating_point_v<From>) {
      const auto low = static_cast<double>(std::numeric_limits<To>::lowest());
      const auto high = static_cast<double>(std::numeric_limits<To>::max());
      // A value that is no number must not pass for one: the lowest is never trusted.
      out[i] = static_cast<To>(value >= low ? std::min(static_cast<double>(value), high) : low);
    } else {
      const std::int64_t wide = value;
      out[i] = static_cast<To>(std::clamp<std::int64_t>(wide, std::numeric_limits<To>::lowest(),
                                                        std::numeric_limits<To>::max()));
    }
  }
}

} // namespace

template <typename T>
void convert_pixels(const std::byte* stored, StoredType type, T* out, std::size_t count) {
  switch (type) {
  case StoredType::u8:
    return convert_from<std::uint8_t>(stored, out, count);
  case StoredType::i8:
    return convert_from<std::int8_t>(stored, out, count);
  case StoredType::u16:
    return convert_from<std::uint16_t>(stored, out, count);
  case StoredType::i16:
    return convert_from<std::int16_t>(stored, out, count);
  case StoredType::u32:
    return convert_from<std::uint32_t>(stored, out, count);
  case StoredType::i32:
    return convert_from<std::int32_t>(stored, out, count);
  case StoredType::f32:
    return convert_from<float>(stored, out, count);
  case StoredType::f64:
    return convert_from<double>(stored, out, count);
  case StoredType::other_integer:
    break;
  }
  core::fail("pixels of this type have no conversion");
}

template void convert_pixels(const std::byte*, StoredType, std::uint16_t*, std::size_t);
template void convert_pixels(const std::byte*, StoredType, std::int32_t*, std::size_t);
template void convert_pixels(const std::byte*, StoredType, float*, std::size_t);

} // namespace kilobragg::io
