// The beam of a shot as directions and wavelengths with weights, private to the diffraction room.
#pragma once

#include "kernels/geometry/vec3.hpp"

#include "kilobragg/diffraction/renderer.hpp"

#include <vector>

namespace kilobragg::diffraction {

/// A direction of the beam and its part of the photons; parts sum to 1.
struct BeamPart {
  Vec3 k0; ///< unit
  double part = 1;
};

/// Channels by ascending wave number.
struct ShotChannels {
  std::vector<double> wave_number; ///< 1/lambda (1/angstrom)
  std::vector<double> weight;      ///< sum 1
  std::vector<BeamPart> directions;
  double step = 0; ///< of wave_number if it is evenly spaced, else 0
};

/// Wavelengths become offset + scale * lambda; channels without weight at the ends are left out. Throws
/// core::Error if nothing has weight, or for a wavelength that is not positive.
ShotChannels make_channels(const Shot& shot, double offset = 0, double scale = 1);

} // namespace kilobragg::diffraction
