// The X-ray beam of one shot: direction, wavelength, polarisation and, where known, its spectrum.
#pragma once

#include "kernels/geometry/vec3.hpp"

#include <vector>

namespace kilobragg::models {

/// Channels of a spectrum; empty = monochromatic.
struct Spectrum {
  std::vector<double> wavelengths; ///< angstrom
  std::vector<double> weights;     ///< any scale, >= 0, same length as wavelengths
  bool empty() const { return wavelengths.empty(); }
  /// Weighted mean wavelength (angstrom); throws core::Error when the weights do not sum to > 0.
  double mean_wavelength() const;
};

/// Beam model with dxtbx's conventions.
struct Beam {
  Vec3 direction{0, 0, 1};     ///< unit vector from sample to source
  double wavelength = 1;       ///< angstrom; the weighted mean where there is a spectrum
  double divergence = 0;       ///< deg
  double sigma_divergence = 0; ///< deg
  Vec3 polarization_normal{0, 1, 0};
  double polarization_fraction = 0.999;
  double flux = 0; ///< photons/s, 0 = unknown
  double transmission = 1;
  Spectrum spectrum = {};

  /// Incident wave vector, length 1/wavelength (1/angstrom).
  Vec3 s0() const { return direction * (-1.0 / wavelength); }
};

} // namespace kilobragg::models
