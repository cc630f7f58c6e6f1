// Rates of .refl reading and writing, of shard records and of the checksum, in bytes per second.
#include "tests/support/sample_still.hpp"
#include "tests/support/temporary_folder.hpp"

#include "kilobragg/core/hash.hpp"
#include "kilobragg/io/reflection_file.hpp"
#include "kilobragg/io/shard.hpp"
#include "kilobragg/io/still_tables.hpp"

#include <benchmark/benchmark.h>

namespace kilobragg {
namespace {

/// 10^6 rows with the columns of an integrated table, or with shoeboxes as in a strong one.
models::ReflectionTable large_table(bool strong) {
  const auto still = testing::sample_still(1, testing::sample_detector());
  const auto part = strong ? io::strong_table(still) : io::integrated_table(still);
  models::ReflectionTable table = part;
  while (table.rows < 1'000'000 / (strong ? 10 : 1))
    table.append(models::ReflectionTable(table), 0);
  return table;
}

void format_refl(benchmark::State& state) {
  const auto table = large_table(state.range(0) != 0);
  std::size_t bytes = 0;
  for (auto _ : state) bytes = io::format_reflections(table).size();
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void parse_refl(benchmark::State& state) {
  const auto bytes = io::format_reflections(large_table(state.range(0) != 0));
  for (auto _ : state) benchmark::DoNotOptimize(io::parse_reflections(bytes, "bench").rows);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes.size()) * state.iterations());
}

void write_refl(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  const auto table = large_table(state.range(0) != 0);
  for (auto _ : state) io::write_reflections(table, folder / "t.refl");
  state.SetBytesProcessed(static_cast<std::int64_t>(std::filesystem::file_size(folder / "t.refl")) *
                          state.iterations());
}

void read_refl(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  io::write_reflections(large_table(state.range(0) != 0), folder / "t.refl");
  for (auto _ : state) benchmark::DoNotOptimize(io::read_reflections(folder / "t.refl").rows);
  state.SetBytesProcessed(static_cast<std::int64_t>(std::filesystem::file_size(folder / "t.refl")) *
                          state.iterations());
}

void append_to_shard(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  io::ShardWriter writer(folder / "a.shard", "{}");
  const auto still = testing::sample_still(1, testing::sample_detector());
  for (auto _ : state) writer.append(still);
  state.SetBytesProcessed(
      static_cast<std::int64_t>(std::filesystem::file_size(folder / "a.shard")));
}

void derive_composites(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  {
    io::ShardWriter writer(folder / "a.shard", "{}");
    const auto detector = testing::sample_detector();
    for (int i = 0; i < 2000; ++i) writer.append(testing::sample_still(i, detector));
  }
  for (auto _ : state) io::write_composites(folder / "a.shard", folder.path().string(), 0);
  state.SetItemsProcessed(2000 * state.iterations());
}

void checksum(benchmark::State& state) {
  const std::vector<std::byte> bytes(1 << 20);
  const auto crc = state.range(0) ? core::crc32c : core::crc32c_portable;
  for (auto _ : state) benchmark::DoNotOptimize(crc(bytes, 0));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes.size()) * state.iterations());
}

BENCHMARK(format_refl)->ArgName("strong")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(parse_refl)->ArgName("strong")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(write_refl)->ArgName("strong")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(read_refl)->ArgName("strong")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(append_to_shard)->Unit(benchmark::kMicrosecond);
BENCHMARK(derive_composites)->Unit(benchmark::kMillisecond);
BENCHMARK(checksum)->ArgName("sse42")->Arg(1)->Arg(0)->Unit(benchmark::kMicrosecond);

} // namespace
} // namespace kilobragg
