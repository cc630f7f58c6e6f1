// Spot-driven rendering: which pixels one Bragg peak lights in one spectrum channel, and how much.
#pragma once

#include "kernels/diffraction/lattice_factor.hpp"
#include "kernels/diffraction/pixel_grid.hpp"

namespace kilobragg::diffraction {

/// One channel of the beam: k0 / lambda (1/angstrom) and lambda (angstrom).
struct Channel {
  Vec3 s0;
  double wavelength = 0;
};

/// A peak cut by one Ewald sphere, seen as a plane near the peak.
struct EwaldCut {
  Vec3 ray;        ///< wave vector of the brightest direction (1/angstrom)
  Mat3 covariance; ///< of the cut, in the tangent plane of the sphere (1/angstrom^2)
  double chi2 = 0; ///< squared distance of the sphere from the centre in standard deviations
};

/// Where the Ewald sphere of `channel` cuts `peak` best: with n the normal of the sphere and e the
/// excitation error, the Gaussian's maximum on the plane lies at -e S n / (n S n), its chi^2 is
/// e^2 / (n S n), and its covariance in the plane is S - S n n^T S / (n S n).
KOKKOS_FUNCTION inline EwaldCut cut_by_ewald_sphere(const PeakShape& peak, const Channel& channel) {
  const Vec3 s1 = channel.s0 + peak.centre;
  const double length = norm(s1);
  const Vec3 n = s1 / length, sn = peak.covariance * n;
  const double variance = dot(n, sn), error = length - 1 / channel.wavelength;
  EwaldCut cut;
  cut.ray = s1 - (error / variance) * sn;
  cut.chi2 = error * error / variance;
  cut.covariance = peak.covariance - (1 / variance) * Mat3{{sn.x * sn.x, sn.x * sn.y, sn.x * sn.z,
                                                            sn.y * sn.x, sn.y * sn.y, sn.y * sn.z,
                                                            sn.z * sn.x, sn.z * sn.y, sn.z * sn.z}};
  return cut;
}

/// Pixels x0 <= x < x1, y0 <= y < y1.
struct PixelBox {
  int x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  KOKKOS_FUNCTION constexpr bool empty() const { return x0 >= x1 || y0 >= y1; }
};

/// The pixels that rays of the cut within sqrt(chi2_left) standard deviations of its brightest ray
/// can reach, one pixel added for the sphere's curvature; clipped to the panel.
KOKKOS_FUNCTION inline PixelBox spot_box(const EwaldCut& cut, double chi2_left,
                                         const PanelGrid& panel) {
  const Vec3 normal = cross(panel.fast, panel.slow);
  const double along = dot(cut.ray, normal), distance = dot(panel.origin, normal);
  const double t = distance / along; // ray t hits the panel's plane
  if (!(t > 0)) return {};
  const Vec3 hit = t * cut.ray - panel.origin;
  const double reach = std::sqrt(chi2_left);
  const auto range = [&](const Vec3& step, int size, int& low, int& high) {
    const double inverse = 1 / norm2(step);
    const double middle = dot(hit, step) * inverse;
    // d(pixel) / d(ray): the hit moves by t (dk - ray (dk normal) / along)
    const Vec3 slope = (t * inverse) * (step - (dot(cut.ray, step) / along) * normal);
    const double half =
        reach * std::sqrt(std::fmax(0.0, quadratic_form(cut.covariance, slope))) + 1;
    if (!(middle + half > 0 && middle - half < size)) return false;
    low = static_cast<int>(std::fmax(0.0, std::floor(middle - half)));
    high = static_cast<int>(std::fmin(static_cast<double>(size), std::ceil(middle + half)));
    return true;
  };
  PixelBox box;
  if (!range(panel.fast, panel.width, box.x0, box.x1)) return {};
  if (!range(panel.slow, panel.height, box.y0, box.y1)) return {};
  return box;
}

} // namespace kilobragg::diffraction
