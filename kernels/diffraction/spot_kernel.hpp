// Where one Bragg peak meets the Ewald spheres of a beam, and which pixels of a panel it reaches.
#pragma once

#include "kernels/diffraction/lattice_factor.hpp"
#include "kernels/diffraction/pixel_grid.hpp"
#include "kernels/diffraction/spectrum.hpp"

namespace kilobragg::diffraction {

/// A peak cut by one Ewald sphere, seen as a plane near the peak.
struct EwaldCut {
  Vec3 ray;        ///< wave vector of the brightest direction (1/angstrom)
  Mat3 covariance; ///< of the cut, in the tangent plane of the sphere (1/angstrom^2)
  double chi2 = 0; ///< squared distance of the sphere from the centre in standard deviations
};

/// Where the Ewald sphere of the unit direction k0 and wave number u = 1/lambda cuts `peak` best: with n
/// the normal of the sphere and e the excitation error, the Gaussian's maximum on the plane lies at
/// -e S n / (n S n), its chi^2 is e^2 / (n S n), and its covariance in the plane is
/// S - S n n^T S / (n S n).
KOKKOS_FUNCTION inline EwaldCut cut_by_ewald_sphere(const PeakShape& peak, const Vec3& k0,
                                                    double u) {
  const Vec3 s1 = u * k0 + peak.centre;
  const double length = norm(s1);
  const Vec3 n = s1 / length, sn = peak.covariance * n;
  const double variance = dot(n, sn), error = length - u;
  EwaldCut cut;
  cut.ray = s1 - (error / variance) * sn;
  cut.chi2 = error * error / variance;
  cut.covariance = peak.covariance - (1 / variance) * Mat3{{sn.x * sn.x, sn.x * sn.y, sn.x * sn.z,
                                                            sn.y * sn.x, sn.y * sn.y, sn.y * sn.z,
                                                            sn.z * sn.x, sn.z * sn.y, sn.z * sn.z}};
  return cut;
}

/// Excitation error over its standard deviation; falls as u grows.
KOKKOS_FUNCTION inline double excitation(const PeakShape& peak, const Vec3& k0, double u) {
  const Vec3 s1 = u * k0 + peak.centre;
  const double length = norm(s1);
  return (length - u) / std::sqrt(quadratic_form(peak.covariance, s1 / length));
}

/// First channel whose excitation is below `limit`.
KOKKOS_FUNCTION inline int first_below(const PeakShape& peak, const Vec3& k0,
                                       const SpectrumView& spectrum, double limit) {
  int low = 0, high = spectrum.count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (excitation(peak, k0, spectrum.wave_number[middle]) < limit)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/// The channels whose spheres come within sqrt(chi2_max) standard deviations of a peak's centre.
KOKKOS_FUNCTION inline ChannelRange channels_that_meet(const PeakShape& peak, const Vec3& k0,
                                                       const SpectrumView& spectrum,
                                                       double chi2_max) {
  const double reach = std::sqrt(chi2_max);
  return {first_below(peak, k0, spectrum, reach), first_below(peak, k0, spectrum, -reach)};
}

/// Pixels x0 <= x < x1, y0 <= y < y1.
struct PixelBox {
  int x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  KOKKOS_FUNCTION constexpr bool empty() const { return x0 >= x1 || y0 >= y1; }
  KOKKOS_FUNCTION constexpr int size() const { return (x1 - x0) * (y1 - y0); }
};

/// The smallest box around both; an empty one adds nothing.
KOKKOS_FUNCTION constexpr PixelBox around(const PixelBox& a, const PixelBox& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {a.x0 < b.x0 ? a.x0 : b.x0, a.x1 > b.x1 ? a.x1 : b.x1, a.y0 < b.y0 ? a.y0 : b.y0,
          a.y1 > b.y1 ? a.y1 : b.y1};
}

/// What both have.
KOKKOS_FUNCTION constexpr PixelBox common(const PixelBox& a, const PixelBox& b) {
  return {a.x0 > b.x0 ? a.x0 : b.x0, a.x1 < b.x1 ? a.x1 : b.x1, a.y0 > b.y0 ? a.y0 : b.y0,
          a.y1 < b.y1 ? a.y1 : b.y1};
}

/// The pixels that rays of the cut within sqrt(chi2_left) standard deviations of its brightest ray
/// can reach in any layer of the sensor, `margin` pixels added; clipped to the panel.
KOKKOS_FUNCTION inline PixelBox spot_box(const EwaldCut& cut, double chi2_left, double margin,
                                         const PanelGrid& panel) {
  const Vec3 normal = cross(panel.fast, panel.slow);
  const double along = dot(cut.ray, normal), distance = dot(panel.origin, normal);
  const double t = distance / along; // ray t hits the panel's plane
  if (!(t > 0)) return {};
  const Vec3 hit = t * cut.ray - panel.origin;
  const Vec3 last = panel.origin + ((panel.layers - 1) * panel.layer_step) * panel.normal;
  const Vec3 last_hit = (dot(last, normal) / along) * cut.ray - last;
  const double reach = std::sqrt(chi2_left);
  const auto range = [&](const Vec3& step, int size, int& low, int& high) {
    const double inverse = 1 / norm2(step);
    const double front = dot(hit, step) * inverse, back = dot(last_hit, step) * inverse;
    const double from = std::fmin(front, back), to = std::fmax(front, back);
    // d(pixel) / d(ray): the hit moves by t (dk - ray (dk normal) / along)
    const Vec3 slope = (t * inverse) * (step - (dot(cut.ray, step) / along) * normal);
    const double half =
        reach * std::sqrt(std::fmax(0.0, quadratic_form(cut.covariance, slope))) + margin;
    if (!(to + half > 0 && from - half < size)) return false;
    low = static_cast<int>(std::fmax(0.0, std::floor(from - half)));
    high = static_cast<int>(std::fmin(static_cast<double>(size), std::ceil(to + half)));
    return true;
  };
  PixelBox box;
  if (!range(panel.fast, panel.width, box.x0, box.x1)) return {};
  if (!range(panel.slow, panel.height, box.y0, box.y1)) return {};
  return box;
}

/// Of more channels than this, so many are taken to find the box of a spot.
inline constexpr int box_samples = 8;

/// The pixels of a panel that a peak reaches in any of these channels. One pixel is added for the
/// sphere's curvature, another if channels were left out between the samples.
KOKKOS_FUNCTION inline PixelBox streak_box(const PeakShape& peak, const Vec3& k0,
                                           const SpectrumView& spectrum,
                                           const ChannelRange& channels, double chi2_max,
                                           const PanelGrid& panel) {
  const int all = channels.last - channels.first;
  const int samples = all < box_samples ? all : box_samples;
  PixelBox box;
  for (int i = 0; i < samples; ++i) {
    const int j = channels.first + (samples > 1 ? (all - 1) * i / (samples - 1) : 0);
    const EwaldCut cut = cut_by_ewald_sphere(peak, k0, spectrum.wave_number[j]);
    const double left = std::fmax(0.0, chi2_max - cut.chi2);
    box = around(box, spot_box(cut, left, all > samples ? 2 : 1, panel));
  }
  return box;
}

} // namespace kilobragg::diffraction
