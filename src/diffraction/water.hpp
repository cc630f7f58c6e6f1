// Scattering of liquid water against sin(theta)/lambda, private to the diffraction room.
#pragma once

#include <span>

namespace kilobragg::diffraction {

struct WaterPoint {
  double stol, f;
};

/// Amplitude of a water molecule in the liquid: a plateau at small angles, the first diffraction ring
/// near 3.2 A, the second near 2.1 A as its shoulder, and the slow fall of the form factor behind.
std::span<const WaterPoint> water_points();

/// |F|^2 of a water molecule in the liquid at stol = sin(theta)/lambda (1/angstrom), interpolated
/// linearly in |F|; constant beyond the ends of the table.
double water_f_squared(double stol);

} // namespace kilobragg::diffraction
