// Cones of directions about panels.
#include "panel_lookup.hpp"

#include <algorithm>

namespace kilobragg::integration {
namespace {

struct Cone {
  Vec3 axis;
  double cosine;
};

/// A cone about the panel's centre that holds its four corners, and so all of it. A panel that spans
/// a right angle or more gets a cone that holds every ray.
Cone enclosing_cone(const models::Panel& panel) {
  const double width = panel.image_size[0] * panel.pixel_size[0];
  const double height = panel.image_size[1] * panel.pixel_size[1];
  const Vec3 axis = unit(panel.mm_to_lab({0.5 * width, 0.5 * height}));
  double cosine = 1;
  for (const double x : {0.0, width})
    for (const double y : {0.0, height})
      cosine = std::min(cosine, dot(axis, unit(panel.mm_to_lab({x, y}))));
  constexpr double rounding = 1e-9;
  return {axis, cosine > 0 ? cosine - rounding : -2.0};
}

} // namespace

PanelLookup::PanelLookup(const models::Detector& detector)
    : detector_(detector) {
  for (const models::Panel& panel : detector.panels) {
    const Cone cone = enclosing_cone(panel);
    axis_x_.push_back(cone.axis.x);
    axis_y_.push_back(cone.axis.y);
    axis_z_.push_back(cone.axis.z);
    cosine_.push_back(cone.cosine);
    inverse_d_.push_back(panel.inverse_d_matrix());
  }
}

std::optional<models::RayHit> PanelLookup::intersect(const Vec3& s1) const {
  const Vec3 ray = unit(s1);
  for (std::size_t i = 0; i < cosine_.size(); ++i) {
    if (axis_x_[i] * ray.x + axis_y_[i] * ray.y + axis_z_[i] * ray.z < cosine_[i]) continue;
    const Vec3 v = inverse_d_[i] * s1;
    if (!(v.z > 0)) continue;
    const models::PanelPoint mm{v.x / v.z, v.y / v.z};
    const models::Panel& panel = detector_.panels[i];
    if (panel.contains_mm(mm))
      return models::RayHit{static_cast<int>(i), mm, panel.mm_to_pixel(mm)};
  }
  return std::nullopt;
}

} // namespace kilobragg::integration
