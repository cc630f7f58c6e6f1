// Reflections that can come near the Ewald sphere of a shot, private to the diffraction room.
#pragma once

#include "beam_channels.hpp"

#include "kilobragg/diffraction/reflections.hpp"

#include <cstdint>
#include <vector>

namespace kilobragg::diffraction {

struct Candidate {
  std::uint32_t reflection = 0; ///< in the sphere
  Vec3 hkl;
  double f_squared = 0;
};

/// Those whose peak, of any block and within sqrt(chi2_max) standard deviations, may touch the sphere of
/// any channel; some of them do not. `lattice` without the rotation of a block.
std::vector<Candidate> find_candidates(const ReflectionSphere& reflections, const Mat3& a_matrix,
                                       const LatticeShape& lattice,
                                       const std::vector<WeightedChannel>& channels,
                                       const std::vector<Mat3>& blocks, double chi2_max);

KOKKOS_FUNCTION constexpr double trace(const Mat3& m) { return m(0, 0) + m(1, 1) + m(2, 2); }

} // namespace kilobragg::diffraction
