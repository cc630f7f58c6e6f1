// The beam of a shot as directions and wavelengths with weights, private to the diffraction room.
#pragma once

#include "kernels/diffraction/spot_kernel.hpp"

#include "kilobragg/diffraction/renderer.hpp"

#include <vector>

namespace kilobragg::diffraction {

struct WeightedChannel {
  Channel channel;
  double weight = 0; ///< part of the shot's photons
};

/// Every wavelength from every direction; what has no weight is left out. Throws core::Error if nothing
/// has.
std::vector<WeightedChannel> make_channels(const Shot& shot);

} // namespace kilobragg::diffraction
