// merge of 600 synthetic lattices, from files to MTZ, and its two inner loops.
#include "../support/synthetic_stills.hpp"
#include "../support/temporary_folder.hpp"

#include "kilobragg/core/log.hpp"
#include "kilobragg/merging/index_groups.hpp"
#include "kilobragg/merging/self_scaling.hpp"
#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/programs/merge.hpp"

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

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

} // namespace
