// Images of crystals from a forward model: photons expected per pixel, and their counting noise.
#pragma once

#include "kilobragg/diffraction/reflections.hpp"
#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/crystal.hpp"
#include "kilobragg/models/detector.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace kilobragg::diffraction {

/// One crystal in the beam.
struct ShotLattice {
  models::Crystal crystal;
  Mat3 size = Mat3::identity(); ///< N: unit cells along a, b, c of a mosaic block
  Mat3 rotation;                ///< covariance of the blocks' misorientation (rad^2)
  double scale = 1;             ///< illuminated volume, relative
};

/// One exposure. Without a spectrum the beam is monochromatic; weights are normalised to sum 1.
struct Shot {
  models::Beam beam;
  std::vector<ShotLattice> lattices;
  double fluence = 1e28; ///< photons/m^2 times the number of mosaic blocks
  double background = 0; ///< mean over all pixels (photons)
};

struct RenderParams {
  int oversample = 3;  ///< points per pixel and direction
  double tail = 1e-6;  ///< a peak ends where it falls below this part of its height ...
  double floor = 1e-4; ///< ... or below this many photons per pixel, whichever comes first
};

/// What a rendering cost.
struct RenderCounts {
  std::size_t peaks = 0;  ///< reflection, channel pairs that lit a panel
  std::size_t pixels = 0; ///< pixels evaluated, once per such pair
};

/// Renders shots on one detector. The beam given at construction fixes direction and polarisation.
/// Pixel order of images: panel after panel, slow, fast. Const members are safe to call in parallel.
class Renderer {
public:
  /// Throws core::Error on a detector without pixels or senseless parameters.
  Renderer(const models::Detector& detector, const models::Beam& beam, const RenderParams& params);
  ~Renderer();
  Renderer(Renderer&&) noexcept;

  std::size_t pixel_count() const;
  /// Adds the Bragg peaks of all lattices to `photons` (mean counts).
  /// I = r_e^2 fluence scale P Omega c sum_s w_s |F|^2 <F_latt^2>(q_s), over every reflection whose
  /// peak reaches the pixel; peaks are Gaussian, with mosaic spread in closed form.
  RenderCounts add_peaks(const Shot& shot, const ReflectionSphere& reflections,
                         std::span<float> photons) const;
  /// Adds scattering of liquid water, scaled to mean shot.background over the detector.
  void add_background(const Shot& shot, std::span<float> photons) const;

private:
  struct State;
  std::unique_ptr<const State> state_;
};

/// How mean photons become detector counts.
struct NoiseParams {
  bool poisson = true; ///< else counts are the means, rounded
  double gain = 1;     ///< counts per photon
  std::uint64_t seed = 0;
};

/// Counts of image number `image`: each pixel has its own random stream (seed, image, pixel), so an
/// image depends on nothing else. Counts beyond the int32 range saturate.
void count_photons(std::span<const float> photons, const NoiseParams& params, std::uint32_t image,
                   std::span<std::int32_t> counts);

} // namespace kilobragg::diffraction
