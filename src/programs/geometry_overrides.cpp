// Moves detectors, and replaces what options give.
#include "geometry_overrides.hpp"

#include "kilobragg/core/error.hpp"

namespace kilobragg::programs {
namespace {

void move(models::DetectorNode& node, const Vec3& shift) {
  node.frame.origin = node.frame.origin + shift;
  for (auto& child : node.children) move(child, shift);
}

/// A gain in the detector model and another from the user would both be applied.
void require_one_gain(const models::Detector& detector, const StillsOptions& options) {
  const auto& gain = options.still.spotfinder.dispersion.gain;
  if (!gain || *gain == 1 || options.input.ignore_gain_mismatch) return;
  for (const auto& panel : detector.panels)
    core::require(panel.gain == 1,
                  "the detector's gain is {} and spotfinder.threshold.dispersion.gain={} too (both "
                  "would count) set input.ignore_gain_mismatch=True if that is meant?",
                  panel.gain, *gain);
}

} // namespace

models::Detector at_distance(models::Detector detector, const models::Beam& beam, double distance) {
  core::require(!detector.panels.empty(), "a detector without panels has no distance");
  const Vec3 along = beam.s0() * beam.wavelength;
  const auto hit = detector.intersect(beam.s0());
  const auto& panel = detector.panels[hit ? std::size_t(hit->panel) : 0];
  const double now = std::abs(panel.distance());
  const double slope = std::abs(dot(along, panel.normal()));
  core::require(slope > 1e-6, "geometry.detector.distance cannot be set (the panel that gives the "
                              "distance is parallel to the beam)");
  const Vec3 shift = along * ((distance - now) / slope);
  for (auto& moved : detector.panels) moved.frame.origin = moved.frame.origin + shift;
  move(detector.root, shift);
  return detector;
}

models::Beam adjusted_beam(models::Beam beam, const StillsOptions& options) {
  if (options.geometry.wavelength) {
    beam.wavelength = *options.geometry.wavelength;
    beam.spectrum = {};
  }
  return beam;
}

std::shared_ptr<const models::Detector>
adjusted_detector(std::shared_ptr<const models::Detector> detector, const models::Beam& beam,
                  const StillsOptions& options) {
  if (options.geometry.distance)
    detector = std::make_shared<const models::Detector>(
        at_distance(*detector, beam, *options.geometry.distance));
  require_one_gain(*detector, options);
  return detector;
}

} // namespace kilobragg::programs
