// What stage 2 streams over: for every pixel of a shot, how its expected photons follow from F^2.
#pragma once

#include <cstdint>
#include <vector>

namespace kilobragg::pixelrefinement {

/// A reflection in one shot. Its photons in a pixel are F^2 G exp(-B inv_d2 / 2 + by_size u) kernel, u the
/// change of ln N: the kernel's profile stays that of N as it was, its light follows to first order.
struct StreamSegment {
  std::int32_t unknown = 0; ///< row of the FactorTable
  std::int32_t lattice = 0; ///< of the shot; each has its own G
  float inv_d2 = 0;         ///< 1/d^2 (1/angstrom^2)
  std::int64_t first = 0;   ///< of the pixels that it lights alone
  std::int32_t count = 0;
  bool left_out = false; ///< for cross-validation: its likelihood is reported, and refines nothing
  float by_size = 0;     ///< d ln(photons) / d ln N of its lattice
};

/// A pixel that several segments light; its parts are [first, first + count) of ShotStream::parts. Where
/// one of these segments is left out, so is the pixel.
struct SharedPixel {
  float value = 0, background = 0, readout = 0;
  std::int32_t first = 0, count = 0;
  bool left_out = false;
};
struct SharedPart {
  std::int32_t segment = 0; ///< of the shot
  float kernel = 0;
};

/// The columns of pixels lit by one segment each have equal length. Photons everywhere.
struct ShotStream {
  std::int32_t lattices = 1;           ///< of the shot, also those that light nothing
  std::vector<StreamSegment> segments; ///< sorted by unknown
  std::vector<float>
      kernel; ///< photons per F^2 with the shot's model as it stood: G, B and N are changes to it
  std::vector<float> value, background;
  std::vector<float> readout; ///< empty = 0; of one element = of all pixels but the shared ones
  std::vector<SharedPixel> shared;
  std::vector<SharedPart> parts;
};

} // namespace kilobragg::pixelrefinement
