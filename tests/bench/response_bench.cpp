// Background, point spread, noise and readout of one megapixel.
#include "kilobragg/diffraction/amorphous.hpp"
#include "kilobragg/diffraction/detector_response.hpp"
#include "kilobragg/diffraction/point_spread.hpp"

#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

namespace kilobragg::diffraction {
namespace {

constexpr int side = 1024;
constexpr std::size_t pixels = std::size_t{side} * side;

void count_pixels(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(pixels));
}

/// Poisson noise; the argument is 100 times the mean.
void noise_poisson(benchmark::State& state) {
  const std::vector<float> means(pixels, 0.01F * static_cast<float>(state.range(0)));
  std::vector<float> photons(pixels);
  NoiseKey key{1, 0, 0};
  for (auto _ : state) {
    draw_photons(means, key, photons);
    ++key.image;
    benchmark::DoNotOptimize(photons.data());
  }
  count_pixels(state);
}
BENCHMARK(noise_poisson)
    ->Arg(10)
    ->Arg(100)
    ->Arg(500)
    ->Arg(2000)
    ->Arg(100000)
    ->Unit(benchmark::kMillisecond);

void read_linear(benchmark::State& state) {
  const std::vector<float> photons(pixels, 20.0F);
  std::vector<std::int32_t> counts(pixels);
  NoiseKey key{1, 0, 0};
  const LinearResponse response{1.8, 40, 3};
  for (auto _ : state) {
    read_out(response, {}, photons, key, counts);
    ++key.image;
    benchmark::DoNotOptimize(counts.data());
  }
  count_pixels(state);
}
BENCHMARK(read_linear)->Unit(benchmark::kMillisecond);

void read_jungfrau(benchmark::State& state) {
  std::vector<float> photons(pixels, 3.0F), values(pixels);
  std::vector<std::uint16_t> words(pixels);
  for (std::size_t i = 0; i < pixels; i += 50) photons[i] = 500;
  NoiseKey key{1, 0, 0};
  const StagedResponse response = jungfrau(12.4);
  for (auto _ : state) {
    read_out(response, photons, key, words);
    calibrate(response, words, CalibratedUnit::Photons, values);
    ++key.image;
    benchmark::DoNotOptimize(values.data());
  }
  count_pixels(state);
}
BENCHMARK(read_jungfrau)->Unit(benchmark::kMillisecond);

void spread(benchmark::State& state, PointSpreadShape shape, double fwhm_pixels, int radius) {
  const PointSpread psf({shape, 100 * fwhm_pixels, radius}, {0.1, 0.1});
  std::vector<float> image(pixels, 1.0F);
  for (auto _ : state) {
    psf.apply(image, side, side);
    benchmark::DoNotOptimize(image.data());
  }
  count_pixels(state);
  state.counters["terms"] = static_cast<double>(psf.terms());
  state.counters["radius"] = psf.radius();
  state.counters["outside"] = psf.outside();
}
BENCHMARK_CAPTURE(spread, gaussian, PointSpreadShape::Gaussian, 1.5, 0)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(spread, fibre_half_pixel, PointSpreadShape::Fibre, 0.5, 0)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(spread, fibre_one_pixel, PointSpreadShape::Fibre, 1.0, 0)
    ->Unit(benchmark::kMillisecond);

/// The full kernel, weight by weight, over 64 rows: what taking it apart saves.
void spread_plainly(benchmark::State& state) {
  constexpr int radius = 33, rows = 64;
  const PointSpreadParams params{PointSpreadShape::Fibre, 50, radius};
  const auto exact = point_spread_weights(params, {0.1, 0.1}, radius);
  const std::vector<float> weights(exact.begin(), exact.end());
  std::vector<float> in((rows + 2 * radius) * std::size_t{side + 2 * radius}, 1.0F),
      out(side * rows);
  for (auto _ : state) {
    for (int y = 0; y < rows; ++y)
      for (int dy = -radius; dy <= radius; ++dy)
        for (int dx = -radius; dx <= radius; ++dx) {
          const float weight =
              weights[static_cast<std::size_t>(std::abs(dy) * (radius + 1) + std::abs(dx))];
          const float* from =
              &in[static_cast<std::size_t>((y + dy + radius) * (side + 2 * radius) + dx + radius)];
          float* to = &out[static_cast<std::size_t>(y * side)];
          for (int x = 0; x < side; ++x) to[x] += weight * from[x];
        }
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * side * rows);
}
BENCHMARK(spread_plainly)->Unit(benchmark::kMillisecond);

/// Water and air on one megapixel; the argument is the number of channels.
void amorphous(benchmark::State& state) {
  models::Detector detector;
  detector.panels.resize(1);
  detector.panels[0].image_size = {side, side};
  detector.panels[0].frame.slow = {0, -1, 0};
  detector.panels[0].frame.origin = {-51.2, 51.2, -100};
  AmorphousShot shot;
  shot.beam.wavelength = 1.3, shot.fluence = 1e22, shot.beam_area = 1e-4;
  for (int i = 0; i < static_cast<int>(state.range(0)); ++i) {
    shot.beam.spectrum.wavelengths.push_back(1.3 + 1e-4 * i);
    shot.beam.spectrum.weights.push_back(1);
  }
  const AmorphousScattering scattering(detector, shot.beam);
  const std::vector<Medium> media{water(0.05), air(100)};
  std::vector<float> image(pixels);
  for (auto _ : state) {
    scattering.add(shot, media, image);
    benchmark::DoNotOptimize(image.data());
  }
  count_pixels(state);
}
BENCHMARK(amorphous)->Arg(1)->Arg(100)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace kilobragg::diffraction
