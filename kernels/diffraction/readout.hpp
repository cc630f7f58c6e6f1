// What electronics make of the photons in a pixel: linear counts, and words of switching gain stages.
#pragma once

#include "kernels/function.hpp"

#include <cmath>
#include <cstdint>

namespace kilobragg::diffraction {

/// One gain stage of an adaptive-gain pixel. Signal raises the code where `gain` is positive and
/// lowers it where it is negative.
struct GainStage {
  double gain = 1;     ///< ADU per keV
  double pedestal = 0; ///< ADU without signal
  double noise = 0;    ///< readout noise (ADU, standard deviation)
  double limit = 0;    ///< keV in the pixel above which the next stage takes over
};

/// Three stages, a 14-bit code.
struct StagedPixel {
  GainStage stages[3];
};

inline constexpr std::uint16_t code_mask = 0x3fff; ///< ADU of a word; the two bits above: the stage
inline constexpr int gain_shift = 14;

/// Nearest whole number to x in [low, high], halves up; NaN gives low.
KOKKOS_FUNCTION inline double round_within(double x, double low, double high) {
  if (!(x > low)) return low;
  return x >= high ? high : std::floor(x + 0.5);
}

/// Stage that a pixel with `energy` (keV) has switched to.
KOKKOS_FUNCTION inline int stage_of(const StagedPixel& pixel, double energy) {
  if (energy <= pixel.stages[0].limit) return 0;
  return energy <= pixel.stages[1].limit ? 1 : 2;
}

/// Bits 00, 01 and 11 mark the stages 0, 1 and 2.
KOKKOS_FUNCTION constexpr std::uint16_t gain_bits(int stage) {
  return static_cast<std::uint16_t>((stage == 2 ? 3 : stage) << gain_shift);
}

/// The word of a pixel with `energy` (keV): stage bits, then ADU = pedestal + gain (1 + gain_error)
/// energy + noise * normal, rounded and held within 14 bits.
KOKKOS_FUNCTION inline std::uint16_t staged_word(const StagedPixel& pixel, double energy,
                                                 double gain_error, double normal) {
  const int stage = stage_of(pixel, energy);
  const GainStage& at = pixel.stages[stage];
  const double code = at.pedestal + at.gain * (1 + gain_error) * energy + at.noise * normal;
  return static_cast<std::uint16_t>(gain_bits(stage) |
                                    static_cast<std::uint16_t>(round_within(code, 0, code_mask)));
}

/// Stage of a word.
KOKKOS_FUNCTION constexpr int stage_of_word(std::uint16_t word) {
  const int bits = word >> gain_shift;
  return bits >= 2 ? 2 : bits;
}

/// Calibrated energy (keV) of a word: (ADU - pedestal) / gain of its stage. May be negative.
KOKKOS_FUNCTION inline double energy_of_word(const StagedPixel& pixel, std::uint16_t word) {
  const GainStage& at = pixel.stages[stage_of_word(word)];
  return (static_cast<double>(word & code_mask) - at.pedestal) / at.gain;
}

/// True where the signal ran against an end of the 14-bit range: its energy is then a lower bound.
KOKKOS_FUNCTION inline bool is_overloaded(const StagedPixel& pixel, std::uint16_t word) {
  const GainStage& at = pixel.stages[stage_of_word(word)];
  return (word & code_mask) == (at.gain > 0 ? code_mask : 0);
}

} // namespace kilobragg::diffraction
