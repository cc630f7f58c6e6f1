// Spectrum moments.
#include "kilobragg/models/beam.hpp"

#include "kilobragg/core/error.hpp"

namespace kilobragg::models {

double Spectrum::mean_wavelength() const {
  core::require(wavelengths.size() == weights.size(), "spectrum has {} wavelengths but {} weights",
                wavelengths.size(), weights.size());
  double sum = 0, weighted = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += weights[i];
    weighted += weights[i] * wavelengths[i];
  }
  core::require(sum > 0, "spectrum without intensity (its {} weights sum to {})", weights.size(),
                sum);
  return weighted / sum;
}

} // namespace kilobragg::models
