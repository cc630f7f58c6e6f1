// Rendering and counting noise on the default run of simulate_stills.
#include "kernels/diffraction/spectrum.hpp"

#include "kilobragg/diffraction/renderer.hpp"
#include "kilobragg/diffraction/shoebox_model.hpp"
#include "kilobragg/programs/simulate_detectors.hpp"
#include "kilobragg/programs/simulate_shots.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>

namespace kilobragg::diffraction {
namespace {

/// Shots 0 to 19 of the default run on its detector, random amplitudes to 1.65 angstrom.
struct Scene {
  programs::SimulateParams params;
  programs::Sample sample{models::UnitCell::parse("77.06 77.06 37.22 90 90 90"),
                          models::SpaceGroup("P43212")};
  DeviceReflections reflections{expand_to_sphere(
      structure_factors::random_wilson(sample.cell, sample.space_group, 1.65, 1), 0)};

  Shot shot(std::int64_t i) const {
    const auto image = static_cast<std::uint32_t>(i % 20);
    return programs::to_render(programs::draw_shot(params, sample, image), params);
  }
  Renderer renderer(int oversample) const {
    models::Beam beam;
    beam.wavelength = params.beam.wavelength;
    return {programs::make_detector(params.detector), beam, {.oversample = oversample}};
  }
};

void render_peaks(benchmark::State& state) {
  const Scene scene;
  Renderer renderer = scene.renderer(static_cast<int>(state.range(0)));
  std::vector<float> image(renderer.pixel_count());
  std::int64_t i = 0;
  double lit = 0;
  for (auto _ : state)
    lit +=
        static_cast<double>(renderer.add_peaks(scene.shot(i++), scene.reflections, image).pixels);
  state.counters["images/s"] = benchmark::Counter(double(i), benchmark::Counter::kIsRate);
  state.counters["s/lit_pixel"] =
      benchmark::Counter(lit, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(render_peaks)->Arg(1)->Arg(3)->Unit(benchmark::kMillisecond);

/// 200 boxes of 15 x 15 pixels on the brightest spots of a shot; derivatives to rotation and N. A step
/// is one pixel in one channel: a program with explicit blocks takes one per block.
void shoeboxes_with_derivatives(benchmark::State& state) {
  const Scene scene;
  Renderer renderer = scene.renderer(1);
  const Shot shot = scene.shot(3);
  std::vector<float> image(renderer.pixel_count());
  renderer.add_peaks(shot, scene.reflections, image);
  const models::Detector detector = programs::make_detector(scene.params.detector);
  std::vector<Shoebox> boxes;
  while (boxes.size() < 200) {
    const auto best = std::size_t(std::max_element(image.begin(), image.end()) - image.begin());
    std::size_t first = 0;
    int panel = 0;
    const auto size = [&] {
      return std::size_t(detector.panels[std::size_t(panel)].image_size[0]) *
             std::size_t(detector.panels[std::size_t(panel)].image_size[1]);
    };
    while (first + size() <= best) first += size(), ++panel;
    const auto [width, height] = detector.panels[std::size_t(panel)].image_size;
    const int x = std::clamp(int((best - first) % std::size_t(width)), 7, width - 8),
              y = std::clamp(int((best - first) / std::size_t(width)), 7, height - 8);
    boxes.push_back({panel, x - 7, x + 8, y - 7, y + 8});
    for (int j = y - 7; j <= y + 7; ++j)
      for (int i = x - 7; i <= x + 7; ++i)
        image[first + std::size_t(j) * std::size_t(width) + std::size_t(i)] = 0;
  }
  std::vector<ParameterDirection> parameters(6);
  const Mat3& a = shot.lattices[0].crystal.a_matrix;
  parameters[0].crystal.a_matrix = rotation_jacobian({-1, 0, 0}) * a;
  parameters[1].crystal.a_matrix = rotation_jacobian({0, -1, 0}) * a;
  parameters[2].crystal.a_matrix = rotation_jacobian({0, 0, -1}) * a;
  for (int i = 0; i < 3; ++i) parameters[std::size_t(3 + i)].crystal.size(i, i) = 1;
  models::Beam beam;
  beam.wavelength = scene.params.beam.wavelength;
  for (auto _ : state)
    benchmark::DoNotOptimize(
        model_shoeboxes(detector, beam, {shot, boxes, parameters}, scene.reflections, {}));
  const double steps = 200 * 15 * 15 * double(shot.beam.spectrum.wavelengths.size());
  state.counters["s/step"] =
      benchmark::Counter(steps * double(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(shoeboxes_with_derivatives)->Unit(benchmark::kMillisecond);

/// Eight pixels of a peak over a hundred even channels: by multiplication, by exponentials, and (what a
/// Gaussian spectrum in closed form would take) one exponential, one root and two divisions.
struct EightPixels {
  std::vector<double> wave_number, weight;
  SpectralPeak<Wide> peak{};
  EightPixels() {
    for (int j = 0; j < 100; ++j) {
      wave_number.push_back(0.77 + 5e-5 * j);
      weight.push_back(1 + j % 7);
    }
    for (int i = 0; i < wide_count; ++i) {
      peak.a[i] = 1 / (1e-3 * 1e-3);
      peak.centre[i] = 0.771 + 2e-4 * i;
      peak.least[i] = i;
    }
  }
  SpectrumView view() const { return {wave_number.data(), 100, 5e-5}; }
};

void channels_by_multiplication(benchmark::State& state) {
  EightPixels pixels;
  for (auto _ : state) {
    benchmark::DoNotOptimize(pixels.peak.a);
    benchmark::DoNotOptimize(
        sum_even_channels<1>(pixels.view(), pixels.weight.data(), {0, 100}, pixels.peak).sum[0]);
  }
}
BENCHMARK(channels_by_multiplication);

void channels_by_exponentials(benchmark::State& state) {
  EightPixels pixels;
  for (auto _ : state) {
    benchmark::DoNotOptimize(pixels.peak.a);
    benchmark::DoNotOptimize(
        sum_any_channels<1>(pixels.view(), pixels.weight.data(), {0, 100}, pixels.peak).sum[0]);
  }
}
BENCHMARK(channels_by_exponentials);

void gaussian_spectrum_in_closed_form(benchmark::State& state) {
  EightPixels pixels;
  for (auto _ : state) {
    benchmark::DoNotOptimize(pixels.peak.a);
    const Wide widened = 1.0 + 2e-6 * pixels.peak.a, offset = 0.7725 - pixels.peak.centre;
    benchmark::DoNotOptimize(
        Wide(exp_of(-0.5 * (pixels.peak.a / widened) * offset * offset) / root(widened)));
  }
}
BENCHMARK(gaussian_spectrum_in_closed_form);

void background_and_noise(benchmark::State& state) {
  const Scene scene;
  Renderer renderer = scene.renderer(1);
  Shot shot = scene.shot(0);
  shot.background = static_cast<double>(state.range(0));
  std::vector<float> image(renderer.pixel_count());
  std::vector<std::int32_t> counts(renderer.pixel_count());
  std::uint32_t number = 0;
  for (auto _ : state) {
    std::fill(image.begin(), image.end(), 0.0F);
    renderer.add_background(shot, image);
    count_photons(image, {.seed = 1}, number++, counts);
    benchmark::DoNotOptimize(counts.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(counts.size()));
}
BENCHMARK(background_and_noise)->Arg(2)->Arg(10)->Arg(40)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace kilobragg::diffraction
