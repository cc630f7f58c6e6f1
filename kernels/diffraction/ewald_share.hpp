// How much of a reflection a still records: the part of a Gaussian peak that the Ewald sphere meets.
#pragma once

#include "kernels/diffraction/lattice_factor.hpp"

namespace kilobragg::diffraction {

/// Light of one wave number u (1/angstrom) relative to what it gives where the centre of the peak lies on
/// the Ewald sphere. The sphere is taken for the plane that touches it next to the peak: the integral of
/// the peak over that plane falls off as exp(-e^2 / (2 n^T C n)), where e = |u k0 + q| - u is the
/// excitation error and n the unit vector along u k0 + q. `k0`: unit vector along the beam.
KOKKOS_FUNCTION inline double ewald_share(const PeakShape& peak, const Vec3& k0, double u) {
  const Vec3 k = u * k0 + peak.centre;
  const double length = norm(k), e = length - u;
  return std::exp(-0.5 * e * e * length * length / quadratic_form(peak.covariance, k));
}

} // namespace kilobragg::diffraction
