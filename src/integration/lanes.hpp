// Eight doubles at once, whatever the instruction set.
#pragma once

#include <cstdint>
#include <cstring>

namespace kilobragg::integration {

inline constexpr int lane_count = 8; // doubles in the widest registers

/// Eight elements, computed element by element: the same result on every instruction set. Compilers
/// split it into registers of the width they have. (GCC and Clang vector types.)
template <typename T>
struct LaneTypes {
  using Vector [[gnu::vector_size(lane_count * sizeof(T))]] = T;
};
template <typename T>
using LanesOf = typename LaneTypes<T>::Vector;
using Lanes = LanesOf<double>;

template <typename T>
void load_lanes(LanesOf<T>& v, const T* from) {
  std::memcpy(&v, from, sizeof v);
}
/// The first `count` elements; the rest is zero.
template <typename T>
void load_lanes(LanesOf<T>& v, const T* from, int count) {
  v = LanesOf<T>{};
  std::memcpy(&v, from, static_cast<std::size_t>(count) * sizeof(T));
}
template <typename T>
void store_lanes(const LanesOf<T>& v, T* to) {
  std::memcpy(to, &v, sizeof v);
}

/// The sum, in a fixed order.
inline double total(const Lanes& v) {
  double sum = 0;
  for (int i = 0; i < lane_count; ++i) sum += v[i];
  return sum;
}

} // namespace kilobragg::integration
