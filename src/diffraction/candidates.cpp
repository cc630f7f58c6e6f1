// A quick look at every reflection.
#include "candidates.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

/// Bounds that spare most reflections the full calculation: the peak can reach a sphere of one of
/// the channels only if the excitation error, lambda q^2 / 2 + k0 q to first order, comes nearer to
/// zero than the peak reaches.
struct QuickTest {
  Vec3 k0;                  ///< unit, of the middle of the beam
  double divergence = 0;    ///< largest distance of another direction from it (rad)
  double shortest, longest; ///< wavelengths (angstrom)
  double radius;            ///< of the peak without mosaic spread, where it ends (1/angstrom)
  double turn;              ///< largest misorientation, closed form and explicit blocks (rad)

  bool passes(const Vec3& q) const {
    const double q2 = norm2(q), along = dot(k0, q);
    const double tolerance = 1.1 * (radius + (turn + divergence) * std::sqrt(q2));
    const double low = 0.5 * shortest * q2 + along, high = 0.5 * longest * q2 + along;
    return low < tolerance && high > -tolerance;
  }
};

/// Angle of a rotation (rad): |R - 1|^2 = 4 (1 - cos).
double angle_of(const Mat3& rotation) {
  return std::acos(std::clamp((trace(rotation) - 1) / 2, -1.0, 1.0));
}

QuickTest make_quick_test(const std::vector<WeightedChannel>& channels, const LatticeShape& shape,
                          const std::vector<Mat3>& blocks, double chi2_max) {
  QuickTest test{unit(channels.front().channel.s0),
                 0,
                 channels.front().channel.wavelength,
                 channels.front().channel.wavelength,
                 std::sqrt(chi2_max * trace(shape.covariance)),
                 std::sqrt(chi2_max * trace(shape.rotation))};
  double largest = 0;
  for (const Mat3& block : blocks) largest = std::max(largest, angle_of(block));
  test.turn += largest;
  for (const auto& entry : channels) {
    test.divergence = std::max(test.divergence, norm(unit(entry.channel.s0) - test.k0));
    test.shortest = std::min(test.shortest, entry.channel.wavelength);
    test.longest = std::max(test.longest, entry.channel.wavelength);
  }
  return test;
}

} // namespace

std::vector<Candidate> find_candidates(const ReflectionSphere& reflections, const Mat3& a_matrix,
                                       const LatticeShape& lattice,
                                       const std::vector<WeightedChannel>& channels,
                                       const std::vector<Mat3>& blocks, double chi2_max) {
  const QuickTest test = make_quick_test(channels, lattice, blocks, chi2_max);
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < reflections.size(); ++i) {
    const auto& hkl = reflections.hkl[i];
    const Vec3 h{double(hkl.h), double(hkl.k), double(hkl.l)};
    if (test.passes(a_matrix * h))
      candidates.push_back({static_cast<std::uint32_t>(i), h, reflections.f_squared[i]});
  }
  return candidates;
}

} // namespace kilobragg::diffraction
