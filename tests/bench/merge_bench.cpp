// merge of 600 synthetic lattices, from files to MTZ, and the memory of an observation.
#include "../support/synthetic_stills.hpp"
#include "../support/temporary_folder.hpp"

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/programs/merge.hpp"

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <fstream>

namespace {

using namespace kilobragg;

testing::SyntheticRun six_hundred() {
  testing::SyntheticRun run;
  run.cell = {78, 78, 38, 90, 90, 90};
  run.space_group = models::SpaceGroup("P43212");
  run.d_min = 1.9;
  run.width = 2.9e-4; // about 220 observations each
  run.files = 12;
  run.lattices = 50;
  return run;
}

void merge_600_lattices(benchmark::State& state, const std::string& algorithm) {
  const testing::TemporaryFolder folder;
  testing::write_synthetic_run(folder.path() / "in", six_hundred());
  for (auto _ : state)
    programs::merge_with(parallel::Communicator::alone(),
                         {"input.path=" + (folder / "in"), "output.output_dir=" + (folder / "out"),
                          "merging.d_min=2.0", "scaling.algorithm=" + algorithm, "-q"});
  const auto facts = nlohmann::json::parse(std::ifstream(folder / "out/iobs.json"));
  const double observations = facts["counts"]["reflections read"];
  state.counters["observations"] = observations;
  state.counters["observations/s"] =
      benchmark::Counter(observations, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK_CAPTURE(merge_600_lattices, self, "self")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(merge_600_lattices, unscaled, "mark1")->Unit(benchmark::kMillisecond);

// Peak resident memory of the process after merging `files` files of 50 lattices; what one
// observation costs is the slope between two runs of the program, one size each.
void peak_memory(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  testing::SyntheticRun run = six_hundred();
  run.files = static_cast<int>(state.range(0));
  testing::write_synthetic_run(folder.path() / "in", run);
  for (auto _ : state)
    programs::merge_with(parallel::Communicator::alone(),
                         {"input.path=" + (folder / "in"), "output.output_dir=" + (folder / "out"),
                          "merging.d_min=2.0", "-q"});
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_kB"] = static_cast<double>(usage.ru_maxrss);
  const auto facts = nlohmann::json::parse(std::ifstream(folder / "out/iobs.json"));
  state.counters["observations"] = facts["counts"]["reflections read"].get<double>();
}
BENCHMARK(peak_memory)->Arg(12)->Arg(48)->Iterations(1)->Unit(benchmark::kMillisecond);

} // namespace
