// Short vectors of the machine's own width, through the compiler's vector extensions.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

namespace kilobragg::threshold {

#if defined(__AVX512F__)
inline constexpr int lane_bytes = 64;
#elif defined(__AVX2__)
inline constexpr int lane_bytes = 32;
#else
inline constexpr int lane_bytes = 16;
#endif
/// 32-bit lanes in one vector: 16, 8 or 4.
inline constexpr int lane_count = lane_bytes / 4;

template <typename T>
struct LanesOf {
  typedef T type __attribute__((vector_size(sizeof(T) * lane_count)));
};
/// As many values of type T as there are 32-bit lanes.
template <typename T>
using Lanes = typename LanesOf<T>::type;

template <typename T>
inline Lanes<T> load_lanes(const T* from) {
  Lanes<T> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <typename T>
inline void store_lanes(T* to, const Lanes<T>& v) {
  std::memcpy(to, &v, sizeof v);
}
/// Each lane converted to another type.
template <typename To, typename From>
inline Lanes<To> convert_lanes(const From& v) {
  return __builtin_convertvector(v, Lanes<To>);
}

/// The same bits read as lanes of another 32-bit type.
template <typename To, typename V>
inline Lanes<To> reread_lanes(const V& v) {
  Lanes<To> result;
  static_assert(sizeof result == sizeof v);
  std::memcpy(&result, &v, sizeof v);
  return result;
}

namespace detail {
template <int shift, typename V, int... lane>
inline V shifted(const V& a, const V& b, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(a, b, (lane + shift)...);
}
} // namespace detail

/// Lanes shift, shift + 1, ... of the vector a followed by b; 0 <= shift <= lane_count.
template <int shift, typename V>
inline V shifted_lanes(const V& a, const V& b) {
  return detail::shifted<shift>(a, b, std::make_integer_sequence<int, lane_count>());
}

/// Whether the top bit of any lane is set.
inline bool any_negative(const Lanes<std::int32_t>& v) {
  std::uint64_t parts[lane_bytes / 8], any = 0;
  std::memcpy(parts, &v, sizeof v);
  for (const std::uint64_t part : parts) any |= part;
  return (any & 0x8000000080000000u) != 0;
}

/// One bit per lane of a comparison's result (-1 = true, 0 = false).
inline std::uint64_t true_bits(const Lanes<std::int32_t>& v) {
  const Lanes<std::int8_t> bytes = convert_lanes<std::int8_t>(v);
  std::uint64_t bits = 0;
  for (int i = 0; i < lane_count; i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, reinterpret_cast<const char*>(&bytes) + i, lane_count < 8 ? lane_count : 8);
    // The product gathers bit 0 of every byte in the top byte.
    bits |= ((eight & 0x0101010101010101u) * 0x0102040810204080u >> 56) << i;
  }
  return bits;
}

/// -1 in each lane whose bit is set, 0 elsewhere.
inline Lanes<std::int32_t> lanes_from_bits(std::uint32_t bits) {
  Lanes<std::int32_t> weights;
  for (int i = 0; i < lane_count; ++i) weights[i] = 1 << i;
  return (weights & static_cast<std::int32_t>(bits)) != 0;
}

} // namespace kilobragg::threshold
