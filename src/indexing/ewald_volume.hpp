// How much reciprocal space near the Ewald sphere a mosaic crystal brings to diffract.
#pragma once

#include "kilobragg/models/crystal.hpp"

namespace kilobragg::indexing {

/// Ewald proximal volume (1/angstrom^3; Sauter et al. 2014): between the sphere of radius 1/wavelength
/// and the one thickened by domain size and mosaicity, out to resolution d_min (angstrom).
double ewald_proximal_volume(const models::Mosaicity& mosaicity, double wavelength,
                             double d_min = 2.0);

} // namespace kilobragg::indexing
