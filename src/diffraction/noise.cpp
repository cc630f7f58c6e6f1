// Counting noise: mean photons to whole photons, and to detector counts.
#include "kernels/diffraction/random.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/detector_response.hpp"
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

/// Calls use(i, photons of pixel i) for all pixels in their order.
template <typename Use>
void for_each_poisson(std::span<const float> means, const NoiseKey& key, const Use& use) {
  Words4 words[pixels_at_once];
  for (std::size_t start = 0; start < means.size(); start += pixels_at_once) {
    const std::size_t end = std::min(start + pixels_at_once, means.size());
    const auto first = key.first_pixel + static_cast<std::uint32_t>(start);
    first_words(key.seed, key.image, pixel_noise_stream, first, words);
    for (std::size_t i = start; i < end; ++i) {
      RandomStream random(key.seed, key.image, pixel_noise_stream,
                          key.first_pixel + static_cast<std::uint32_t>(i), words[i - start]);
      use(i, poisson(random, static_cast<double>(means[i])));
    }
  }
}

} // namespace

void draw_photons(std::span<const float> means, const NoiseKey& key, std::span<float> photons) {
  core::require(means.size() == photons.size(), "{} mean photons for {} pixels", means.size(),
                photons.size());
  for_each_poisson(means, key, [&](std::size_t i, std::int32_t drawn) {
    photons[i] = static_cast<float>(drawn);
  });
}

void count_photons(std::span<const float> photons, const NoiseParams& params, std::uint32_t image,
                   std::span<std::int32_t> counts) {
  if (params.poisson)
    for_each_poisson(photons, {params.seed, image, 0}, [&](std::size_t i, std::int32_t drawn) {
      counts[i] = saturate(params.gain * drawn);
    });
  else
    for (std::size_t i = 0; i < photons.size(); ++i)
      counts[i] = saturate(params.gain * static_cast<double>(photons[i]));
}

} // namespace kilobragg::diffraction
