// Draws the modes of SASE pulses and sums them into channels.
#include "simulate_spectrum.hpp"

#include "simulate_streams.hpp"

#include "kernels/diffraction/random.hpp"

#include <algorithm>
#include <cmath>
#include <complex>

namespace kilobragg::programs {
namespace {

constexpr double fwhm = 2.3548200450309493; ///< of a Gaussian of standard deviation 1

/// The field of one pulse over relative offsets in photon energy.
class Field {
public:
  Field(const SimulateBeam& beam, std::uint64_t seed, std::uint32_t image)
      : width_(beam.spike_width / fwhm)
      , spacing_(beam.spike_width / 3)
      , count_(static_cast<int>(std::ceil(beam.bandwidth / spacing_)) + reach) {
    const double sigma = beam.bandwidth / fwhm;
    for (int k = -count_; k <= count_; ++k) {
      diffraction::RandomStream random(seed, image, sase_stream,
                                       static_cast<std::uint32_t>(k + most_modes));
      const double x = k * spacing_ / sigma, scale = std::exp(-0.25 * x * x);
      const double real = random.normal(), imaginary = random.normal();
      amplitudes_.emplace_back(scale * real, scale * imaginary);
    }
  }

  double intensity(double offset) const {
    const int nearest = static_cast<int>(std::lround(offset / spacing_));
    std::complex<double> sum = 0;
    for (int k = std::max(nearest - reach, -count_); k <= std::min(nearest + reach, count_); ++k) {
      const double x = (offset - k * spacing_) / width_;
      sum += std::exp(-0.25 * x * x) * amplitudes_[static_cast<std::size_t>(k + count_)];
    }
    return std::norm(sum);
  }

private:
  /// Modes further away give less than 1e-6 of their amplitude.
  static constexpr int reach = 10;
  /// Item of the middle mode: that of narrower spectra is the same.
  static constexpr int most_modes = 1 << 20;

  double width_, spacing_;
  int count_;
  std::vector<std::complex<double>> amplitudes_;
};

/// Equal bins, empty, and where they lie.
struct Bins {
  double first, step; ///< relative offset in energy of the first bin's edge; width
  int count;
  models::Spectrum spectrum;

  Bins(const SimulateBeam& beam, double wavelength)
      : first(-beam.bandwidth)
      , step(2 * beam.bandwidth / beam.channels)
      , count(beam.channels) {
    for (int i = 0; i < count; ++i)
      spectrum.wavelengths.push_back(wavelength / (1 + first + (i + 0.5) * step));
  }
};

void normalise(std::vector<double>& weights) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  for (double& weight : weights) weight /= sum;
}

} // namespace

models::Spectrum sase_spectrum(const SimulateBeam& beam, double wavelength, std::uint64_t seed,
                               std::uint32_t image) {
  const Field field(beam, seed, image);
  Bins bins(beam, wavelength);
  const int points = std::max(1, static_cast<int>(std::ceil(8 * bins.step / beam.spike_width)));
  for (int i = 0; i < bins.count; ++i) {
    double sum = 0;
    for (int k = 0; k < points; ++k)
      sum += field.intensity(bins.first + (i + (k + 0.5) / points) * bins.step);
    bins.spectrum.weights.push_back(sum / points);
  }
  normalise(bins.spectrum.weights);
  return bins.spectrum;
}

models::Spectrum gaussian_spectrum(const SimulateBeam& beam, double wavelength) {
  Bins bins(beam, wavelength);
  const double unit = fwhm / beam.bandwidth / std::sqrt(2.0);
  for (int i = 0; i < bins.count; ++i) {
    const double low = bins.first + i * bins.step;
    bins.spectrum.weights.push_back(std::erf((low + bins.step) * unit) - std::erf(low * unit));
  }
  normalise(bins.spectrum.weights);
  return bins.spectrum;
}

} // namespace kilobragg::programs
