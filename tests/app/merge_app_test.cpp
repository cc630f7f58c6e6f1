// merge from the command line: its files, and a clear word for everything that can be wrong.
#include "support/synthetic_stills.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/mtz.hpp"
#include "kilobragg/io/reflection_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace kilobragg {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int status = 0;
  std::string text; ///< stdout and stderr
};

Outcome run(const std::string& arguments, int ranks = 1) {
  const std::string start =
      ranks > 1 ? fmt::format("{} --oversubscribe -n {} ", KILOBRAGG_MPIEXEC, ranks) : "";
  const std::string command = start + KILOBRAGG_MERGE + " " + arguments + " 2>&1";
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (const std::size_t n = fread(buffer, 1, sizeof buffer, pipe))
    outcome.text.append(buffer, n);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

class MergeApp : public ::testing::Test {
protected:
  MergeApp()
      : truth_(testing::write_synthetic_run(folder_.path() / "in", {})) {}

  std::string in() const { return "input.path=" + (folder_ / "in"); }
  std::string out() const { return " output.output_dir=" + (folder_ / "out"); }
  std::string usual() const { return in() + out() + " merging.d_min=2.8 "; }

  // Ends with `status` (not a signal) and says every word of `words`.
  void expect_refused(const std::string& arguments, int status,
                      const std::vector<std::string>& words, int ranks = 1) {
    const Outcome outcome = run(arguments, ranks);
    EXPECT_NE(outcome.text.find("merge: "), std::string::npos) << outcome.text;
    EXPECT_EQ(outcome.text.find("MPI_ABORT"), std::string::npos) << outcome.text;
    EXPECT_EQ(outcome.status, status) << outcome.text;
    for (const std::string& word : words)
      EXPECT_NE(outcome.text.find(word), std::string::npos) << "'" << word << "' is not in:\n"
                                                            << outcome.text;
    EXPECT_FALSE(fs::exists(folder_ / "out/iobs_all.mtz"));
  }
  std::string file(const std::string& name) const { return folder_ / ("in/" + name); }

  testing::TemporaryFolder folder_;
  structure_factors::Amplitudes truth_;
};

TEST_F(MergeApp, WritesMtzLogAndJson) {
  io::write_amplitudes_mtz(truth_.cell, truth_.space_group, 1.3, truth_.hkl, truth_.f,
                           folder_ / "truth.mtz");
  const Outcome outcome = run(usual() +
                              "merging.merge_anomalous=True merging.minimum_multiplicity=1 "
                              "statistics.truth.mtz_file=" +
                              (folder_ / "truth.mtz"));
  ASSERT_EQ(outcome.status, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("CC to the truth: 0.8"), std::string::npos) << outcome.text;
  EXPECT_EQ(core::read_text_file(folder_ / "out/iobs_main.log").find("merge of KiloBragg"), 0u);
  const auto json = nlohmann::json::parse(core::read_text_file(folder_ / "out/iobs.json"));
  EXPECT_EQ(json["counts"]["experiments merged"], 24);
  EXPECT_GT(json["truth"]["cc"], 0.8); // few lattices, singles kept
  EXPECT_LT(json["truth"]["r1"], 0.25);
  const auto merged = io::read_reference_mtz(folder_ / "out/iobs_all.mtz");
  EXPECT_EQ(merged.space_group, truth_.space_group);
  EXPECT_EQ(merged.hkl.size(), json["counts"]["indices written, all"]);
}

TEST_F(MergeApp, HistoryHoldsNothingThatChanges) {
  ASSERT_EQ(run(usual()).status, 0);
  const auto first = core::read_file(folder_ / "out/iobs_all.mtz");
  fs::rename(folder_ / "in", folder_ / "moved");
  ASSERT_EQ(run("input.path=" + (folder_ / "moved") + " output.output_dir=" + (folder_ / "again") +
                " merging.d_min=2.8")
                .status,
            0);
  EXPECT_TRUE(first == core::read_file(folder_ / "again/iobs_all.mtz"));
}

TEST_F(MergeApp, ScalesToCoordinatesOrAnMtz) {
  io::write_amplitudes_mtz(truth_.cell, truth_.space_group, 1.3, truth_.hkl, truth_.f,
                           folder_ / "truth.mtz");
  const Outcome outcome = run(usual() + "scaling.model=" + (folder_ / "truth.mtz"));
  EXPECT_EQ(outcome.status, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("low correlation with reference: 0"), std::string::npos);
}

TEST_F(MergeApp, HelpAndUnknownOptions) {
  const Outcome help = run("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.text.find("minimum_multiplicity"), std::string::npos);
  expect_refused(usual() + "merging.minimum_multiplicty=3", 2, {"merging.minimum_multiplicity"});
}

TEST_F(MergeApp, RefusesNumbersThatCannotBe) {
  for (const char* option :
       {"merging.d_min=0", "scaling.resolution_scalar=0", "scaling.self.max_cycles=0",
        "scaling.self.b_sigma=-1", "statistics.n_bins=100000", "filter.n_obs.min=-5",
        "filter.n_obs.max=3", "select.significance_filter.min_ct=0",
        "select.significance_filter.max_ct=5", "filter.outlier.min_corr=2",
        "scaling.resolution_scalar=0.01", "filter.resolution.d_min=-1"})
    expect_refused(usual() + option, 2, {option});
  expect_refused(usual() + "scaling.unit_cell=1,2", 2, {"scaling.unit_cell"});
}

TEST_F(MergeApp, RefusesAResolutionThatNothingReaches) {
  expect_refused(in() + out() + " merging.d_min=0.05", 2, {"merging.d_min=0.05", "wavelength"});
}

// Wrong inputs are found by one rank and end all in good order.
TEST_F(MergeApp, RefusesInGoodOrderOnSeveralRanks) {
  expect_refused("input.path=" + (folder_ / "nowhere") + out() + " merging.d_min=2", 2, {"nowhere"},
                 3);
  expect_refused(usual() + "scaling.space_group=P43212", 2, {"42 52 62"}, 2);
  io::write_amplitudes_mtz(truth_.cell, truth_.space_group, 1.3, truth_.hkl, truth_.f,
                           folder_ / "truth.mtz");
  expect_refused(usual() + "scaling.mtz.mtz_column_F=FOO scaling.model=" + (folder_ / "truth.mtz"),
                 2, {"FOO", "truth.mtz"}, 2);
  expect_refused(usual() + "filter.unit_cell.value.target_unit_cell=60,70,80,90,90,90", 3,
                 {"no lattice is left"}, 2);
  fs::resize_file(file("run_002_integrated.refl"), 1000);
  expect_refused(usual(), 2, {"run_002_integrated.refl"}, 3);
}

TEST_F(MergeApp, RefusesMissingInput) {
  expect_refused(out() + " merging.d_min=2", 2, {"input.path"});
  expect_refused(in() + out(), 2, {"merging.d_min"});
  expect_refused("input.path=" + (folder_ / "nowhere") + out() + " merging.d_min=2", 2,
                 {"nowhere", "input.path"});
  fs::create_directories(folder_ / "empty");
  expect_refused("input.path=" + (folder_ / "empty") + out() + " merging.d_min=2", 2,
                 {"empty", "_integrated.expt"});
  fs::remove(file("run_001_integrated.refl"));
  expect_refused(usual(), 2, {"run_001_integrated.expt", "no reflections"});
}

TEST_F(MergeApp, RefusesReflectionsWithoutExperiments) {
  fs::remove(file("run_001_integrated.expt"));
  expect_refused(usual(), 2, {"3 reflection files", "2 experiment files"});
}

TEST_F(MergeApp, RefusesMismatchedAndRepeatedIdentifiers) {
  fs::copy_file(file("run_000_integrated.refl"), file("run_001_integrated.refl"),
                fs::copy_options::overwrite_existing);
  expect_refused(usual(), 2,
                 {"run_001_integrated.refl", "do not belong together", "file0lattice0"});
  fs::copy_file(file("run_000_integrated.expt"), file("run_001_integrated.expt"),
                fs::copy_options::overwrite_existing);
  expect_refused(usual(), 2, {"file0lattice0", "twice"});
}

TEST_F(MergeApp, RefusesMissingColumns) {
  models::ReflectionTable table = io::read_reflections(file("run_002_integrated.refl"));
  table.columns.erase("intensity.sum.variance");
  io::write_reflections(table, file("run_002_integrated.refl"));
  expect_refused(usual(), 2, {"run_002_integrated.refl", "intensity.sum.variance"});
}

TEST_F(MergeApp, RefusesBrokenFiles) {
  fs::resize_file(file("run_002_integrated.refl"), 1000);
  expect_refused(usual(), 2, {"run_002_integrated.refl"});
  std::ofstream(file("run_001_integrated.expt")) << "{\"experiment\": [";
  expect_refused(usual(), 2, {"run_001_integrated.expt"});
}

TEST_F(MergeApp, RefusesContradictingSymmetry) {
  expect_refused(usual() + "scaling.space_group=P43212", 2, {"42 52 62", "P 43 21 2"});
  expect_refused(usual() + "scaling.space_group=P2121212", 2, {"P2121212"});
  auto experiments = io::read_experiments(file("run_000_integrated.expt"));
  experiments[0].crystal->space_group = models::SpaceGroup("P222");
  io::write_experiments(experiments, file("run_000_integrated.expt"));
  expect_refused(usual(), 2, {"different space groups", "P 2 2 2 in 1", "scaling.space_group"});
}

TEST_F(MergeApp, RefusesAnUnreadableReference) {
  expect_refused(usual() + "scaling.model=" + (folder_ / "no.mtz"), 2, {"no.mtz", "scaling.model"});
  std::ofstream(folder_ / "bad.mtz") << "this is no MTZ";
  expect_refused(usual() + "scaling.model=" + (folder_ / "bad.mtz"), 2, {"bad.mtz"});
  expect_refused(usual() + "scaling.algorithm=mark0", 2, {"scaling.model"});
  const auto other =
      structure_factors::random_wilson({42, 42, 62, 90, 90, 90}, models::SpaceGroup("P41"), 3, 1);
  io::write_amplitudes_mtz(other.cell, other.space_group, 1.3, other.hkl, other.f,
                           folder_ / "other.mtz");
  expect_refused(usual() +
                     "scaling.space_group=P212121 scaling.unit_cell=42,52,62,90,90,90 "
                     "scaling.model=" +
                     (folder_ / "other.mtz"),
                 2, {"other.mtz", "Patterson"});
}

TEST_F(MergeApp, SaysWhyNoLatticeIsLeft) {
  expect_refused(usual() + "filter.unit_cell.value.target_unit_cell=60,70,80,90,90,90", 3,
                 {"no lattice is left", "24 experiments rejected because of unit cell"});
}

TEST_F(MergeApp, SaysWhyNoReflectionIsLeft) {
  expect_refused(
      usual() + "merging.minimum_multiplicity=1000000", 3,
      {"no reflection is left", "merging.minimum_multiplicity=1000000", "most often observed"});
  expect_refused(in() + out() + " merging.d_min=200 merging.d_max=300", 3, {"is left to merge"});
}

} // namespace
} // namespace kilobragg
