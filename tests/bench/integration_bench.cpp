// Time of mosaicity, prediction and integration on real stills (needs the test data).
#include "support/reference_lattices.hpp"
#include "support/test_data.hpp"

#include "kilobragg/integration/integrate_still.hpp"
#include "kilobragg/refinement/mosaicity.hpp"

#include <benchmark/benchmark.h>

namespace kilobragg {
namespace {

struct Case {
  const char* set;
  int frame;
};
constexpr Case cases[] = {{"thermolysin_cspad", 0}, {"rayonix_mfx", 0}, {"thaumatin_i24", 2}};

/// Runs `work(still, detector)` on the case that the benchmark's argument names.
template <typename Work>
void on_still(benchmark::State& state, Work&& work) {
  const auto& [set, frame] = cases[static_cast<std::size_t>(state.range(0))];
  if (testing::test_data().empty()) return state.SkipWithError("no test data");
  testing::ReferenceLattices lattices(testing::test_data(), set);
  auto still = lattices.still(frame);
  state.SetLabel(set);
  std::size_t count = 0;
  for (auto _ : state) count = work(still, lattices.detector());
  state.counters["items"] = static_cast<double>(count);
}

void fit_mosaicity(benchmark::State& state) {
  on_still(state, [](testing::ReferenceStill& still, const models::Detector&) {
    return refinement::fit_mosaicity(still.lattice).accepted.size();
  });
}
void predict(benchmark::State& state) {
  on_still(state, [](testing::ReferenceStill& still, const models::Detector& detector) {
    return integration::predict_still(still.lattice.crystal, still.beam, detector, std::nullopt)
        .size();
  });
}
void integrate(benchmark::State& state) {
  on_still(state, [](testing::ReferenceStill& still, const models::Detector& detector) {
    integration::IntegrationParams params;
    params.prediction_widening = 1;
    return integration::integrate_still(still.lattice, still.spots, still.image, still.beam,
                                        detector, params)
        .size();
  });
}

BENCHMARK(fit_mosaicity)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);
BENCHMARK(predict)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);
BENCHMARK(integrate)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace kilobragg
