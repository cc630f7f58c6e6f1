// Turns a detector into the text of a CrystFEL geometry.
#include "stream_geometry.hpp"

#include "kilobragg/core/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

namespace kilobragg::io {
namespace {

using models::Panel;

/// Panels that begin at the same pixel of the frame lie behind each other along a further dimension.
bool is_stack(const models::Detector& detector) {
  std::set<std::array<int, 2>> offsets;
  for (const Panel& panel : detector.panels) offsets.insert(panel.raw_image_offset);
  return offsets.size() < detector.panels.size();
}

/// "+0.9999x -0.0001y +0.0000z": the step of one pixel, in pixels.
std::string vector_text(const Vec3& v) {
  return fmt::format("{:+.10f}x {:+.10f}y {:+.10f}z", v.x, v.y, v.z);
}

/// Where the middle of the detector lies along the beam (mm); panels are given relative to it.
double camera_length(const models::Detector& detector, const Mat3& rotation) {
  double sum = 0;
  for (const Panel& panel : detector.panels) sum += (rotation * panel.frame.origin).z;
  return sum / static_cast<double>(std::max<std::size_t>(1, detector.panels.size()));
}

void append_range(std::string& text, const std::string& name, int first_fs, int first_ss, int fs,
                  int ss) {
  fmt::format_to(std::back_inserter(text),
                 "{0}/min_fs = {1}\n{0}/max_fs = {2}\n{0}/min_ss = {3}\n{0}/max_ss = {4}\n", name,
                 first_fs, first_fs + fs - 1, first_ss, first_ss + ss - 1);
}

void append_panel(std::string& text, const Panel& panel, const std::string& name,
                  const Mat3& rotation, double clen) {
  const double pixel = panel.pixel_size[0];
  const Vec3 corner = rotation * panel.frame.origin;
  const Vec3 slow = (panel.pixel_size[1] / pixel) * (rotation * panel.frame.slow);
  append_range(text, name, panel.raw_image_offset[0], panel.raw_image_offset[1],
               panel.image_size[0], panel.image_size[1]);
  fmt::format_to(std::back_inserter(text),
                 "{0}/res = {1:.6f}\n{0}/adu_per_photon = {2}\n{0}/fs = {3}\n{0}/ss = {4}\n"
                 "{0}/corner_x = {5:.6f}\n{0}/corner_y = {6:.6f}\n{0}/coffset = {7:.9f}\n",
                 name, 1000 / pixel, panel.gain, vector_text(rotation * panel.frame.fast),
                 vector_text(slow), corner.x / pixel, corner.y / pixel, (corner.z - clen) / 1000);
}

/// Untrusted rectangles; their names may not be those of panels.
void append_bad_regions(std::string& text, const Panel& panel, const std::string& name) {
  for (std::size_t i = 0; i < panel.mask.size(); ++i) {
    const auto& [x0, y0, x1, y1] = panel.mask[i];
    const std::string bad = fmt::format("bad_{}_{}", name, i);
    fmt::format_to(std::back_inserter(text), "{}/panel = {}\n", bad, name);
    append_range(text, bad, panel.raw_image_offset[0] + x0, panel.raw_image_offset[1] + y0, x1 - x0,
                 y1 - y0);
  }
}

void append_data(std::string& text, const std::string& dataset, bool stack) {
  if (dataset.empty()) return;
  fmt::format_to(std::back_inserter(text), "data = {}\ndim0 = %\n", dataset);
  text += stack ? "dim2 = ss\ndim3 = fs\n" : "dim1 = ss\ndim2 = fs\n";
}

} // namespace

Mat3 crystfel_rotation(const Vec3& beam_direction) {
  const Vec3 z = -unit(beam_direction);
  const Vec3 up = std::abs(z.y) < 0.99 ? Vec3{0, 1, 0} : Vec3{0, 0, 1};
  const Vec3 y = unit(up - dot(up, z) * z);
  return Mat3::from_rows(cross(y, z), y, z);
}

std::string stream_panel_name(int panel) { return fmt::format("p{}", panel); }

std::string stream_geometry(const models::Detector& detector, const models::Beam& beam,
                            const std::string& dataset) {
  const Mat3 rotation = crystfel_rotation(beam.direction);
  const double clen = camera_length(detector, rotation);
  const bool stack = is_stack(detector);
  std::string text = fmt::format("photon_energy = {:.6f} eV\nclen = {:.9f} m\n",
                                 core::ev_angstrom / beam.wavelength, clen / 1000);
  append_data(text, dataset, stack);
  for (std::size_t i = 0; i < detector.panels.size(); ++i) {
    const Panel& panel = detector.panels[i];
    const std::string name = stream_panel_name(static_cast<int>(i));
    text += '\n';
    if (stack && !dataset.empty()) text += fmt::format("{}/dim1 = {}\n", name, i);
    append_panel(text, panel, name, rotation, clen);
    append_bad_regions(text, panel, name);
  }
  return text;
}

} // namespace kilobragg::io
