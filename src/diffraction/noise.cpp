// Counting noise: mean photons to detector counts.
#include "kernels/diffraction/random.hpp"

#include "kilobragg/diffraction/renderer.hpp"

#include <cmath>

namespace kilobragg::diffraction {
namespace {

/// Stream number of pixel noise among all uses of one seed.
constexpr std::uint32_t pixel_noise_stream = 0x70697865;

std::int32_t saturate(double counts) {
  return counts >= 2147483647.0 ? 2147483647 : static_cast<std::int32_t>(std::lround(counts));
}

} // namespace

void count_photons(std::span<const float> photons, const NoiseParams& params, std::uint32_t image,
                   std::span<std::int32_t> counts) {
  for (std::size_t i = 0; i < photons.size(); ++i) {
    const double mean = static_cast<double>(photons[i]);
    if (!params.poisson) {
      counts[i] = saturate(params.gain * mean);
      continue;
    }
    RandomStream random(params.seed, image, pixel_noise_stream, static_cast<std::uint32_t>(i));
    const std::int32_t n = poisson(random, mean);
    counts[i] = params.gain == 1 ? n : saturate(params.gain * n);
  }
}

} // namespace kilobragg::diffraction
