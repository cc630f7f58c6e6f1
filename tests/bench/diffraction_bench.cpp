// Rendering and counting noise on the default run of simulate_stills.
#include "kilobragg/diffraction/renderer.hpp"
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
  ReflectionSphere reflections = expand_to_sphere(
      structure_factors::random_wilson(sample.cell, sample.space_group, 1.65, 1), 0);

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
  const Renderer renderer = scene.renderer(static_cast<int>(state.range(0)));
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

void background_and_noise(benchmark::State& state) {
  const Scene scene;
  const Renderer renderer = scene.renderer(1);
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
