// Spectra of simulated shots, spiky or smooth; for the sources of simulate_stills alone.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/programs/simulate_params.hpp"

#include <cstdint>

namespace kilobragg::programs {

/// A pulse of self-amplified spontaneous emission: the field is a sum of modes a third of a spike
/// apart, each a Gaussian of the spike's width with a complex normal amplitude, the variance of which
/// follows the Gaussian mean spectrum (chaotic light: Saldin, Schneidmiller, Yurkov 1998). Channels are
/// equal bins in photon energy, as spectrometers have them, over twice the bandwidth around that of
/// `wavelength`, and hold the mean intensity within them; weights sum to 1. The modes depend on (seed, image) alone, not on the number of channels.
models::Spectrum sase_spectrum(const SimulateBeam& beam, double wavelength, std::uint64_t seed,
                               std::uint32_t image);

/// The Gaussian mean spectrum in the same channels.
models::Spectrum gaussian_spectrum(const SimulateBeam& beam, double wavelength);

} // namespace kilobragg::programs
