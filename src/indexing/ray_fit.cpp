// Each ray is seen on a small virtual panel of its own, square to it.
#include "ray_fit.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/refinement/stills_target.hpp"

#include <cmath>

namespace kilobragg::indexing {
namespace {

constexpr double distance_mm = 100;
constexpr double position_sigma_mm = 0.03; ///< a third of a pixel of 0.1 mm
/// 1/rad^2; low, so that positions lead: spot lists come with references refined on positions alone.
constexpr double psi_weight = 5e4;

/// What the ray along s1 says of the index.
refinement::StillsObservation observation(const Vec3& s1, const Vec3& hkl) {
  const Vec3 along = unit(s1);
  const Vec3 other = std::abs(along.x) < 0.9 ? Vec3{1, 0, 0} : Vec3{0, 1, 0};
  const Vec3 fast = unit(cross(other, along)), slow = cross(along, fast);
  refinement::StillsObservation o;
  o.hkl = hkl;
  o.inverse_d = Mat3::from_rows(fast, slow, along / distance_mm);
  o.weight_x = o.weight_y = 1 / (position_sigma_mm * position_sigma_mm);
  o.weight_psi = psi_weight;
  return o;
}

std::vector<refinement::StillsObservation> observations(const SortedPoints& points,
                                                        const KnownCell& known, const Mat3& a,
                                                        const Vec3& s0, double tolerance) {
  std::vector<refinement::StillsObservation> out;
  const Mat3 to_primitive = known.primitive * inverse(a);
  for (const Vec3& q : points.q) {
    const Vec3 f = to_primitive * q;
    const Vec3 n{std::nearbyint(f.x), std::nearbyint(f.y), std::nearbyint(f.z)};
    if (norm2(f - n) < tolerance * tolerance && !(n == Vec3{}))
      out.push_back(observation(s0 + q, known.to_conventional * n));
  }
  return out;
}

} // namespace

Mat3 fit_rays(const SortedPoints& points, const KnownCell& known, const Mat3& a, const Vec3& s0) {
  Mat3 fitted = a;
  for (const double tolerance : {0.25, 0.2}) {
    const auto seen = observations(points, known, fitted, s0, tolerance);
    if (static_cast<int>(seen.size()) < 3 + known.freedom.count()) return a;
    try {
      fitted =
          known.freedom.symmetrised(refinement::minimise(seen, fitted, known.freedom, s0, 100));
    } catch (const core::Error&) {
      return a;
    }
  }
  return fitted;
}

} // namespace kilobragg::indexing
