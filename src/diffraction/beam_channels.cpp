// Spectrum times divergence.
#include "beam_channels.hpp"

#include "kilobragg/core/error.hpp"

namespace kilobragg::diffraction {

std::vector<WeightedChannel> make_channels(const Shot& shot) {
  models::Spectrum spectrum = shot.beam.spectrum;
  if (spectrum.empty()) spectrum = {{shot.beam.wavelength}, {1}};
  std::vector<BeamDirection> directions = shot.divergence;
  if (directions.empty()) directions = {{shot.beam.direction, 1}};
  double sum = 0;
  for (const double weight : spectrum.weights)
    for (const BeamDirection& from : directions) sum += weight * from.weight;
  core::require(sum > 0, "spectrum of a shot has no intensity (weights sum to {})", sum);
  std::vector<WeightedChannel> channels;
  for (const BeamDirection& from : directions) {
    const Vec3 k0 = -unit(from.direction);
    for (std::size_t i = 0; i < spectrum.wavelengths.size(); ++i) {
      const double wavelength = spectrum.wavelengths[i];
      const double weight = spectrum.weights[i] * from.weight;
      if (weight > 0) channels.push_back({{k0 / wavelength, wavelength}, weight / sum});
    }
  }
  return channels;
}

} // namespace kilobragg::diffraction
