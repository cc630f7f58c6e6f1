// Background of materials without order said plainly: every pixel, channel and medium by itself.
#pragma once

#include "kernels/diffraction/pixel_factors.hpp"

#include "kilobragg/diffraction/amorphous.hpp"

#include <cmath>
#include <vector>

namespace kilobragg::reference {

/// Lagrange's polynomial through the two nodes on either side of `at`; where a node is missing, one
/// stands so far away that it has no say (nanoBragg's way).
inline double four_point_lagrange(const std::vector<double>& x, const std::vector<double>& y,
                                  double at) {
  const int n = static_cast<int>(x.size());
  int below = 0;
  while (below + 2 < n && at >= x[static_cast<std::size_t>(below + 1)]) ++below;
  const auto node = [&](int i) {
    return i < 0 ? -1e90 : i >= n ? 1e90 : x[static_cast<std::size_t>(i)];
  };
  double sum = 0;
  for (int i = below - 1; i <= below + 2; ++i) {
    double term = i < 0 ? y.front() : i >= n ? y.back() : y[static_cast<std::size_t>(i)];
    for (int k = below - 1; k <= below + 2; ++k)
      if (k != i) term *= (at - node(k)) / (node(i) - node(k));
    sum += term;
  }
  return sum;
}

/// r_e^2 fluence N P Omega c sum_s w_s F|F|(stol_s), summed over the media, at each pixel's centre.
inline std::vector<double> amorphous_scattering(const models::Detector& detector,
                                                const diffraction::AmorphousShot& shot,
                                                const std::vector<diffraction::Medium>& media) {
  models::Spectrum spectrum = shot.beam.spectrum;
  if (spectrum.empty()) spectrum = {{shot.beam.wavelength}, {1}};
  double weights = 0;
  for (double weight : spectrum.weights) weights += weight;
  const Vec3 k0 = -shot.beam.direction, n = shot.beam.polarization_normal, e = cross(n, k0);
  std::vector<double> image;
  for (const auto& panel : detector.panels)
    for (int y = 0; y < panel.image_size[1]; ++y)
      for (int x = 0; x < panel.image_size[0]; ++x) {
        const Vec3 at = panel.frame.origin + (x + 0.5) * panel.pixel_size[0] * panel.frame.fast +
                        (y + 0.5) * panel.pixel_size[1] * panel.frame.slow;
        const Vec3 k = unit(at);
        const double theta = 0.5 * std::acos(dot(k, k0));
        double f_squared = 0;
        for (std::size_t s = 0; s < spectrum.wavelengths.size(); ++s)
          for (const auto& medium : media) {
            const double f = medium.table.f(std::sin(theta) / spectrum.wavelengths[s]);
            const double cm3 = medium.path * shot.beam_area / 1000;
            f_squared += spectrum.weights[s] / weights * f * f * cm3 * medium.density /
                         medium.molar_mass * 6.02214076e23;
          }
        image.push_back(
            diffraction::electron_radius_squared * shot.fluence * f_squared *
            diffraction::polarisation_factor(k, e, n, shot.beam.polarization_fraction) *
            diffraction::solid_angle(at, panel.normal(),
                                     panel.pixel_size[0] * panel.pixel_size[1]) *
            diffraction::capture_fraction(k, panel.normal(), panel.mu, panel.thickness));
      }
  return image;
}

} // namespace kilobragg::reference
