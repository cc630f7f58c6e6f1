// Plausibility of detectors and beams.
#include "check_geometry.hpp"

#include "kilobragg/integration/integrate_still.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace kilobragg::programs {
namespace {

bool finite(const Vec3& v) {
  return std::isfinite(v.x) && std::isfinite(v.y) && std::isfinite(v.z);
}

std::array<Vec3, 4> corners(const models::Panel& panel) {
  const double w = panel.image_size[0] * panel.pixel_size[0];
  const double h = panel.image_size[1] * panel.pixel_size[1];
  return {panel.mm_to_lab({0, 0}), panel.mm_to_lab({w, 0}), panel.mm_to_lab({0, h}),
          panel.mm_to_lab({w, h})};
}

Vec3 along_beam(const models::Beam& beam) { return unit(beam.s0()); }

bool forward(const models::Detector& detector, const Vec3& along) {
  for (const auto& panel : detector.panels)
    for (const Vec3& corner : corners(panel))
      if (dot(corner, along) > 0) return true;
  return false;
}

std::string panel_problem(const models::Panel& panel) {
  const auto& frame = panel.frame;
  if (!finite(frame.origin) || !finite(frame.fast) || !finite(frame.slow))
    return "its position is not a number";
  if (panel.image_size[0] <= 0 || panel.image_size[1] <= 0) return "it has no pixels";
  if (!(panel.pixel_size[0] > 0) || !(panel.pixel_size[1] > 0)) return "its pixels have no size";
  constexpr double tolerance = 1e-3;
  if (std::abs(norm(frame.fast) - 1) > tolerance || std::abs(norm(frame.slow) - 1) > tolerance ||
      std::abs(dot(frame.fast, frame.slow)) > tolerance)
    return "its axes are not perpendicular unit vectors";
  if (!(panel.trusted_range[0] <= panel.trusted_range[1]))
    return fmt::format("its trusted range {} to {} leaves no pixel", panel.trusted_range[0],
                       panel.trusted_range[1]);
  return "";
}

/// Distance (mm) between the beam and the panel's rectangle, in the panel's plane.
double gap(const models::Panel& panel, const Vec3& along) {
  const auto mm = panel.ray_to_mm(along);
  if (!mm) return std::numeric_limits<double>::infinity();
  const auto outside = [](double x, double size) { return std::max({-x, x - size, 0.0}); };
  return std::hypot(outside(mm->x, panel.image_size[0] * panel.pixel_size[0]),
                    outside(mm->y, panel.image_size[1] * panel.pixel_size[1]));
}

/// The finest ring around the beam inside the detector's bounding rectangle.
std::optional<double> edge_resolution(const models::Detector& detector, const models::Beam& beam) {
  const Vec3 along = along_beam(beam);
  const Vec3 x = unit(cross(std::abs(along.y) < 0.9 ? Vec3{0, 1, 0} : Vec3{1, 0, 0}, along));
  const Vec3 y = cross(along, x);
  double right = 0, left = 0, top = 0, bottom = 0;
  for (const auto& panel : detector.panels)
    for (const Vec3& corner : corners(panel)) {
      const double depth = dot(corner, along);
      if (depth <= 0) return std::nullopt;
      right = std::max(right, dot(corner, x) / depth);
      left = std::max(left, -dot(corner, x) / depth);
      top = std::max(top, dot(corner, y) / depth);
      bottom = std::max(bottom, -dot(corner, y) / depth);
    }
  const double tangent = std::min({right, left, top, bottom});
  if (tangent <= 0) return std::nullopt;
  return beam.wavelength / (2 * std::sin(std::atan(tangent) / 2));
}

} // namespace

GeometryFacts measure_geometry(const models::Detector& detector, const models::Beam& beam) {
  GeometryFacts facts;
  const Vec3 along = along_beam(beam);
  facts.beam_hit = detector.intersect(along);
  std::size_t nearest = 0;
  if (facts.beam_hit) {
    nearest = std::size_t(facts.beam_hit->panel);
  } else {
    std::vector<double> gaps;
    for (const auto& panel : detector.panels) gaps.push_back(gap(panel, along));
    nearest = std::size_t(std::min_element(gaps.begin(), gaps.end()) - gaps.begin());
    facts.beam_gap = gaps[nearest];
  }
  facts.distance = std::abs(detector.panels[nearest].distance());
  facts.edge = edge_resolution(detector, beam);
  facts.corner = detector.max_resolution(beam.s0());
  return facts;
}

std::vector<std::string> geometry_problems(const models::Detector& detector,
                                           const models::Beam& beam) {
  std::vector<std::string> found;
  if (!std::isfinite(beam.wavelength) || beam.wavelength <= 0)
    found.push_back(fmt::format("the wavelength {} A is none (a header without a value?) give "
                                "geometry.beam.wavelength?",
                                beam.wavelength));
  if (!finite(beam.direction) || norm(beam.direction) < 1e-6)
    found.push_back("the beam has no direction (broken geometry)");
  if (detector.panels.empty()) found.push_back("the detector has no panels (broken geometry)");
  for (std::size_t i = 0; i < detector.panels.size(); ++i) {
    const std::string problem = panel_problem(detector.panels[i]);
    if (!problem.empty())
      found.push_back(
          fmt::format("panel {} '{}' cannot be used ({}) give input.reference_geometry?", i,
                      detector.panels[i].name, problem));
  }
  if (found.empty() && !forward(detector, along_beam(beam)))
    found.push_back("the detector is behind the sample (every corner lies against the beam) are "
                    "the axes of the header turned round?");
  return found;
}

std::vector<std::string> geometry_doubts(const models::Detector& detector,
                                         const models::Beam& beam) {
  std::vector<std::string> found;
  const auto facts = measure_geometry(detector, beam);
  if (beam.wavelength < 0.2 || beam.wavelength > 5)
    found.push_back(
        fmt::format("the wavelength {:.4g} A is unusual for X-ray diffraction (0.2 to 5 "
                    "A are expected) is it in other units?",
                    beam.wavelength));
  if (facts.distance < 20 || facts.distance > 5000)
    found.push_back(fmt::format("the detector distance of {:.4g} mm is unusual (20 to 5000 mm are "
                                "expected) is it in other units?",
                                facts.distance));
  const auto& pixel = detector.panels.front().pixel_size;
  if (pixel[0] < 0.005 || pixel[0] > 1)
    found.push_back(fmt::format("pixels of {:.4g} mm are unusual (0.005 to 1 mm are expected) are "
                                "they in other units?",
                                pixel[0]));
  if (facts.beam_gap > 30)
    found.push_back(fmt::format("the beam passes the detector at {:.0f} mm (it meets no panel) is "
                                "the beam centre right?",
                                facts.beam_gap));
  return found;
}

std::vector<std::string> describe_geometry(const models::Detector& detector,
                                           const models::Beam& beam) {
  const auto facts = measure_geometry(detector, beam);
  const auto& first = detector.panels.front();
  const auto hit = facts.beam_hit;
  const std::string centre =
      hit ? fmt::format("meets panel {} at pixel ({:.1f}, {:.1f})", hit->panel, hit->px.x,
                        hit->px.y)
          : fmt::format("meets no panel, {:.1f} mm from the nearest", facts.beam_gap);
  return {fmt::format("{} panel{} of {} x {} pixels of {:.4g} mm, {:.1f} Mpixel", //
                      detector.panels.size(), detector.panels.size() == 1 ? "" : "s",
                      first.image_size[0], first.image_size[1], first.pixel_size[0],
                      1e-6 * static_cast<double>(detector.pixel_count())),
          fmt::format("distance {:.2f} mm, wavelength {:.5g} A; the beam {}", facts.distance,
                      beam.wavelength, centre),
          fmt::format("resolution {} A at the edge, {:.2f} A in the farthest corner",
                      facts.edge ? fmt::format("{:.2f}", *facts.edge) : "-", facts.corner)};
}

std::string geometry_key(const models::Detector& detector) {
  std::string key;
  for (const auto& panel : detector.panels) {
    key += fmt::format("{}x{} {:.6f} {:.6f}", panel.image_size[0], panel.image_size[1],
                       panel.pixel_size[0], panel.pixel_size[1]);
    // A sum with 0 has no -0.
    for (const Vec3& v : {panel.frame.origin, panel.frame.fast, panel.frame.slow})
      key += fmt::format(" {:.6f} {:.6f} {:.6f}", v.x + 0.0, v.y + 0.0, v.z + 0.0);
    key += '\n';
  }
  return key;
}

double spot_separation_px(const models::Detector& detector, const models::Beam& beam,
                          const models::UnitCell& cell) {
  const double longest = std::max({cell.a, cell.b, cell.c});
  const double distance = measure_geometry(detector, beam).distance;
  return beam.wavelength / longest * distance / detector.panels.front().pixel_size[0];
}

double expected_reflections(const models::Detector& detector, const models::Beam& beam,
                            const models::UnitCell& cell, const models::SpaceGroup& group,
                            std::optional<double> d_min, double half_mosaicity_deg,
                            double domain_angstrom) {
  const std::array<std::pair<Vec3, double>, 3> turns{
      {{{0.3, 0.5, 0.8}, 0.7}, {{-0.6, 0.2, 0.4}, 1.9}, {{0.1, -0.9, 0.3}, 2.6}}};
  double sum = 0;
  for (const auto& [axis, angle] : turns) {
    auto crystal = models::Crystal::from_cell(cell, rotation_about(unit(axis), angle), group);
    crystal.mosaicity = models::Mosaicity{half_mosaicity_deg, domain_angstrom};
    sum += static_cast<double>(integration::predict_still(crystal, beam, detector, d_min).size());
  }
  return sum / static_cast<double>(turns.size());
}

} // namespace kilobragg::programs
