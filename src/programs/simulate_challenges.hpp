// What makes simulated images as hard as real ones; for the sources of simulate_stills alone.
#pragma once

#include "simulate_powder.hpp"

#include "kilobragg/programs/simulate_detectors.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace kilobragg::programs {

/// A pixel of an image: its number in the order of images, and where it is.
struct PlacedPixel {
  std::size_t index = 0;
  int panel = 0, fast = 0, slow = 0;
};

struct HotPixel {
  PlacedPixel pixel;
  double photons = 0; ///< mean of its own counts; 0 = saturated
};

/// What is wrong with the detector on all images of a run.
struct BadPixels {
  std::vector<HotPixel> hot;
  std::vector<PlacedPixel> dead;
  std::vector<PixelBlock> dead_blocks;
};

/// Draws them by params.seed among the usable pixels. Throws core::Error if there are more dead
/// panels asked for than the detector has modules.
BadPixels draw_bad_pixels(const SimulateParams& params, const SimulatedDetector& detector);

/// The detector's mask with those bad pixels that the files shall name; empty = all usable.
std::vector<std::uint8_t> file_mask(const SimulateChallenges& challenges,
                                    const SimulatedDetector& detector, const BadPixels& bad);

/// A peak of a grain of salt.
struct SaltPeak {
  int panel = 0;
  models::PanelPoint px;
  double d = 0, photons = 0, width = 1; ///< angstrom; standard deviation in pixels
};

/// A straight track through the sensor.
struct Zinger {
  PlacedPixel start;
  double angle = 0;   ///< rad, from fast to slow
  double length = 0;  ///< pixels
  double photons = 0; ///< in each pixel of the track
};

/// What one image has besides crystals and background.
struct DrawnArtefacts {
  double ice = 0, salt = 0; ///< photons per pixel on the strongest ring's crest
  std::vector<SaltPeak> salt_peaks;
  std::vector<Zinger> zingers;
};

/// Draws those of image number `image`: the same for the same seed and number, whatever else is drawn.
DrawnArtefacts draw_artefacts(const SimulateParams& params, const models::Detector& detector,
                              const models::Beam& beam, std::uint32_t image);

/// Puts the challenges of a run on its images. Holds geometry of every pixel only if rings are asked
/// for.
class Challenger {
public:
  /// `planes`: the detector on which photons fall (absorption_planes()).
  Challenger(const SimulateParams& params, const SimulatedDetector& detector,
             const models::Detector& planes, const models::Beam& beam, const BadPixels& bad);

  /// Rings and peaks of salt, before counting.
  void add_photons(const DrawnArtefacts& drawn, double wavelength, std::span<float> photons) const;
  /// Zingers, hot and dead pixels, after counting.
  void change_counts(const DrawnArtefacts& drawn, std::uint32_t image,
                     std::span<std::int32_t> counts) const;

private:
  void add_peak(const SaltPeak& peak, std::span<float> photons) const;
  void add_zinger(const Zinger& zinger, std::span<std::int32_t> counts) const;

  const SimulateParams& params_;
  const models::Detector& detector_;
  const BadPixels& bad_;
  std::vector<std::size_t> offsets_; ///< of each panel's pixels in an image
  std::optional<PowderScreen> screen_;
  std::optional<PowderProfile> ice_, salt_;
};

} // namespace kilobragg::programs
