// Random numbers that are a function of seed and index alone.
#pragma once

#include "kilobragg/core/hash.hpp"
#include "kilobragg/models/symmetry.hpp"

#include <cstdint>

namespace kilobragg::structure_factors {

/// One step of splitmix64 (Steele, Lea and Flood 2014): a bijection that scatters every bit.
inline std::uint64_t scatter(std::uint64_t x) { return core::mix_bits(x + 0x9e3779b97f4a7c15ULL); }

/// Counter-based generator: the counter is the index, so order and list length cannot matter. `draw`
/// tells apart the numbers of one index.
inline std::uint64_t hash_index(const models::Miller& hkl, std::uint64_t seed, std::uint64_t draw) {
  std::uint64_t state = scatter(seed);
  for (const int part : {hkl.h, hkl.k, hkl.l})
    state = scatter(state ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(part)));
  return scatter(state ^ draw);
}

/// Uniform on (0, 1]: never zero, so that its logarithm is finite.
inline double uniform(std::uint64_t bits) {
  return (static_cast<double>(bits >> 11) + 1) * 0x1.0p-53;
}

/// What draws of an index are for; those of heavy atoms are of the index (number of the atom, 0, 0).
enum Draw : std::uint64_t { draw_modulus = 0, draw_normal = 1, draw_phase = 2, draw_position = 16 };

} // namespace kilobragg::structure_factors
