// Numbers of the random streams of simulated runs; for the sources of simulate_stills alone.
#pragma once

#include <cstdint>

namespace kilobragg::programs {

/// Streams of one image's random numbers (pixel noise has its own in the room diffraction). Numbers
/// are fixed for good: they decide every image.
enum ShotStream : std::uint32_t {
  kind_stream = 1,
  beam_stream = 2,
  sase_stream = 3,        ///< item = mode
  orientation_stream = 4, ///< item = lattice; preferred orientations
  angle_stream = 5,       ///< item = lattice; jitter of cell angles
  ice_stream = 6,
  salt_stream = 7,
  salt_peak_stream = 8, ///< item = peak
  zinger_stream = 9,    ///< item = zinger, 0 = their number
  hot_noise_stream = 10,
  lattice_stream = 16, ///< and the following, one per lattice
};

/// Streams of what a run's images share; the image number is `run_wide`.
enum RunStream : std::uint32_t {
  hot_pixel_stream = 1,
  dead_pixel_stream = 2,
  dead_panel_stream = 3,
};
inline constexpr std::uint32_t run_wide = 0xFFFFFFFF;

} // namespace kilobragg::programs
