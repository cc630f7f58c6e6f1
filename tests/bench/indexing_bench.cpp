// Index and refine one lattice of known cell; refine alone; search alone.
#include "support/synthetic_lattice.hpp"

#include "kilobragg/indexing/indexer.hpp"

#include <benchmark/benchmark.h>

namespace kilobragg {
namespace {

/// Ten shots of lysozyme with 100 spots in all, `junk` of them not from the lattice.
struct Shots {
  indexing::IndexingParams params;
  std::vector<testing::Shot> shots;

  explicit Shots(int junk) {
    params.unit_cell = models::UnitCell::parse("77 77 37.2 90 90 90");
    params.space_group = models::SpaceGroup("P 43 21 2");
    for (unsigned seed = 1; seed <= 10; ++seed) {
      testing::Shot shot(seed);
      testing::ShotParams shot_params;
      shot_params.spots = 100 - junk;
      shot_params.junk = junk;
      shot.add(models::Crystal::from_cell(params.unit_cell, shot.random_orientation(),
                                          params.space_group),
               shot_params);
      shot.map();
      shots.push_back(std::move(shot));
    }
  }
};

void index_and_refine(benchmark::State& state) {
  const Shots set(static_cast<int>(state.range(0)));
  const indexing::Indexer indexer(set.params);
  std::size_t i = 0, indexed = 0, tried = 0;
  for (auto _ : state) {
    const testing::Shot& shot = set.shots[i++ % set.shots.size()];
    indexed += indexer.index(shot.spots, shot.beam, shot.detector).lattices.size();
    ++tried;
  }
  state.counters["indexed"] = static_cast<double>(indexed) / static_cast<double>(tried);
}
BENCHMARK(index_and_refine)->Arg(0)->Arg(30)->Arg(60)->Unit(benchmark::kMillisecond);

void search(benchmark::State& state) {
  const Shots set(static_cast<int>(state.range(0)));
  const indexing::Indexer indexer(set.params);
  std::vector<std::vector<Vec3>> rlp(set.shots.size());
  for (std::size_t i = 0; i < rlp.size(); ++i)
    for (const auto& s : set.shots[i].spots.spots) rlp[i].push_back(s.rlp);
  std::size_t i = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(indexer.orient(rlp[i++ % rlp.size()], {0, 0, -1 / 1.3}));
}
BENCHMARK(search)->Arg(0)->Arg(30)->Unit(benchmark::kMillisecond);

void refine(benchmark::State& state) {
  const Shots set(0);
  const indexing::Indexer indexer(set.params);
  const testing::Shot& shot = set.shots[0];
  const models::Lattice lattice =
      indexer.index(shot.spots, shot.beam, shot.detector).lattices.at(0);
  for (auto _ : state) {
    models::Lattice copy = lattice;
    copy.crystal.a_matrix = rotation_by({0.002, 0.001, -0.002}) * copy.crystal.a_matrix;
    refinement::refine_still(copy, shot.spots, shot.beam, shot.detector, {});
    benchmark::DoNotOptimize(copy);
  }
}
BENCHMARK(refine)->Unit(benchmark::kMicrosecond);

} // namespace
} // namespace kilobragg
