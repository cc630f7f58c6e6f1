// Panels of several shots where their sensors absorb, and the rectangles of them that are computed.
#include "box_windows.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace kilobragg::diffraction {
namespace {

void check_box(const Shoebox& box, std::span<const PanelCone> panels) {
  core::require(box.panel >= 0 && std::size_t(box.panel) < panels.size() && box.x0 >= 0 &&
                    box.y0 >= 0 && box.x0 < box.x1 && box.y0 < box.y1 &&
                    box.x1 <= panels[std::size_t(box.panel)].grid.width &&
                    box.y1 <= panels[std::size_t(box.panel)].grid.height,
                "a shoebox ({} to {}, {} to {} of panel {}) is empty or not on its panel", box.x0,
                box.x1, box.y0, box.y1, box.panel);
}

/// How far behind the front of a panel its sensor records at pixel (x, y), in mm.
double depth_at(const models::Panel& panel, double x, double y) {
  return models::absorption_depth(panel, {x * panel.pixel_size[0], y * panel.pixel_size[1]});
}

/// How many pixels the depth of sensors away from a panel's middle may move what it records.
int margin_of(const models::Panel& panel) {
  if (!panel.parallax) return 0;
  const auto [width, height] = panel.image_size;
  const double middle = depth_at(panel, 0.5 * width, 0.5 * height);
  double shift = 0; // px
  for (const double x : {0, width})
    for (const double y : {0, height}) {
      const Vec3 ray = panel.mm_to_lab({x * panel.pixel_size[0], y * panel.pixel_size[1]});
      const double aside = norm(cross(ray, panel.normal())) / std::abs(dot(ray, panel.normal()));
      shift = std::max(shift, aside * std::abs(depth_at(panel, x, y) - middle) /
                                  std::min(panel.pixel_size[0], panel.pixel_size[1]));
    }
  return static_cast<int>(std::ceil(shift));
}

/// Panels where their sensors absorb.
std::vector<PanelCone> absorbing_cones(const models::Detector& detector) {
  std::vector<PanelCone> cones = make_panel_cones(models::absorption_planes(detector), 1);
  for (std::size_t p = 0; p < cones.size(); ++p) cones[p].margin = margin_of(detector.panels[p]);
  return cones;
}

/// Of the middle of a box behind its panel's plane.
double depth_of(const Shoebox& box, const models::Panel& panel) {
  if (!panel.parallax) return 0;
  return depth_at(panel, 0.5 * (box.x0 + box.x1), 0.5 * (box.y0 + box.y1)) -
         depth_at(panel, 0.5 * panel.image_size[0], 0.5 * panel.image_size[1]);
}

/// Panels of all shots, those of one detector once.
struct PanelsOfShots {
  std::vector<PanelCone> cones;
  std::vector<std::int32_t> first; ///< of each shot
  std::size_t most = 0;            ///< of a shot

  std::span<const PanelCone> of_shot(std::size_t shot, const models::Detector& detector) const {
    return std::span(cones).subspan(std::size_t(first[shot]), detector.panels.size());
  }
};

PanelsOfShots list_panels(std::span<const ShoeboxJob> jobs) {
  PanelsOfShots panels;
  std::map<const models::Detector*, std::int32_t> known;
  for (const ShoeboxJob& job : jobs) {
    const auto [place, is_new] =
        known.emplace(job.detector, static_cast<std::int32_t>(panels.cones.size()));
    if (is_new) {
      const auto cones = absorbing_cones(*job.detector);
      panels.cones.insert(panels.cones.end(), cones.begin(), cones.end());
      panels.most = std::max(panels.most, cones.size());
    }
    panels.first.push_back(place->second);
  }
  return panels;
}

} // namespace

BoxWindows make_box_windows(std::span<const ShoeboxJob> jobs) {
  const PanelsOfShots panels = list_panels(jobs);
  BoxWindows result;
  std::vector<Window> windows;
  std::vector<std::int32_t> first_window, window_shot;
  std::size_t pixels = 0;
  for (std::size_t s = 0; s < jobs.size(); ++s) {
    result.first_pixel.push_back(pixels);
    const std::span<const PanelCone> own = panels.of_shot(s, *jobs[s].detector);
    std::vector<std::vector<Window>> of_panel(panels.most);
    for (const Shoebox& box : jobs[s].shot->boxes) {
      check_box(box, own);
      Window window;
      window.panel = panels.first[s] + box.panel;
      window.box = {box.x0, box.x1, box.y0, box.y1};
      window.first_pixel = static_cast<std::int64_t>(pixels);
      window.depth = depth_of(box, jobs[s].detector->panels[std::size_t(box.panel)]);
      of_panel[std::size_t(box.panel)].push_back(window);
      pixels += box.size();
    }
    for (const auto& some : of_panel) {
      first_window.push_back(static_cast<std::int32_t>(windows.size()));
      windows.insert(windows.end(), some.begin(), some.end());
    }
    window_shot.resize(windows.size(), static_cast<std::int32_t>(s));
  }
  first_window.push_back(static_cast<std::int32_t>(windows.size()));
  result.first_pixel.push_back(pixels);
  result.set = make_window_set(panels.cones, windows, first_window);
  result.set.panel_count = static_cast<std::int32_t>(panels.most);
  result.shot = to_device(window_shot);
  result.first_panel_of_shot = panels.first;
  result.first_panel = to_device(panels.first);
  return result;
}

WindowSet whole_panels(const models::Detector& detector) {
  const std::vector<PanelCone> panels = absorbing_cones(detector);
  std::vector<Window> windows;
  std::vector<std::int32_t> first_window;
  for (std::size_t p = 0; p < panels.size(); ++p) {
    first_window.push_back(static_cast<std::int32_t>(p));
    Window window;
    window.panel = static_cast<std::int32_t>(p);
    window.box = {0, panels[p].grid.width, 0, panels[p].grid.height};
    windows.push_back(window);
  }
  first_window.push_back(static_cast<std::int32_t>(panels.size()));
  return make_window_set(panels, windows, first_window);
}

} // namespace kilobragg::diffraction
