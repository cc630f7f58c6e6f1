// Replaces or moves detectors.
#include "geometry_overrides.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/experiments.hpp"

namespace kilobragg::programs {
namespace {

void move(models::DetectorNode& node, const Vec3& shift) {
  node.frame.origin = node.frame.origin + shift;
  for (auto& child : node.children) move(child, shift);
}

} // namespace

std::shared_ptr<const models::Detector> read_reference_geometry(const std::string& path) {
  const auto experiments = io::read_experiments(path);
  for (const auto& experiment : experiments)
    if (experiment.detector) return experiment.detector;
  core::fail("input.reference_geometry '{}' holds no detector (it has {} experiments)", path,
             experiments.size());
}

void require_same_panels(const models::Detector& reference, const models::ImageLayout& image,
                         const std::string& reference_path) {
  core::require(reference.panels.size() == image.panels.size(),
                "input.reference_geometry '{}' does not fit the image ({} panels against {})",
                reference_path, reference.panels.size(), image.panels.size());
  for (std::size_t i = 0; i < image.panels.size(); ++i) {
    const auto& panel = reference.panels[i].image_size;
    const auto& window = image.panels[i];
    core::require(panel[0] == window.width && panel[1] == window.height,
                  "input.reference_geometry '{}' does not fit the image (panel {} has {} x {} "
                  "pixels against {} x {})",
                  reference_path, i, panel[0], panel[1], window.width, window.height);
  }
}

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
