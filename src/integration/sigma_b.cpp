// The angular size of strong spots about their predicted rays.
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/integration/integrate_still.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace kilobragg::integration {
namespace {

/// Second moment (rad^2) of the pixels' directions about `ray`; none for a spot with too few counts.
std::optional<double> angular_variance(const models::Spot& spot, const models::SpotList& spots,
                                       const models::Panel& panel, const Vec3& ray) {
  const Vec3 direction = unit(ray);
  double sum = 0, moment = 0;
  for (std::uint32_t i = 0; i < spot.pixel_count; ++i) {
    const models::StrongPixel& pixel = spots.pixels[spot.first_pixel + i];
    const Vec3 v = unit(panel.pixel_to_lab({pixel.x + 0.5, pixel.y + 0.5}));
    const double angle = std::atan2(norm(cross(v, direction)), dot(v, direction));
    sum += pixel.value;
    moment += pixel.value * angle * angle;
  }
  if (!(sum > 1)) return std::nullopt;
  const double variance = moment / (sum - 1);
  return std::isfinite(variance) ? std::optional(variance) : std::nullopt;
}

} // namespace

double measure_sigma_b(const models::Lattice& lattice, const models::SpotList& spots,
                       const models::Detector& detector, const models::Beam&,
                       const IntegrationParams& params) {
  const auto used = [](const models::IndexedSpot& spot) {
    return (spot.flags & models::flag_used_in_refinement) != 0;
  };
  const bool any_flagged = std::any_of(lattice.spots.begin(), lattice.spots.end(), used);
  double sum = 0;
  int count = 0;
  for (const models::IndexedSpot& indexed : lattice.spots) {
    if (any_flagged && !used(indexed)) continue;
    const models::Spot& spot = spots.spots.at(indexed.spot);
    const models::Panel& panel = detector.panels.at(static_cast<std::size_t>(spot.panel));
    const Vec3& ray = params.centroid_definition_com ? spot.s1 : indexed.s1_cal;
    if (const auto variance = angular_variance(spot, spots, panel, ray)) {
      sum += *variance;
      ++count;
    }
  }
  core::require(count > 0, "spot size cannot be measured (no indexed spot has strong pixels)");
  return std::sqrt(sum / count) / core::degree;
}

} // namespace kilobragg::integration
