// stills_process with a pixel model as users start it: simulated stills, ranks, refusals, the way back.
#include "support/stills_process_runs.hpp"

#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/reflection_file.hpp"

#include <fmt/format.h>

namespace kilobragg::programs {
namespace {

class PixelModel : public StillsProcess {
protected:
  static void SetUpTestSuite() {
    folder = std::make_unique<testing::TemporaryFolder>();
    const std::string command =
        std::string(KILOBRAGG_BUILD_DIR) +
        "/apps/simulate_stills n_images=3 seed=7 amplitudes.d_min=2 fraction.blanks=0 "
        "fraction.doubles=0 output.output_dir=" +
        path("run") + " > " + path("simulated.txt") + " 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << core::read_text_file(path("simulated.txt"));
  }
  static std::string arguments(const std::string& more) {
    return known_symmetry + path("run/run_0000.h5") + " " + more;
  }
  static std::string model() {
    return "integration.integrator=pixel_model pixel_model.mtz_file=" + path("run/run_truth.mtz") +
           " ";
  }

  /// Sum of the angles to the true orientations (deg).
  static double error(const std::string& out) {
    std::map<std::string, models::Experiment> truth;
    for (auto& experiment : io::read_experiments(path("run/run_truth.expt")))
      truth.emplace(experiment.identifier, experiment);
    double sum = 0;
    for (const auto& found : io::read_experiments(out + "/idx-0000_integrated.expt")) {
      const models::Crystal& crystal = found.crystal.value();
      sum += models::misorientation_deg(crystal.a_matrix,
                                        truth.at(found.identifier).crystal.value().a_matrix,
                                        crystal.space_group.lattice_rotations(crystal.unit_cell()));
    }
    return sum;
  }
};

TEST_F(PixelModel, RefinesStillsOnAnyNumberOfRanks) {
  ASSERT_EQ(run(arguments("output_dir=" + path("usual"))).status, 0);
  std::map<std::string, models::StillResult> first;
  for (const int ranks : {1, 2}) {
    const std::string out = path("ranks" + std::to_string(ranks));
    const auto finished = run(arguments(model() + "output_dir=" + out), ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    const auto all = results(out);
    ASSERT_EQ(all.size(), 3U);
    if (ranks == 1) first = all;
    for (const auto& [key, still] : all) {
      SCOPED_TRACE(key + " on " + std::to_string(ranks) + " ranks");
      EXPECT_EQ(still.state, models::ExitState::IntegrateOk);
      EXPECT_EQ(still.message, "");
      expect_same(still, first.at(key));
    }
  }
  const double without = error(path("usual")), with = error(path("ranks1"));
  std::printf("  3 stills: %.4f deg, with the model %.4f\n", without, with);
  EXPECT_GT(with, 0);
  EXPECT_LT(with, 0.7 * without);
  const auto table = io::read_reflections(path("ranks1/idx-0000_integrated.refl"));
  double least = 1;
  for (const double p : table.get<double>("partiality")) {
    EXPECT_TRUE(p > 0 && p <= 1) << p;
    least = std::min(least, p);
  }
  EXPECT_LT(least, 0.5);
}

TEST_F(PixelModel, SaysWhyAStillIsIntegratedAsUsual) {
  const auto finished =
      run(arguments(model() + "pixel_model.min_boxes=100000 -v output.logging_dir=" + path("logs") +
                    " output_dir=" + path("fallback")));
  EXPECT_EQ(finished.status, 0);
  const char* words = "integrated without the pixel model: no_pixels: ";
  EXPECT_TRUE(has(finished.out, words)) << finished.out;
  EXPECT_TRUE(has(core::read_text_file(path("logs/log_rank0000.out")), words));
}

TEST_F(PixelModel, RefusesWhatCannotBe) {
  const auto refuses = [&](const std::string& more, const std::string& words) {
    for (const char* way : {"", "--check "}) {
      const auto finished = run(arguments(way + more + " output_dir=" + path("refused")));
      EXPECT_EQ(finished.status, 2) << way << finished.out;
      EXPECT_TRUE(has(finished.out, words)) << way << finished.out;
    }
  };
  refuses("integration.integrator=pixel_model", "pixel_model.mtz_file is not set");
  refuses("integration.integrator=pixel_model pixel_model.mtz_file=none.mtz", "none.mtz");
  refuses(model() + "pixel_model.mtz_column_F=FOO", "FOO");
  refuses(model() + "pixel_model.adu_per_photon=0", "pixel_model.adu_per_photon=0");
  refuses(model() + "space_group=P4", "the same Laue group");
  refuses(model() + "unit_cell=90,90,37.22,90,90,90", "has the cell");
  const auto checked = run(arguments("--check " + model() + " output_dir=" + path("checked")));
  EXPECT_EQ(checked.status, 0) << checked.out;
  EXPECT_TRUE(has(checked.out, "pixel model: ")) << checked.out;
}

} // namespace
} // namespace kilobragg::programs
