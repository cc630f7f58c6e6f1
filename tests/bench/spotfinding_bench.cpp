// Pixels per second of the thresholds and of the whole spot finder, on Poisson frames with spots.
#include "kernels/threshold/strong_pixels.hpp"

#include "kilobragg/spotfinding/spot_finder.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <limits>
#include <random>

namespace {

using namespace kilobragg;

/// 16 Mpixel, as an Eiger or Jungfrau 16M has them.
constexpr int width = 4096, height = 4096;

/// Poisson background of the given mean with `spots` small peaks.
template <typename T>
std::vector<T> poisson_frame(double mean, int spots) {
  std::mt19937 rng(11);
  std::poisson_distribution<int> background(mean);
  std::vector<T> frame(static_cast<std::size_t>(width) * height);
  // One draw per pixel would take seconds: a long table read at random offsets is as good.
  std::vector<T> table(1 << 20);
  for (T& value : table) value = static_cast<T>(background(rng));
  for (int y = 0; y < height; ++y) {
    const std::size_t from = rng() % (table.size() - width);
    std::copy_n(table.begin() + from, width, frame.begin() + static_cast<std::size_t>(y) * width);
  }
  for (int i = 0; i < spots; ++i) {
    const std::size_t x = 8 + rng() % (width - 16), y = 8 + rng() % (height - 16);
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx) {
        T& value = frame[(y + dy) * width + x + dx];
        value = static_cast<T>(value + (20 + 5 * mean) / (1 + dx * dx + dy * dy));
      }
  }
  return frame;
}

/// Args: background mean in hundredths, number of spots, 1 = dispersion_extended.
template <typename T>
void threshold_frame(benchmark::State& state) {
  const auto frame =
      poisson_frame<T>(static_cast<double>(state.range(0)) / 100, static_cast<int>(state.range(1)));
  const std::size_t words = static_cast<std::size_t>(height) * threshold::words_for(width);
  std::vector<threshold::Word> memory[3];
  for (auto& m : memory) m.resize(words);
  const auto image = [&](int i) { return threshold::BitImage{memory[i].data(), width, height}; };
  const threshold::PanelBits bits{image(0), image(1), image(2)};
  const threshold::PanelPixels<T> pixels{frame.data(),          width,  width, height, T{0},
                                         static_cast<T>(65000), nullptr};
  threshold::SumsMemory sums;
  using Counts =
      std::conditional_t<std::is_integral_v<T>, threshold::RawCounts, threshold::CalibratedCounts>;
  for (auto _ : state) {
    if (state.range(2) != 0)
      threshold::find_dispersion_extended(pixels, Counts{}, {}, bits, sums);
    else
      threshold::find_dispersion(pixels, Counts{}, {}, bits, sums);
    benchmark::DoNotOptimize(memory[1].data());
  }
  long strong = 0;
  for (const auto word : memory[1]) strong += __builtin_popcountll(word);
  state.counters["strong"] = static_cast<double>(strong);
  state.counters["Mpixel/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * width * height / 1e6, benchmark::Counter::kIsRate);
}

void frames(benchmark::internal::Benchmark* bench) {
  for (const int extended : {0, 1})
    for (const int mean : {5, 100, 1000, 30000}) bench->Args({mean, 1000, extended});
  bench->Unit(benchmark::kMillisecond);
}

BENCHMARK(threshold_frame<std::uint16_t>)->Apply(frames);
BENCHMARK(threshold_frame<std::int32_t>)->Apply(frames);
BENCHMARK(threshold_frame<float>)
    ->Args({1000, 1000, 0})
    ->Args({1000, 1000, 1})
    ->Unit(benchmark::kMillisecond);

/// Everything that SpotFinder does, on a CSPAD-like detector (64 panels) or one panel.
void find_spots(benchmark::State& state) {
  const int panels = static_cast<int>(state.range(0));
  const int w = panels == 1 ? width : 194, h = panels == 1 ? height : 185;
  models::Detector detector;
  auto layout = std::make_shared<models::ImageLayout>();
  layout->size = static_cast<std::size_t>(panels) * w * h;
  for (int i = 0; i < panels; ++i) {
    models::Panel panel;
    panel.image_size = {w, h};
    panel.trusted_range = {0, 65000};
    panel.frame = {{1, 0, 0}, {0, -1, 0}, {-200, 200, -300}};
    detector.panels.push_back(panel);
    layout->panels.push_back(
        {static_cast<std::size_t>(i) * w * h, static_cast<std::size_t>(w), w, h});
  }
  models::Image image;
  image.layout = layout;
  image.pixels = poisson_frame<std::int32_t>(10, 1000);
  spotfinding::SpotfinderParams params;
  spotfinding::SpotFinder finder(params);
  std::size_t spots = 0;
  for (auto _ : state) spots = finder.find(image, detector, models::Beam{}).size();
  state.counters["spots"] = static_cast<double>(spots);
  state.counters["Mpixel/s"] = benchmark::Counter(static_cast<double>(state.iterations()) *
                                                      static_cast<double>(layout->size) / 1e6,
                                                  benchmark::Counter::kIsRate);
}
BENCHMARK(find_spots)->Arg(1)->Arg(64)->Unit(benchmark::kMillisecond);

} // namespace
