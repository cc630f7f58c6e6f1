// Images of crystals from a forward model: photons expected per pixel, and their counting noise.
#pragma once

#include "kernels/diffraction/crystal_shapes.hpp"

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
  CrystalShape shape = CrystalShape::Gauss;
  Mat3 size = Mat3::identity(); ///< N: unit cells along a, b, c of a mosaic block
  double fudge = 1;             ///< see BlockShape
  Mat3 rotation;                ///< covariance of the blocks' misorientation (rad^2), Gauss only
  std::vector<Mat3> blocks;     ///< rotations of explicit blocks, over which the mean is taken
  double scale = 1;             ///< illuminated volume, relative
};

/// A direction from which a part of the beam comes, as Beam::direction.
struct BeamDirection {
  Vec3 direction;
  double weight = 1;
};

/// One exposure. Without a spectrum the beam is monochromatic, without directions parallel; weights are
/// normalised to sum 1.
struct Shot {
  models::Beam beam;
  std::vector<BeamDirection> divergence;
  std::vector<ShotLattice> lattices;
  double fluence = 1e28; ///< photons/m^2 times the number of mosaic blocks
  double background = 0; ///< mean over all pixels (photons)
};

/// Where in a pixel polarisation, solid angle and absorption are taken: they hardly change within it.
enum class FactorPoint {
  Centre,    ///< of the pixel at the sensor's surface; each layer absorbs its share
  NanoBragg, ///< the first point; all layers count what the last one absorbs, as in nanoBragg
};

struct RenderParams {
  int oversample = 3;  ///< points per pixel and direction
  int layers = 1;      ///< planes of the sensor that are hit, evenly spaced (parallax)
  double tail = 1e-6;  ///< a peak ends where it falls below this part of its height ...
  double floor = 1e-4; ///< ... or below this many photons per pixel, whichever comes first
  FactorPoint factors = FactorPoint::Centre;
};

/// What a rendering cost.
struct RenderCounts {
  std::size_t peaks = 0; ///< reflections that lit a panel, once per block and direction of the beam
  std::size_t pixels = 0; ///< evaluated, once per such peak; without an end: per block and channel
};

/// Reflections copied to where kernels run (a GPU, or the host), once for many images.
class DeviceReflections {
public:
  explicit DeviceReflections(const ReflectionSphere& sphere);
  struct State;
  const State& state() const { return *state_; }

private:
  std::shared_ptr<const State> state_;
};

/// Renders shots on one detector, on the device that Kokkos was built for. The beam given at construction
/// fixes polarisation and the rings of water; photons come from where the shot says. Pixel order of images: panel after panel, slow, fast. One renderer
/// at a time: MPI ranks, not threads, share the work.
class Renderer {
public:
  /// Throws core::Error on a detector without pixels or senseless parameters.
  Renderer(const models::Detector& detector, const models::Beam& beam, const RenderParams& params);
  ~Renderer();
  Renderer(Renderer&&) noexcept;

  std::size_t pixel_count() const;
  /// Adds the Bragg peaks of all lattices to `photons` (mean counts), images one after another.
  /// I = r_e^2 fluence scale P Omega c sum_s w_s |F|^2 <F_latt^2>(q_s), the mean over blocks, |F|^2 that of
  /// each channel's energy where it has layers. Gaussian and tophat peaks light the pixels that they
  /// reach. Square and round ones have no end, nor have peaks of a few cells: there every pixel is
  /// evaluated, at the nearest lattice point.
  RenderCounts add_peaks(std::span<const Shot> shots, const DeviceReflections& reflections,
                         std::span<float> photons);
  RenderCounts add_peaks(const Shot& shot, const DeviceReflections& reflections,
                         std::span<float> photons);
  /// Adds scattering of liquid water, scaled to mean shot.background over the detector.
  void add_background(const Shot& shot, std::span<float> photons) const;

private:
  struct State;
  std::unique_ptr<State> state_;
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
