// Area detectors as panels in a hierarchy; maps between pixels, millimetres and the laboratory.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::models {

/// A position on a panel; x runs along the fast axis. Pixel i covers [i, i+1).
struct PanelPoint {
  double x = 0, y = 0;
};

/// Shift of the recorded position with depth in the sensor (dxtbx ParallaxCorrectedPxMmStrategy).
struct Parallax {
  double mu = 0;        ///< linear attenuation coefficient of the sensor (1/mm)
  double thickness = 0; ///< sensor thickness (mm)
};

/// A coordinate frame (mm), in the laboratory or relative to a parent frame.
struct Frame {
  Vec3 fast{1, 0, 0}, slow{0, 1, 0}, origin{0, 0, 0};
  /// `local` (given relative to this frame) in the frame that this one is given in.
  Frame compose(const Frame& local) const;
  /// The inverse of compose: `absolute` relative to this frame.
  Frame relative(const Frame& absolute) const;
};

/// One flat rectangle of pixels. Frame in laboratory coordinates.
struct Panel {
  std::string name, type = "SENSOR_PAD", material, identifier;
  Frame frame;                                   ///< laboratory frame (mm)
  std::array<double, 2> pixel_size{0.1, 0.1};    ///< fast, slow (mm)
  std::array<int, 2> image_size{0, 0};           ///< fast, slow (pixels)
  std::array<int, 2> raw_image_offset{0, 0};     ///< fast, slow: where it starts in a shared image
  std::array<double, 2> trusted_range{0, 65535}; ///< inclusive at both ends
  double thickness = 0;                          ///< sensor thickness (mm)
  double mu = 0;                                 ///< 1/mm
  double gain = 1, pedestal = 0;                 ///< photons = (raw - pedestal) / gain
  std::optional<Parallax> parallax;
  std::vector<std::array<int, 4>> mask; ///< untrusted rectangles x0, y0, x1, y1 (half open)

  /// Millimetres along fast and slow, on the front plane, of the ray that is recorded at `px`. With
  /// parallax this undoes mm_to_pixel to first order in the shift, as dxtbx does (better than
  /// 1e-3 px for real sensors), so that both programs give the same numbers.
  PanelPoint pixel_to_mm(PanelPoint px) const;
  /// Where a ray that meets the front plane at `mm` is recorded on average.
  PanelPoint mm_to_pixel(PanelPoint mm) const;
  Vec3 mm_to_lab(PanelPoint mm) const {
    return frame.origin + mm.x * frame.fast + mm.y * frame.slow;
  }
  Vec3 pixel_to_lab(PanelPoint px) const { return mm_to_lab(pixel_to_mm(px)); }
  /// Where the ray along s1 (any length) meets the panel's plane (mm); none if it points away.
  std::optional<PanelPoint> ray_to_mm(const Vec3& s1) const;
  std::optional<PanelPoint> ray_to_pixel(const Vec3& s1) const;
  bool contains_pixel(PanelPoint px) const {
    return px.x >= 0 && px.y >= 0 && px.x < image_size[0] && px.y < image_size[1];
  }
  bool contains_mm(PanelPoint mm) const {
    return mm.x >= 0 && mm.y >= 0 && mm.x < image_size[0] * pixel_size[0] &&
           mm.y < image_size[1] * pixel_size[1];
  }
  /// Inverse of the matrix with columns fast, slow, origin: v = D^-1 s1 meets the plane at
  /// (v.x / v.z, v.y / v.z) mm if v.z > 0.
  Mat3 inverse_d_matrix() const;
  Vec3 normal() const { return cross(frame.fast, frame.slow); }
  /// Distance from the sample to the panel's plane (mm), signed as in dxtbx.
  double distance() const { return dot(frame.origin, normal()); }
  /// d spacing (angstrom) at a pixel for incident vector s0.
  double resolution_at(const Vec3& s0, PanelPoint px) const;
};

/// A node of the hierarchy: a group with children, or a leaf that names a panel.
struct DetectorNode {
  std::string name, type;
  Frame frame;                        ///< laboratory frame (mm)
  std::vector<DetectorNode> children; ///< empty for a leaf
  int panel = -1;                     ///< index of the panel, -1 for a group
};

struct RayHit {
  int panel;
  PanelPoint mm, px;
};

/// All panels, and how they hang together. Laboratory frames are the truth; frames relative to the
/// parent are derived when a file format asks for them.
struct Detector {
  std::vector<Panel> panels;
  DetectorNode root; ///< without children: a flat list of panels

  /// The panel that the ray along s1 hits: the first whose rectangle holds the intersection.
  std::optional<RayHit> intersect(const Vec3& s1) const;
  /// Finest resolution at any panel corner (angstrom).
  double max_resolution(const Vec3& s0) const;
  long pixel_count() const;
};

/// How far behind the front plane photons that meet it at `mm` are absorbed on average (mm along the
/// normal, away from the sample); 0 without parallax.
double absorption_depth(const Panel& panel, PanelPoint mm);

/// Panels where photons are recorded on average: each with parallax is moved away from the sample by the
/// mean depth at which its sensor absorbs, and has no parallax left, so that flat pixels show that of thick
/// ones. Directions are those from the sample to the panel's middle; at the panel's edges the shift is
/// right to about a tenth of a pixel.
Detector absorption_planes(const Detector& detector);

} // namespace kilobragg::models
