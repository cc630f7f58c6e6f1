// Batches and images per second of the run ledger, and what a copy of it costs.
#include "tests/support/ledger_rows.hpp"
#include "tests/support/sample_still.hpp"
#include "tests/support/temporary_folder.hpp"

#include "kilobragg/report/collect.hpp"

#include <benchmark/benchmark.h>

namespace kilobragg {
namespace {

/// What the caller of LiveLedger waits for: handing over one batch.
void hand_over_batch(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  report::LiveLedger ledger(folder.path().string(), testing::sample_session());
  const auto batch = testing::sample_batch(1, 0);
  for (auto _ : state) ledger.add_batch(batch);
  state.SetItemsProcessed(state.iterations());
}

/// What the writing thread does: 4096 ranks at 100 images/s in batches of 64 end 6400 batches/s,
/// 3200 per half second.
void write_batches(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  report::RunLedger ledger(folder / "ledger.sqlite");
  ledger.begin_session(testing::sample_session());
  const std::vector<report::BatchRow> batches(static_cast<std::size_t>(state.range(0)),
                                              testing::sample_batch(1, 0));
  for (auto _ : state) ledger.add_batches(batches);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// A copy of a ledger with `range` batches; 156 250 are those of 10^7 images.
void publish(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  report::RunLedger ledger(folder / "live.sqlite");
  ledger.begin_session(testing::sample_session());
  ledger.add_batches(std::vector<report::BatchRow>(static_cast<std::size_t>(state.range(0)),
                                                   testing::sample_batch(1, 0)));
  for (auto _ : state) ledger.snapshot(folder / "ledger.sqlite");
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(std::filesystem::file_size(
                                                   folder / "ledger.sqlite")));
}

/// A shard of 4000 images, each with 20 * `range` spots and 2 lattices of 30 * `range` reflections.
std::string large_shard(const testing::TemporaryFolder& folder, std::int64_t range) {
  const std::string path = folder / "idx-0001.shard";
  io::ShardWriter writer(path, "{}");
  const auto detector = testing::sample_detector();
  for (int frame = 0; frame < 4000; ++frame) {
    auto still = testing::sample_still(frame, detector);
    const auto spots = still.spots.spots;
    for (int i = 1; i < range; ++i) {
      still.spots.spots.insert(still.spots.spots.end(), spots.begin(), spots.end());
      for (auto& lattice : still.lattices)
        lattice.reflections.insert(lattice.reflections.end(), lattice.reflections.begin(),
                                   lattice.reflections.begin() + 30);
    }
    writer.append(still);
  }
  return path;
}

void collect(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  const std::string shard = large_shard(folder, state.range(0));
  const std::string path = folder / "ledger.sqlite";
  for (auto _ : state) {
    state.PauseTiming();
    report::remove_ledger(path);
    report::RunLedger ledger(path);
    state.ResumeTiming();
    benchmark::DoNotOptimize(report::collect_shards(ledger, {shard}));
  }
  state.SetItemsProcessed(4000 * state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(std::filesystem::file_size(shard)) *
                          state.iterations());
}

/// The share of collect() that is reading, with digests and with whole results.
void read_shard(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  const std::string shard = large_shard(folder, 5);
  std::int64_t spots = 0;
  for (auto _ : state) {
    if (state.range(0))
      io::read_shard_digests(shard, [&](io::StillDigest&& digest) { spots += digest.spots; });
    else
      io::read_shard(shard, [&](models::StillResult&& still) {
        spots += static_cast<std::int64_t>(still.spots.size());
      });
  }
  benchmark::DoNotOptimize(spots);
  state.SetItemsProcessed(4000 * state.iterations());
}

BENCHMARK(hand_over_batch)->Iterations(200'000);
BENCHMARK(write_batches)->Arg(64)->Arg(3200)->Unit(benchmark::kMillisecond);
BENCHMARK(publish)->Arg(156'250)->Unit(benchmark::kMillisecond);
BENCHMARK(collect)->ArgName("size")->Arg(1)->Arg(5)->Unit(benchmark::kMillisecond);
BENCHMARK(read_shard)->ArgName("digests")->Arg(1)->Arg(0)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace kilobragg
