// Panel geometry: frames, parallax, ray intersections, resolution.
#include "kilobragg/models/detector.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::models {
namespace {

Vec3 away_from_sample(const Panel& panel) {
  return panel.distance() < 0 ? -panel.normal() : panel.normal();
}

/// From the front plane to the mean depth of absorption (mm), along the unit `ray`:
/// o = 1/mu - (t/cos + 1/mu) exp(-mu t / cos).
Vec3 into_sensor(const Panel& panel, const Parallax& sensor, const Vec3& ray) {
  const double path = sensor.thickness / dot(ray, away_from_sample(panel));
  return (1 / sensor.mu - (path + 1 / sensor.mu) * std::exp(-sensor.mu * path)) * ray;
}

/// Shift along fast and slow (mm) of the ray through `mm`.
PanelPoint parallax_shift(const Panel& panel, const Parallax& sensor, PanelPoint mm) {
  const Vec3 way = into_sensor(panel, sensor, unit(panel.mm_to_lab(mm)));
  return {dot(way, panel.frame.fast), dot(way, panel.frame.slow)};
}

} // namespace

Frame Frame::compose(const Frame& local) const {
  const Mat3 axes = Mat3::from_columns(fast, slow, cross(fast, slow));
  return {axes * local.fast, axes * local.slow, origin + axes * local.origin};
}

Frame Frame::relative(const Frame& absolute) const {
  const Mat3 back = transpose(Mat3::from_columns(fast, slow, cross(fast, slow)));
  return {back * absolute.fast, back * absolute.slow, back * (absolute.origin - origin)};
}

PanelPoint Panel::pixel_to_mm(PanelPoint px) const {
  const PanelPoint mm{px.x * pixel_size[0], px.y * pixel_size[1]};
  if (!parallax) return mm;
  const PanelPoint shift = parallax_shift(*this, *parallax, mm);
  return {mm.x - shift.x, mm.y - shift.y};
}

PanelPoint Panel::mm_to_pixel(PanelPoint mm) const {
  if (parallax) {
    const PanelPoint shift = parallax_shift(*this, *parallax, mm);
    mm.x += shift.x;
    mm.y += shift.y;
  }
  return {mm.x / pixel_size[0], mm.y / pixel_size[1]};
}

Mat3 Panel::inverse_d_matrix() const {
  return inverse(Mat3::from_columns(frame.fast, frame.slow, frame.origin));
}

std::optional<PanelPoint> Panel::ray_to_mm(const Vec3& s1) const {
  const Vec3 v = inverse_d_matrix() * s1;
  if (!(v.z > 0)) return std::nullopt;
  return PanelPoint{v.x / v.z, v.y / v.z};
}

std::optional<PanelPoint> Panel::ray_to_pixel(const Vec3& s1) const {
  const auto mm = ray_to_mm(s1);
  if (!mm) return std::nullopt;
  return mm_to_pixel(*mm);
}

double Panel::resolution_at(const Vec3& s0, PanelPoint px) const {
  const double wave_number = norm(s0);
  const Vec3 q = wave_number * unit(pixel_to_lab(px)) - s0;
  const double length = norm(q);
  return length > 0 ? 1 / length : std::numeric_limits<double>::infinity();
}

std::optional<RayHit> Detector::intersect(const Vec3& s1) const {
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const auto mm = panels[i].ray_to_mm(s1);
    if (mm && panels[i].contains_mm(*mm))
      return RayHit{static_cast<int>(i), *mm, panels[i].mm_to_pixel(*mm)};
  }
  return std::nullopt;
}

double Detector::max_resolution(const Vec3& s0) const {
  double finest = std::numeric_limits<double>::infinity();
  for (const Panel& panel : panels)
    for (const double x : {0.0, double(panel.image_size[0])})
      for (const double y : {0.0, double(panel.image_size[1])})
        finest = std::min(finest, panel.resolution_at(s0, {x, y}));
  return finest;
}

long Detector::pixel_count() const {
  long count = 0;
  for (const Panel& panel : panels) count += long(panel.image_size[0]) * panel.image_size[1];
  return count;
}

double absorption_depth(const Panel& panel, PanelPoint mm) {
  if (!panel.parallax) return 0;
  const Vec3 ray = unit(panel.mm_to_lab(mm));
  return dot(into_sensor(panel, *panel.parallax, ray), away_from_sample(panel));
}

Detector absorption_planes(const Detector& detector) {
  Detector moved = detector;
  for (Panel& panel : moved.panels) {
    const PanelPoint middle{panel.image_size[0] * panel.pixel_size[0] / 2,
                            panel.image_size[1] * panel.pixel_size[1] / 2};
    panel.frame.origin += absorption_depth(panel, middle) * away_from_sample(panel);
    panel.parallax.reset();
  }
  return moved;
}

} // namespace kilobragg::models
