// Stage 1 on a shot of 1 Mpx with some 400 spots: an evaluation, information, predictions, the stream.
#include "kilobragg/pixelrefinement/make_stream.hpp"
#include "kilobragg/pixelrefinement/refine_shot.hpp"
#include "kilobragg/pixelrefinement/shot_prediction.hpp"

#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

namespace kilobragg::pixelrefinement {
namespace {

constexpr int spot_box = 10;

/// A panel of `edge` x `edge` pixels of 0.1 mm.
std::shared_ptr<const models::Detector> make_detector(int edge) {
  models::Detector detector;
  models::Panel panel;
  panel.frame.fast = {1, 0, 0};
  panel.frame.slow = {0, -1, 0};
  panel.frame.origin = {-0.05 * edge, 0.05 * edge, -100};
  panel.pixel_size = {0.1, 0.1};
  panel.image_size = {edge, edge};
  detector.panels.push_back(panel);
  return std::make_shared<models::Detector>(detector);
}

struct Scene {
  FactorTable table =
      make_factor_table({79, 89, 99, 90, 90, 90}, models::SpaceGroup("P212121"), 2.6, true);
  FactorSphere sphere;
  std::vector<double> mean;
  ShotModel shot;
  ShotPixels pixels;

  explicit Scene(int edge = 1024) {
    std::mt19937_64 random(5);
    std::exponential_distribution<double> intensity(1);
    for (double& f : table.f) f = 300 * std::sqrt(intensity(random) + 0.05);
    std::fill(table.sigma.begin(), table.sigma.end(), 0.1);
    std::fill(table.measured.begin(), table.measured.end(), std::uint8_t(1));
    sphere = expand_to_sphere(table);
    mean = mean_intensities(table);
    shot.detector = make_detector(edge);
    shot.beam.wavelength = 1.3;
    shot.beam.spectrum = {{1.297, 1.298, 1.299, 1.3, 1.301, 1.302}, {1, 2, 3, 3, 2, 1}};
    diffraction::ShotLattice lattice;
    lattice.crystal = models::Crystal::from_cell(table.cell, rotation_about(unit({1, 2, 3}), 0.6),
                                                 table.space_group);
    lattice.size = {{25, 0, 0, 0, 22, 0, 0, 0, 20}};
    lattice.rotation = 4e-7 * Mat3::identity();
    lattice.scale = 1;
    shot.lattices.push_back(lattice);
    cut(edge);
  }

  /// Boxes about the spots, drawn from the model.
  void cut(int edge) {
    diffraction::ShoeboxShot model;
    for (const PredictedSpot& spot : predict_shot(shot, sphere, mean, {.threshold = 1200})) {
      const int x = std::clamp(int(spot.px.x) - spot_box / 2, 0, edge - spot_box),
                y = std::clamp(int(spot.px.y) - spot_box / 2, 0, edge - spot_box);
      ReflectionBox box;
      box.box = {0, x, x + spot_box, y, y + spot_box};
      box.hkl = spot.hkl;
      box.first = model.boxes.size() * spot_box * spot_box;
      model.boxes.push_back(box.box);
      pixels.boxes.push_back(box);
    }
    model.shot.beam = shot.beam;
    model.shot.lattices = shot.lattices;
    const diffraction::DeviceReflections reflections(
        with_factors(reflections_near(shot, sphere, 0), table, 0));
    std::mt19937_64 random(7);
    for (const double bragg :
         diffraction::model_shoeboxes(*shot.detector, shot.beam, model, reflections, {}).photons) {
      pixels.background.push_back(3);
      pixels.value.push_back(float(std::poisson_distribution<int>(3 + bragg)(random)));
      pixels.used.push_back(1);
    }
  }
};

const Scene& scene() {
  static const Scene made;
  return made;
}

/// Twelve parameters: G, three of the orientation, the cell and N each, the spread, the distance.
ParameterRules twelve() {
  ParameterRules rules;
  rules.distance.fixed = false;
  return rules;
}

void evaluate(benchmark::State& state) {
  const Scene& s = scene();
  const ParameterSpace space(s.shot, twelve());
  const ShotReflections near = reflections_near(s.shot, s.sphere, 0.004);
  ShotTarget target(space, s.pixels, s.table, near, {.free_intensities = state.range(0) != 0});
  std::vector<double> gradient(space.size());
  for (auto step : state) {
    std::vector<double> x = space.start();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += 1e-4 * double(state.iterations() % 7);
    benchmark::DoNotOptimize(target.evaluate(x, gradient));
  }
  state.counters["pixels"] = double(s.pixels.size());
  state.counters["parameters"] = double(space.size());
  state.counters["near"] = double(near.size());
}
BENCHMARK(evaluate)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void information(benchmark::State& state) {
  const Scene& s = scene();
  const ParameterSpace space(s.shot, twelve());
  const ShotReflections near = reflections_near(s.shot, s.sphere, 0.004);
  ShotTarget target(space, s.pixels, s.table, near, {});
  for (auto step : state) benchmark::DoNotOptimize(target.information(space.start()));
}
BENCHMARK(information)->Unit(benchmark::kMillisecond);

/// From an orientation that is wrong by half a milliradian.
void refine(benchmark::State& state) {
  const Scene& s = scene();
  Stage1Result result;
  for (auto step : state) {
    ShotModel shot = s.shot;
    ShotPixels pixels = s.pixels;
    shot.lattices[0].crystal.a_matrix =
        rotation_about(unit({1, -1, 1}), 0.0005) * shot.lattices[0].crystal.a_matrix;
    shot.lattices[0].scale *= 1.3;
    Stage1Params params;
    params.rules = twelve();
    result = refine_shot(shot, pixels, s.table, s.sphere, params);
  }
  state.counters["evaluations"] = result.evaluations;
}
BENCHMARK(refine)->Unit(benchmark::kMillisecond);

void find_near(benchmark::State& state) {
  const Scene& s = scene();
  for (auto step : state) benchmark::DoNotOptimize(reflections_near(s.shot, s.sphere, 0.004));
  state.counters["sphere"] = double(s.sphere.hkl.size());
}
BENCHMARK(find_near)->Unit(benchmark::kMillisecond);

void stream(benchmark::State& state) {
  const Scene& s = scene();
  std::size_t segments = 0;
  for (auto step : state)
    segments = make_stream(s.shot, s.pixels, s.table, s.sphere, s.mean, {}).segments.size();
  state.counters["segments"] = double(segments);
}
BENCHMARK(stream)->Unit(benchmark::kMillisecond);

void predict(benchmark::State& state) {
  const Scene& s = scene();
  ShotModel shot = s.shot;
  shot.detector = make_detector(int(state.range(0)));
  std::size_t spots = 0;
  for (auto step : state) spots = predict_shot(shot, s.sphere, s.mean, {.threshold = 1200}).size();
  state.counters["spots"] = double(spots);
}
BENCHMARK(predict)->Arg(1024)->Arg(4096)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace kilobragg::pixelrefinement
