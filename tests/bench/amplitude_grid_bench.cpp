// Looking up |F|^2: numbers and a table, beside a dense array of |F|^2 per layer; and expanding.
#include "kilobragg/diffraction/amplitude_grid.hpp"

#include <benchmark/benchmark.h>

#include <random>

namespace kilobragg::diffraction {
namespace {

AmplitudeGrid make_grid(int layers) {
  const models::SpaceGroup group("P43212");
  auto amplitudes = structure_factors::with_friedel(
      structure_factors::random_wilson({77, 77, 37, 90, 90, 90}, group, 1.6, 1));
  amplitudes.layers.resize(static_cast<std::size_t>(layers), amplitudes.layers[0]);
  for (int i = 0; i < layers; ++i)
    amplitudes.layers[static_cast<std::size_t>(i)].energy = 9000 + 10 * i;
  AmplitudeGridParams params;
  params.bijvoet_apart = true;
  return make_amplitude_grid(amplitudes, params);
}

/// Indices along rows of pixels: each is met by `run` neighbours.
std::vector<models::Miller> walk(const AmplitudeGrid& grid, int run) {
  std::mt19937 random(1);
  const auto draw = [&](int limit) {
    return std::uniform_int_distribution<int>(-limit, limit)(random);
  };
  std::vector<models::Miller> indices;
  while (indices.size() < 100000)
    indices.insert(indices.end(), static_cast<std::size_t>(run),
                   models::Miller{draw(grid.h_max), draw(grid.k_max), draw(grid.l_max)});
  return indices;
}

void numbers_and_table(benchmark::State& state) {
  const AmplitudeGrid grid = make_grid(static_cast<int>(state.range(0)));
  const AmplitudeGridView view = grid.view();
  const auto indices = walk(grid, static_cast<int>(state.range(1)));
  std::int32_t layer = 0;
  for (auto _ : state) {
    float sum = 0;
    for (const auto& m : indices) {
      sum += view.value(m.h, m.k, m.l, {layer, 0});
      if (++layer == view.layer_count) layer = 0;
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(indices.size()));
}

void dense_array(benchmark::State& state) {
  const AmplitudeGrid grid = make_grid(static_cast<int>(state.range(0)));
  const AmplitudeGridView view = grid.view();
  std::vector<float> dense;
  for (std::int32_t layer = 0; layer < view.layer_count; ++layer)
    for (const std::int32_t id : grid.unique) dense.push_back(view.value(id, {layer, 0}));
  const auto indices = walk(grid, static_cast<int>(state.range(1)));
  const std::size_t rows = static_cast<std::size_t>(2 * grid.k_max + 1),
                    columns = static_cast<std::size_t>(2 * grid.l_max + 1);
  std::int32_t layer = 0;
  for (auto _ : state) {
    float sum = 0;
    for (const auto& m : indices) {
      const std::size_t at = (static_cast<std::size_t>(m.h + grid.h_max) * rows +
                              static_cast<std::size_t>(m.k + grid.k_max)) *
                                 columns +
                             static_cast<std::size_t>(m.l + grid.l_max);
      sum += dense[static_cast<std::size_t>(layer) * grid.unique.size() + at];
      if (++layer == view.layer_count) layer = 0;
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(indices.size()));
}

void expanding(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(make_grid(1).unique.data());
}

// Layers, and pixels in a row with the same index.
BENCHMARK(numbers_and_table)->ArgsProduct({{1, 100}, {1, 30}});
BENCHMARK(dense_array)->ArgsProduct({{1, 100}, {1, 30}});
BENCHMARK(expanding)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace kilobragg::diffraction
