// From mean photons to what a detector writes: photon noise, gain, readout noise, switching stages.
#pragma once

#include "kernels/diffraction/readout.hpp"

#include "kilobragg/models/detector.hpp"

#include <cstdint>
#include <span>

namespace kilobragg::diffraction {

/// Which random numbers a piece of an image takes. Pixel i of the piece draws from the streams of
/// (seed, image, first_pixel + i), one stream for photons and one for readout, and from nothing else:
/// pieces can be made in any order, by any thread or rank.
struct NoiseKey {
  std::uint64_t seed = 0;
  std::uint32_t image = 0;
  std::uint32_t first_pixel = 0;
};

/// Whole photons around their means: the same as count_photons with gain 1, as floats, so that a
/// point spread can follow. `means` and `photons` may be the same memory.
void draw_photons(std::span<const float> means, const NoiseKey& key, std::span<float> photons);

/// Detectors whose counts follow the photons linearly: CCDs with scintillators, fixed-gain pixels.
///     counts = pedestal + gain (1 + spread_i) photons + noise n, rounded, within [lowest, highest]
/// with n and spread_i / gain_spread normal deviates; spread_i belongs to pixel i and stays from image
/// to image. Sensor efficiency is not here: it is the capture fraction of pixel_factors.hpp.
struct LinearResponse {
  double gain = 1;     ///< counts per photon
  double pedestal = 0; ///< counts without light
  double noise = 0;    ///< readout noise (counts, standard deviation)
  double gain_spread = 0;
  std::uint64_t calibration_seed = 0; ///< of spread_i
  std::int32_t lowest = 0, highest = 2147483647;
};

/// Per pixel values that replace those of a LinearResponse; each empty or one per pixel.
struct PixelMaps {
  std::span<const float> gain, pedestal, noise;
};

/// Throws core::Error on sizes that differ or a response without sense.
void read_out(const LinearResponse& response, const PixelMaps& maps, std::span<const float> photons,
              const NoiseKey& key, std::span<std::int32_t> counts);

/// All panels of a detector: each panel's own gain multiplies response.gain, its pedestal adds.
void read_out(const models::Detector& detector, const LinearResponse& response,
              std::span<const float> photons, const NoiseKey& key, std::span<std::int32_t> counts);

/// Detectors whose pixels integrate charge and lower their gain as it grows (JUNGFRAU).
struct StagedResponse {
  StagedPixel pixel;
  double photon_energy = 12.4; ///< keV
  double gain_spread = 0;      ///< as in LinearResponse; the calibration does not know of it
  std::uint64_t calibration_seed = 0;
};

/// JUNGFRAU at `photon_energy` (keV): gains 41.5, -1.39, -0.11 ADU/keV (the defaults of LCLS's psana for
/// this detector), 14 bits, readout noise of 83 electrons in the first stage (short integration; 12.5
/// ADU at 3.62 eV per pair, 0.024 photons of 12.4 keV). For the other stages the same 12.5 ADU of the
/// converter are assumed, 0.7 and 9 photons, well below the photons' own noise there. Pedestals and
/// limits are chosen so that the stages end where their ranges are said to: about 25 photons of
/// 12.4 keV (310 keV) in the first, 10^4 in all. docs/detector-response.md has the sources.
StagedResponse jungfrau(double photon_energy);

enum class CalibratedUnit { Photons, KeV };

/// Words of 2 gain bits and 14 code bits, as the detector sends.
void read_out(const StagedResponse& response, std::span<const float> photons, const NoiseKey& key,
              std::span<std::uint16_t> words);
/// What calibration with the nominal constants makes of such words; negative where noise has it so.
void calibrate(const StagedResponse& response, std::span<const std::uint16_t> words,
               CalibratedUnit unit, std::span<float> values);
/// Nearest whole numbers of values * counts_per_unit, within [lowest, highest].
void round_counts(std::span<const float> values, double counts_per_unit, std::int32_t lowest,
                  std::int32_t highest, std::span<std::int32_t> counts);

} // namespace kilobragg::diffraction
