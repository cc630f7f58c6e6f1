// One evaluation of stage 2 beside the memory bandwidth of the same run and the formulas one by one.
#include "kilobragg/pixelrefinement/factor_target.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace kilobragg::pixelrefinement {
namespace {

constexpr int segment_count = 20'000, unknown_count = 9'300, shot_count = 100;
constexpr int of_segment = 150, segments_of_shot = segment_count / shot_count;

/// One shot: spots of some photons on a background of two, some pixels shared by neighbours.
ShotStream make_shot(std::mt19937& random, bool readout, int percent_shared) {
  ShotStream shot;
  std::vector<std::int32_t> unknowns(segments_of_shot);
  for (auto& u : unknowns) u = std::int32_t(random() % unknown_count);
  std::sort(unknowns.begin(), unknowns.end());
  if (readout) shot.readout = {0.4F};
  const auto draw = [&](float m) { return float(std::poisson_distribution<int>(m)(random)); };
  for (const std::int32_t u : unknowns) {
    const int count = of_segment - 40 + int(random() % 80);
    shot.segments.push_back(
        {u, 0, 0.02F + 1e-5F * float(u), std::int64_t(shot.kernel.size()), count, false});
    for (int i = 0; i < count; ++i) {
      const float kernel = 3 * std::exp(-0.002F * float((i - count / 2) * (i - count / 2)));
      shot.kernel.push_back(kernel);
      shot.background.push_back(2);
      shot.value.push_back(draw(2 + kernel));
    }
  }
  const int shared = int(shot.kernel.size()) * percent_shared / 100;
  for (int i = 0; i < shared; ++i) {
    const auto first = std::int32_t(shot.parts.size());
    const auto segment = std::int32_t(i * segments_of_shot / shared);
    shot.shared.push_back({draw(3), 2, readout ? 0.4F : 0, first, 2, false});
    shot.parts.push_back({segment, 0.5F});
    shot.parts.push_back({(segment + 1) % segments_of_shot, 0.5F});
  }
  return shot;
}

struct Work {
  std::vector<ShotStream> shots;
  std::vector<double> x;
  std::int64_t bytes = 0, pixels = 0;

  explicit Work(bool readout, int percent_shared = 5) {
    std::mt19937 random(1);
    for (int i = 0; i < shot_count; ++i) {
      shots.push_back(make_shot(random, readout, percent_shared));
      const ShotStream& s = shots.back();
      const auto single = std::int64_t(s.kernel.size()), shared = std::int64_t(s.shared.size()),
                 parts = std::int64_t(s.parts.size());
      // Shared pixels: value, background, readout; their parts twice; their slopes out and in.
      bytes += 12 * single + 12 * shared + 16 * parts + 8 * shared + 8 * parts;
      bytes += 80 * std::int64_t(s.segments.size()); // 56 of description, c and two sums
      pixels += single + shared;
    }
    x.assign(unknown_count + 3 * shot_count, 0.01);
  }
};

void report(benchmark::State& state, const Work& work) {
  using Counter = benchmark::Counter;
  state.counters["GB/s"] = Counter(double(work.bytes) * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["ns/pixel"] =
      Counter(double(work.pixels) * 1e-9, Counter::kIsIterationInvariantRate | Counter::kInvert);
}

/// The argument is the percentage of shared pixels.
void evaluate(benchmark::State& state, Likelihood likelihood, bool readout) {
  const Work work(readout, int(state.range(0)));
  FactorTarget target(parallel::Communicator::alone(), work.shots, unknown_count, {likelihood});
  for (auto _ : state) benchmark::DoNotOptimize(target.evaluate(work.x).f);
  report(state, work);
}
BENCHMARK_CAPTURE(evaluate, normal, Likelihood::Normal, false)
    ->Arg(5)
    ->Arg(0)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluate, normal_readout, Likelihood::Normal, true)
    ->Arg(5)
    ->Arg(0)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluate, poisson, Likelihood::Poisson, false)
    ->Arg(5)
    ->Arg(0)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluate, noisy_poisson, Likelihood::NoisyPoisson, true)
    ->Arg(5)
    ->Arg(0)
    ->Unit(benchmark::kMillisecond);

/// Pixels of single segments alone, by the formulas as they are written: f and the gradient of ln F.
void evaluate_plainly(benchmark::State& state, Likelihood likelihood) {
  const Work work(false);
  for (auto _ : state) {
    double f = 0;
    std::vector<double> gradient(unknown_count);
    for (const ShotStream& shot : work.shots)
      for (const StreamSegment& s : shot.segments) {
        const double c = std::exp(2 * work.x[std::size_t(s.unknown)]);
        double slope = 0;
        for (auto i = std::size_t(s.first); i < std::size_t(s.first + s.count); ++i) {
          const double light = c * double(shot.kernel[i]);
          const PixelFit fit =
              fit_pixel(likelihood, double(shot.value[i]), double(shot.background[i]) + light, 0);
          f += fit.value;
          slope += light * fit.slope;
        }
        gradient[std::size_t(s.unknown)] += 2 * slope;
      }
    benchmark::DoNotOptimize(f);
    benchmark::DoNotOptimize(gradient.data());
  }
  report(state, work);
}
BENCHMARK_CAPTURE(evaluate_plainly, normal, Likelihood::Normal)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluate_plainly, poisson, Likelihood::Poisson)->Unit(benchmark::kMillisecond);

/// STREAM's triad, a = b + 3 c; 24 bytes per element as STREAM counts. The second argument's arrays are as
/// long as the pixels of an evaluation, the first's far beyond any cache.
void stream_triad(benchmark::State& state) {
  const auto n = std::size_t(state.range(0));
  std::vector<double> a(n), b(n, 1.0), c(n, 2.0);
  for (auto _ : state) {
    double* to = a.data();
    const double *p = b.data(), *q = c.data();
    for (std::size_t i = 0; i < n; ++i) to[i] = p[i] + 3 * q[i];
    benchmark::DoNotOptimize(to);
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] =
      benchmark::Counter(24e-9 * double(n), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(stream_triad)->Arg(20'000'000)->Arg(1'600'000)->Unit(benchmark::kMillisecond);

/// Reading alone: the sum of floats.
void read_floats(benchmark::State& state) {
  const auto n = std::size_t(state.range(0));
  const std::vector<float> a(n, 1.0F);
  typedef float Lanes __attribute__((vector_size(64)));
  for (auto _ : state) {
    Lanes sums[4] = {};
    for (std::size_t i = 0; i + 64 <= n; i += 64)
      for (std::size_t j = 0; j < 4; ++j) {
        Lanes v;
        std::memcpy(&v, &a[i + 16 * j], sizeof v);
        sums[j] += v;
      }
    benchmark::DoNotOptimize(sums);
  }
  state.counters["GB/s"] =
      benchmark::Counter(4e-9 * double(n), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(read_floats)->Arg(100'000'000)->Arg(9'000'000)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace kilobragg::pixelrefinement
