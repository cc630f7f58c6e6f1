// Scattering of liquid water against sin(theta)/lambda, private to the diffraction room.
#pragma once

namespace kilobragg::diffraction {

/// |F|^2 of a water molecule in the liquid at stol = sin(theta)/lambda (1/angstrom), interpolated
/// linearly in |F|; constant beyond the ends of the table.
double water_f_squared(double stol);

} // namespace kilobragg::diffraction
