// How widely the spots of a still are spread about the Ewald sphere, and by what.
#pragma once

#include <cmath>

namespace kilobragg::models {

/// Spread of delta-psi from three causes that add in variance: finite domains, mosaic blocks, bandwidth.
struct PsiSpread {
  double alpha = 0;     ///< of domains: rad per angstrom of d
  double beta = 0;      ///< of mosaic blocks and divergence: rad
  double bandwidth = 0; ///< of wavelengths, sigma / mean: rad per tan(theta)

  /// Variance (rad^2) for spacing d (angstrom) and Bragg angle theta (rad).
  double variance(double d, double theta) const {
    const double domains = alpha * d, wavelengths = bandwidth * std::tan(theta);
    return domains * domains + beta * beta + wavelengths * wavelengths;
  }
  /// Change of the scattering angle per delta-psi (kernels/geometry/leaning_ray.hpp): each cause takes
  /// its share of delta-psi in proportion to its variance, and only wavelengths move the ray, by 2.
  double lean(double d, double theta) const {
    if (bandwidth == 0) return 0;
    const double wavelengths = bandwidth * std::tan(theta);
    return 2 * wavelengths * wavelengths / variance(d, theta);
  }
  /// As above for the length of q = 1/d (1/angstrom) and a wavelength (angstrom); 0 where no ray exists.
  double lean_of(double q, double wavelength) const {
    const double sine = 0.5 * q * wavelength;
    return bandwidth == 0 || !(sine < 1) || q == 0 ? 0 : lean(1 / q, std::asin(sine));
  }
};

} // namespace kilobragg::models
