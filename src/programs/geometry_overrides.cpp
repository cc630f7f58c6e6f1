// Moves detectors.
#include "geometry_overrides.hpp"

#include "kilobragg/core/error.hpp"

namespace kilobragg::programs {
namespace {

void move(models::DetectorNode& node, const Vec3& shift) {
  node.frame.origin = node.frame.origin + shift;
  for (auto& child : node.children) move(child, shift);
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

} // namespace kilobragg::programs
