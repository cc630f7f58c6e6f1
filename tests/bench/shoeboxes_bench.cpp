// Time to cut 400 shoeboxes of 14 x 14 pixels out of a 4 Mpx image, and to fit their backgrounds again.
#include "kilobragg/pixelrefinement/shoeboxes.hpp"

#include <benchmark/benchmark.h>

#include <random>

namespace kilobragg::pixelrefinement {
namespace {

constexpr int edge = 2048;

/// A flat background of 10 photons with spots in no order.
struct Scene {
  models::Detector detector;
  models::Image image;
  std::vector<PredictedSpot> spots;

  Scene() {
    detector.panels.resize(1);
    detector.panels[0].image_size = {edge, edge};
    auto layout = std::make_shared<models::ImageLayout>();
    layout->panels = {{0, edge, edge, edge}};
    layout->size = edge * edge;
    image.layout = layout;
    std::mt19937 random(1);
    std::poisson_distribution<int> counts(10);
    std::vector<std::int32_t> pixels(layout->size);
    for (auto& pixel : pixels) pixel = counts(random);
    image.pixels = std::move(pixels);
    image.mask = std::make_shared<models::PixelMask>(layout->size, 1);
    std::uniform_int_distribution<int> place(20, edge - 20);
    for (int i = 0; i < 400; ++i) {
      const int x = place(random), y = place(random);
      spots.push_back({{i, 0, 0}, 0, 0, {x - 3, x + 3, y - 3, y + 3}, {double(x), double(y)}, 1});
    }
  }
};

void cut(benchmark::State& state) {
  const Scene scene;
  ShotPixels pixels;
  for (auto step : state)
    pixels = cut_shoeboxes(scene.image, scene.detector, scene.spots, "shot", {});
  state.counters["pixels"] = double(pixels.size());
}
BENCHMARK(cut)->Unit(benchmark::kMillisecond);

void fit_again(benchmark::State& state) {
  const Scene scene;
  ShotPixels pixels = cut_shoeboxes(scene.image, scene.detector, scene.spots, "shot", {});
  const std::vector<double> bragg(pixels.size(), 0.5);
  for (auto step : state) fit_backgrounds(pixels, bragg, {});
}
BENCHMARK(fit_again)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace kilobragg::pixelrefinement
