// Spot centroids to millimetres and reciprocal space.
#include "kilobragg/models/mapping.hpp"

namespace kilobragg::models {

void map_spots(SpotList& list, const Detector& detector, const Beam& beam) {
  const Vec3 s0 = beam.s0();
  for (Spot& spot : list.spots) {
    const Panel& panel = detector.panels.at(static_cast<std::size_t>(spot.panel));
    spot.mm = panel.pixel_to_mm(spot.px);
    spot.mm_variance = {spot.px_variance.x * panel.pixel_size[0] * panel.pixel_size[0],
                        spot.px_variance.y * panel.pixel_size[1] * panel.pixel_size[1]};
    spot.s1 = unit(panel.mm_to_lab(spot.mm)) / beam.wavelength;
    spot.rlp = spot.s1 - s0;
  }
}

} // namespace kilobragg::models
