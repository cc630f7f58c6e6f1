// |F|^2 of every Miller index as kernels look it up: one step to the unique index, one to its value.
#pragma once

#include "kernels/function.hpp"

#include <cstddef>
#include <cstdint>

namespace kilobragg::diffraction {

/// Which layers a photon energy takes its |F|^2 from: (1 - part) of `lower` and `part` of the next.
/// part = 0 takes one layer alone. Made once per channel (AmplitudeGrid::mix).
struct LayerMix {
  std::int32_t lower = 0;
  float part = 0;
};

/// The complete P1 array of indices -h_max..h_max, -k_max..k_max, -l_max..l_max (l runs fastest), seen
/// through pointers that belong to somebody else.
///
/// A point holds the number of its unique index, or -1 where there is no structure factor: outside the
/// sphere of d_min, systematically absent, and F(000). |F|^2 (electrons^2) stands in a table of one row
/// per layer and one column per unique index. The second step costs little, as neighbouring pixels
/// share an index and the table lies in cache, and it pays three times: layers take the memory of the
/// unique indices instead of the box (15 times less for P43212 with mates apart), a refinement changes a structure
/// factor in one place, and the derivative with respect to it is summed under the same number.
///
/// |F|^2 is a float: rounding of 6e-8 relative is a hundredth of the 1e-5 that images have to agree
/// to, and range (F < 1e19) is no question.
struct AmplitudeGridView {
  const std::int32_t* unique = nullptr;
  const float* f_squared = nullptr;
  std::int32_t h_max = -1, k_max = -1, l_max = -1; ///< -1: empty
  std::int32_t unique_count = 0, layer_count = 0;

  /// Number of the unique index of (h, k, l), or -1. Its Bijvoet mate has another number where the
  /// grid keeps mates apart.
  KOKKOS_FUNCTION std::int32_t id(int h, int k, int l) const {
    const auto outside = [](int index, std::int32_t limit) {
      return static_cast<std::uint32_t>(index + limit) > static_cast<std::uint32_t>(2 * limit);
    };
    if (h_max < 0 || outside(h, h_max) || outside(k, k_max) || outside(l, l_max)) return -1;
    return unique[((h + h_max) * (2 * k_max + 1) + k + k_max) * (2 * l_max + 1) + l + l_max];
  }

  /// |F|^2 of a unique index; 0 for -1.
  KOKKOS_FUNCTION float value(std::int32_t id, const LayerMix& mix) const {
    if (id < 0) return 0;
    const float* at = f_squared + static_cast<std::ptrdiff_t>(mix.lower) * unique_count + id;
    return mix.part > 0 ? (1 - mix.part) * at[0] + mix.part * at[unique_count] : at[0];
  }

  /// |F|^2 of an index; 0 where there is no structure factor.
  KOKKOS_FUNCTION float value(int h, int k, int l, const LayerMix& mix) const {
    return value(id(h, k, l), mix);
  }
};

} // namespace kilobragg::diffraction
