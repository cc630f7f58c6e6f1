// The two ways of adding a lattice to an image, private to the diffraction room.
#pragma once

#include "beam_channels.hpp"
#include "pixel_tables.hpp"

#include "kilobragg/diffraction/reflections.hpp"

#include <span>

namespace kilobragg::diffraction {

/// Whether a lattice's peaks end before the next lattice point is nearer, so that each can be lit alone.
bool peaks_end(const ShotLattice& lattice, double tail);

/// Lights the pixels that peaks reach: Gaussian and tophat shapes. `per_f`: r_e^2 times photons/m^2.
RenderCounts light_spots(const PixelTables& tables, const RenderParams& params,
                         const std::vector<WeightedChannel>& channels, const ShotLattice& lattice,
                         double per_f, const ReflectionSphere& reflections,
                         std::span<float> photons);

/// Evaluates every pixel at the nearest lattice point: any shape, explicit blocks only.
RenderCounts light_all_pixels(const PixelTables& tables, const RenderParams& params,
                              const std::vector<WeightedChannel>& channels,
                              const ShotLattice& lattice, double per_f,
                              const ReflectionSphere& reflections, std::span<float> photons);

} // namespace kilobragg::diffraction
