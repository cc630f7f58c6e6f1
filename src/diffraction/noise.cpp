// Counting noise: mean photons to detector counts.
#include "kernels/diffraction/random.hpp"

#include "kilobragg/diffraction/renderer.hpp"

#include <algorithm>

namespace kilobragg::diffraction {
namespace {

/// Stream number of pixel noise among all uses of one seed.
constexpr std::uint32_t pixel_noise_stream = 0x70697865;
/// Random numbers are made for so many pixels together.
constexpr std::size_t pixels_at_once = 64;

/// Nearest integer of what is not negative.
std::int32_t saturate(double counts) {
  if (!(counts > 0)) return 0;
  return counts >= 2147483647.0 ? 2147483647 : static_cast<std::int32_t>(counts + 0.5);
}

} // namespace

void count_photons(std::span<const float> photons, const NoiseParams& params, std::uint32_t image,
                   std::span<std::int32_t> counts) {
  Words4 words[pixels_at_once];
  for (std::size_t start = 0; start < photons.size(); start += pixels_at_once) {
    const std::size_t end = std::min(start + pixels_at_once, photons.size());
    if (params.poisson)
      first_words(params.seed, image, pixel_noise_stream, static_cast<std::uint32_t>(start), words);
    for (std::size_t i = start; i < end; ++i) {
      double photon_count = static_cast<double>(photons[i]);
      if (params.poisson) {
        RandomStream random(params.seed, image, pixel_noise_stream, static_cast<std::uint32_t>(i),
                            words[i - start]);
        photon_count = poisson(random, photon_count);
      }
      counts[i] = saturate(params.gain * photon_count);
    }
  }
}

} // namespace kilobragg::diffraction
