// The pixels of one shot that refinement looks at: shoeboxes cut from its image, in photons.
#pragma once

#include "kernels/integration/plane_fit.hpp"

#include "kilobragg/diffraction/shoebox_model.hpp"
#include "kilobragg/models/symmetry.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kilobragg::pixelrefinement {

/// What a shoebox is good for. Only the first two hold pixels that count.
enum class BoxState : std::uint8_t {
  Used,
  LeftOut,            ///< kept for cross-validation
  Untrusted,          ///< too few trusted pixels where the spot is expected
  Saturated,          ///< a pixel of the spot at or above the end of the trusted range
  NoBackground,       ///< too few pixels around the spot, or no plane fits them
  NegativeBackground, ///< a plane at or below zero photons somewhere in the box
  Overlapped,         ///< hardly a pixel is its own
};

/// True for boxes whose pixels count.
inline bool is_good(BoxState state) {
  return state == BoxState::Used || state == BoxState::LeftOut;
}

/// A shoebox about a predicted reflection. Its pixels stand from `first` on, slow, fast.
struct ReflectionBox {
  diffraction::Shoebox box;
  models::Miller hkl;       ///< in the lattice's own P1 indexing
  std::int32_t lattice = 0; ///< of the shot
  BoxState state = BoxState::Used;
  Plane background; ///< photons at pixel centres (column + 0.5, row + 0.5) of the panel
  std::size_t first = 0;
};

/// Columns of equal length, box after box. A pixel of the image that lies in several boxes counts in one
/// of them, the one whose reflection is predicted nearest: the model lights every pixel from all
/// reflections, so that nothing is lost and nothing counted twice.
struct ShotPixels {
  std::vector<ReflectionBox> boxes;
  std::vector<float> value;      ///< photons
  std::vector<float> background; ///< photons, the plane of the box
  std::vector<float>
      readout; ///< rms noise of the readout in photons; of one element = of all pixels
  std::vector<std::uint8_t> used; ///< 1 = counts

  std::size_t size() const { return value.size(); }
  float readout_of(std::size_t pixel) const {
    return readout.empty() ? 0 : readout.size() == 1 ? readout[0] : readout[pixel];
  }
  /// How far a pixel is from `bragg` photons above its background, in standard deviations.
  double z(std::size_t pixel, double bragg) const {
    const double m = double(background[pixel]) + bragg, noise = double(readout_of(pixel));
    return (double(value[pixel]) - m) / std::sqrt(m + noise * noise);
  }
};

} // namespace kilobragg::pixelrefinement
