// Readout of linear and gain-switching detectors, each pixel with random numbers of its own.
#include "kilobragg/diffraction/detector_response.hpp"

#include "kernels/diffraction/normal.hpp"
#include "kernels/diffraction/random.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace kilobragg::diffraction {
namespace {

/// Stream numbers among all uses of one seed.
constexpr std::uint32_t readout_stream = 0x72656164, gain_stream = 0x6761696e;
/// Random numbers are made for so many pixels together.
constexpr std::size_t pixels_at_once = 64;

/// Normal deviates of 64 consecutive pixels: pixel i takes word i % 4 of item i / 4 of the stream.
void draw_normals(const NoiseKey& key, std::uint32_t stream, std::size_t start,
                  double (&normals)[pixels_at_once]) {
  Words4 words[pixels_at_once / 4 + 1]; // one more where the first pixel is not a multiple of 4
  const std::uint32_t first = key.first_pixel + static_cast<std::uint32_t>(start);
  first_words(key.seed, key.image, stream, first / 4, words);
  double uniform[pixels_at_once];
  for (std::size_t i = 0; i < pixels_at_once; ++i) {
    const std::size_t word = first % 4 + i;
    uniform[i] = open_uniform(words[word / 4].w[word % 4]);
  }
  // The common case for all, in vector code; the outer 15 % are listed without a branch and made anew.
  std::uint8_t outer[pixels_at_once];
  std::size_t count = 0;
  for (std::size_t i = 0; i < pixels_at_once; ++i) {
    normals[i] = normal_quantile_central(uniform[i] - 0.5);
    outer[count] = static_cast<std::uint8_t>(i);
    count += std::abs(uniform[i] - 0.5) > normal_central ? 1 : 0;
  }
  for (std::size_t k = 0; k < count; ++k) normals[outer[k]] = normal_quantile(uniform[outer[k]]);
}

/// What is random about reading out: normal deviates where they are used, else zeros.
struct ReadoutNoise {
  bool noise, gain_spread;
  NoiseKey key, calibration;

  /// Calls use(first pixel, number of pixels, readout deviates, gain deviates) for blocks of pixels.
  template <typename Use>
  void for_each_block(std::size_t pixels, const Use& use) const {
    double read[pixels_at_once] = {}, gain[pixels_at_once] = {};
    for (std::size_t start = 0; start < pixels; start += pixels_at_once) {
      if (noise) draw_normals(key, readout_stream, start, read);
      if (gain_spread) draw_normals(calibration, gain_stream, start, gain);
      use(start, std::min(pixels_at_once, pixels - start), read, gain);
    }
  }
};

void check_map(std::span<const float> map, std::size_t pixels, const char* name) {
  core::require(map.empty() || map.size() == pixels, "{} map of {} values for {} pixels", name,
                map.size(), pixels);
}

/// The block of `map` from `start`, or `otherwise` where there is no map.
void fill(double (&block)[pixels_at_once], std::span<const float> map, double otherwise,
          std::size_t start, std::size_t size) {
  if (map.empty())
    std::fill_n(block, size, otherwise);
  else
    std::copy_n(map.begin() + static_cast<std::ptrdiff_t>(start), size, block);
}

void check(const LinearResponse& response) {
  core::require(response.gain > 0 && response.noise >= 0 && response.gain_spread >= 0 &&
                    response.lowest <= response.highest,
                "senseless detector response (gain {}, noise {}, gain spread {}, counts from {} to "
                "{})",
                response.gain, response.noise, response.gain_spread, response.lowest,
                response.highest);
}

void check(const StagedResponse& response) {
  const GainStage* stages = response.pixel.stages;
  core::require(response.photon_energy > 0 && response.gain_spread >= 0 &&
                    stages[0].limit < stages[1].limit,
                "senseless gain stages (photons of {} keV, limits {} and {} keV)",
                response.photon_energy, stages[0].limit, stages[1].limit);
  for (int i = 0; i < 3; ++i)
    core::require(stages[i].gain != 0 && stages[i].noise >= 0,
                  "senseless gain stage {} (gain {} ADU/keV, noise {} ADU)", i, stages[i].gain,
                  stages[i].noise);
}

bool has_noise(const StagedPixel& pixel) {
  return std::any_of(std::begin(pixel.stages), std::end(pixel.stages),
                     [](const GainStage& stage) { return stage.noise > 0; });
}

} // namespace

void read_out(const LinearResponse& response, const PixelMaps& maps, std::span<const float> photons,
              const NoiseKey& key, std::span<std::int32_t> counts) {
  check(response);
  check_map(maps.gain, photons.size(), "gain");
  check_map(maps.pedestal, photons.size(), "pedestal");
  check_map(maps.noise, photons.size(), "noise");
  core::require(photons.size() == counts.size(), "{} pixels of photons for {} of counts",
                photons.size(), counts.size());
  const ReadoutNoise random{response.noise > 0 || !maps.noise.empty(),
                            response.gain_spread > 0,
                            key,
                            {response.calibration_seed, 0, key.first_pixel}};
  random.for_each_block(photons.size(), [&](std::size_t start, std::size_t size, const double* read,
                                            const double* spread) {
    double gain[pixels_at_once], pedestal[pixels_at_once], noise[pixels_at_once];
    fill(gain, maps.gain, response.gain, start, size);
    fill(pedestal, maps.pedestal, response.pedestal, start, size);
    fill(noise, maps.noise, response.noise, start, size);
    for (std::size_t i = 0; i < size; ++i) {
      const double light = gain[i] * (1 + response.gain_spread * spread[i]) *
                           static_cast<double>(photons[start + i]);
      counts[start + i] = static_cast<std::int32_t>(round_within(
          pedestal[i] + light + noise[i] * read[i], response.lowest, response.highest));
    }
  });
}

void read_out(const models::Detector& detector, const LinearResponse& response,
              std::span<const float> photons, const NoiseKey& key, std::span<std::int32_t> counts) {
  core::require(photons.size() == static_cast<std::size_t>(detector.pixel_count()) &&
                    counts.size() == photons.size(),
                "{} pixels of photons and {} of counts for a detector of {}", photons.size(),
                counts.size(), detector.pixel_count());
  std::size_t start = 0;
  for (const models::Panel& panel : detector.panels) {
    LinearResponse own = response;
    own.gain *= panel.gain;
    own.pedestal += panel.pedestal;
    const auto pixels = static_cast<std::size_t>(panel.image_size[0]) *
                        static_cast<std::size_t>(panel.image_size[1]);
    read_out(own, {}, photons.subspan(start, pixels),
             {key.seed, key.image, key.first_pixel + static_cast<std::uint32_t>(start)},
             counts.subspan(start, pixels));
    start += pixels;
  }
}

StagedResponse jungfrau(double photon_energy) {
  StagedResponse response;
  response.photon_energy = photon_energy;
  response.pixel = {
      {{41.5, 3000, 12.5, 310}, {-1.39, 15000, 12.5, 10000}, {-0.11, 15000, 12.5, 0}}};
  return response;
}

void read_out(const StagedResponse& response, std::span<const float> photons, const NoiseKey& key,
              std::span<std::uint16_t> words) {
  check(response);
  core::require(photons.size() == words.size(), "{} pixels of photons for {} of words",
                photons.size(), words.size());
  const ReadoutNoise random{has_noise(response.pixel),
                            response.gain_spread > 0,
                            key,
                            {response.calibration_seed, 0, key.first_pixel}};
  random.for_each_block(photons.size(), [&](std::size_t start, std::size_t size, const double* read,
                                            const double* spread) {
    for (std::size_t i = 0; i < size; ++i)
      words[start + i] = staged_word(
          response.pixel, response.photon_energy * static_cast<double>(photons[start + i]),
          response.gain_spread * spread[i], read[i]);
  });
}

void calibrate(const StagedResponse& response, std::span<const std::uint16_t> words,
               CalibratedUnit unit, std::span<float> values) {
  check(response);
  core::require(words.size() == values.size(), "{} words for {} pixels", words.size(),
                values.size());
  const double per_unit = unit == CalibratedUnit::KeV ? 1 : response.photon_energy;
  for (std::size_t i = 0; i < words.size(); ++i)
    values[i] = static_cast<float>(energy_of_word(response.pixel, words[i]) / per_unit);
}

void round_counts(std::span<const float> values, double counts_per_unit, std::int32_t lowest,
                  std::int32_t highest, std::span<std::int32_t> counts) {
  core::require(values.size() == counts.size(), "{} values for {} counts", values.size(),
                counts.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    counts[i] = static_cast<std::int32_t>(
        round_within(counts_per_unit * static_cast<double>(values[i]), lowest, highest));
}

} // namespace kilobragg::diffraction
