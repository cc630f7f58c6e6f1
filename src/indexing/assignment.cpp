// Nearest indices within a tolerance, one spot for each.
#include "kilobragg/indexing/assignment.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::indexing {
namespace {

struct Claim {
  models::Miller hkl;
  double distance2 = 0;
  std::uint32_t spot = 0;
};

int as_int(double v) { return static_cast<int>(std::lround(v)); }

/// Claims of all spots that are near an index.
std::vector<Claim> claims_of(const models::SpotList& spots, const Mat3& a_matrix,
                             const AssignmentParams& params) {
  const Mat3 to_primitive = params.primitive * inverse(a_matrix);
  const Mat3 to_conventional = inverse(params.primitive);
  const double q_max = params.d_min ? 1 / *params.d_min : 0;
  std::vector<Claim> claims;
  for (std::size_t i = 0; i < spots.spots.size(); ++i) {
    const Vec3& q = spots.spots[i].rlp;
    if (params.d_min && norm2(q) >= q_max * q_max) continue;
    const Vec3 f = to_primitive * q;
    if (!(norm2(f) < 1e12)) continue; // NaN, or so far out that indices mean nothing
    const Vec3 n{std::nearbyint(f.x), std::nearbyint(f.y), std::nearbyint(f.z)};
    const double distance2 = norm2(f - n);
    if (distance2 > params.tolerance * params.tolerance || n == Vec3{}) continue;
    const Vec3 h = to_conventional * n;
    claims.push_back(
        {{as_int(h.x), as_int(h.y), as_int(h.z)}, distance2, static_cast<std::uint32_t>(i)});
  }
  return claims;
}

} // namespace

std::vector<models::IndexedSpot> assign_indices(const models::SpotList& spots, const Mat3& a_matrix,
                                                const AssignmentParams& params) {
  std::vector<Claim> claims = claims_of(spots, a_matrix, params);
  std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
    if (a.hkl != b.hkl) return a.hkl < b.hkl;
    return a.distance2 != b.distance2 ? a.distance2 < b.distance2 : a.spot < b.spot;
  });
  std::vector<models::IndexedSpot> indexed;
  indexed.reserve(claims.size());
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (i > 0 && claims[i].hkl == claims[i - 1].hkl) continue;
    models::IndexedSpot spot;
    spot.spot = claims[i].spot;
    spot.hkl = claims[i].hkl;
    spot.flags = models::flag_indexed;
    indexed.push_back(spot);
  }
  std::sort(indexed.begin(), indexed.end(),
            [](const auto& a, const auto& b) { return a.spot < b.spot; });
  return indexed;
}

} // namespace kilobragg::indexing
