// stills_process as a program: results on any number of ranks, bad inputs, wrong options, logs.
#include "support/stills_process_runs.hpp"

#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/reflection_file.hpp"

#include <fstream>
#include <set>

namespace kilobragg::programs {
namespace {

TEST_F(StillsProcess, SameResultsOnAnyNumberOfRanks) {
  std::map<std::string, models::StillResult> first;
  for (const int ranks : {1, 2, 3}) {
    const std::string out = path("ranks" + std::to_string(ranks));
    const auto finished = run(known_symmetry + path("run_1.h5") + " output_dir=" + out, ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    EXPECT_TRUE(has(finished.out, "Summary of 7 inputs")) << finished.out;
    EXPECT_TRUE(has(finished.out, "= inputs")) << finished.out;
    const auto all = results(out);
    ASSERT_EQ(all.size(), 7U);
    if (ranks == 1) first = all;
    for (const auto& [key, still] : all) {
      SCOPED_TRACE(key + " on " + std::to_string(ranks) + " ranks");
      expect_same(still, first.at(key));
    }
  }
  int integrated = 0, blank = 0;
  for (const auto& [key, still] : first) {
    integrated += still.state == models::ExitState::IntegrateOk;
    blank += still.state == models::ExitState::NotEnoughSpots;
  }
  EXPECT_EQ(integrated, 5);
  EXPECT_EQ(blank, 2);
}

TEST_F(StillsProcess, CompositesHoldWhatTheShardHolds) {
  const std::string out = path("composites");
  ASSERT_EQ(run(known_symmetry + path("run_1.h5") + " output_dir=" + out).status, 0);
  const auto experiments = io::read_experiments(out + "/idx-0000_integrated.expt");
  const auto table = io::read_reflections(out + "/idx-0000_integrated.refl");
  EXPECT_EQ(experiments.size(), 5U);
  std::size_t reflections = 0;
  std::set<std::string> identifiers;
  for (const auto& [key, still] : results(out))
    for (const auto& found : still.lattices) {
      reflections += found.reflections.size();
      identifiers.insert(found.identifier);
    }
  EXPECT_EQ(table.rows, reflections);
  for (const auto& experiment : experiments) EXPECT_TRUE(identifiers.count(experiment.identifier));
  for (const char* name : {"strong", "indexed"})
    EXPECT_TRUE(fs::exists(out + "/idx-0000_" + name + ".refl")) << name;
  EXPECT_TRUE(fs::exists(out + "/idx-0000_refined.expt"));
}

TEST_F(StillsProcess, ASecondRunReplacesTheFirst) {
  const std::string out = path("twice"),
                    arguments = known_symmetry + path("run_1.h5") + " output_dir=" + out;
  ASSERT_EQ(run(arguments, 2).status, 0);
  ASSERT_EQ(run(arguments + " max_images=3").status, 0);
  EXPECT_EQ(results(out).size(), 3U);
  EXPECT_FALSE(fs::exists(out + "/idx-0001_integrated.refl"));
}

TEST_F(StillsProcess, BadInputsAreCountedAndNamedAndHarmNoOther) {
  const auto whole = core::read_file(path("run_1.h5"));
  std::ofstream(path("truncated.h5"), std::ios::binary)
      .write(reinterpret_cast<const char*>(whole.data()), std::streamsize(whole.size() / 3));
  std::ofstream(path("text.h5")) << "no HDF5 at all\n";
  std::ofstream(path("empty.h5"));
  const std::string out = path("bad");
  const auto finished = run(known_symmetry + path("missing.h5") + " " + path("truncated.h5") + " " +
                                path("run_1.h5") + " " + path("text.h5") + " " + path("empty.h5") +
                                " output_dir=" + out,
                            2);
  EXPECT_EQ(finished.status, 0) << finished.out;
  EXPECT_TRUE(has(finished.out, "Summary of 11 inputs")) << finished.out;
  EXPECT_TRUE(has(finished.out, "= inputs"));
  for (const char* name : {"missing", "truncated", "text", "empty"})
    EXPECT_TRUE(has(finished.out, std::string(name) + " preprocess_exception")) << finished.out;
  int integrated = 0, failed = 0;
  for (const auto& [key, still] : results(out)) {
    integrated += still.state == models::ExitState::IntegrateOk;
    failed += still.state == models::ExitState::PreprocessException;
    EXPECT_EQ(still.state == models::ExitState::IntegrateOk ||
                  still.state == models::ExitState::NotEnoughSpots,
              still.state != models::ExitState::PreprocessException || still.message.empty());
  }
  EXPECT_EQ(integrated, 5);
  EXPECT_EQ(failed, 4);
}

TEST_F(StillsProcess, NothingReadableIsItsOwnStatus) {
  const auto finished = run(known_symmetry + path("nowhere.h5") + " output_dir=" + path("nothing"));
  EXPECT_EQ(finished.status, 3) << finished.out;
  EXPECT_TRUE(has(finished.out, "nowhere preprocess_exception")) << finished.out;
}

TEST_F(StillsProcess, AFileWithoutFrames) {
  write_without_frames(path("zero.h5"));
  const auto alone = run(known_symmetry + path("zero.h5") + " output_dir=" + path("zero"));
  EXPECT_NE(alone.status, 0) << alone.out;
  EXPECT_TRUE(has(alone.out, "zero")) << alone.out;
  const auto both = run(known_symmetry + path("zero.h5") + " " + path("run_1.h5") +
                        " output_dir=" + path("zero2"));
  EXPECT_EQ(both.status, 0) << both.out;
  EXPECT_TRUE(has(both.out, "integrate_ok"));
  EXPECT_TRUE(has(both.out, "zero.h5")) << "the file without frames is named\n" << both.out;
}

TEST_F(StillsProcess, WrongOptionsStopBeforeWorkStarts) {
  const std::string image = " " + path("run_1.h5") + " output_dir=" + path("never");
  const auto refused = [&](const std::string& options, const std::string& part, int ranks = 1) {
    const auto finished = run(options + image, ranks);
    EXPECT_EQ(finished.status, 2) << options << "\n" << finished.out;
    EXPECT_TRUE(has(finished.out, part)) << options << "\n" << finished.out;
  };
  refused("spotfinder.filter.d_mn=2", "did you mean spotfinder.filter.d_min");
  refused("spotfinder.filter.d_mn=2", "did you mean spotfinder.filter.d_min", 2);
  refused("min_spot_size=few", "spotfinder.filter.min_spot_size");
  refused("unit_cell=77,77,37,90,90,90", "known_symmetry.space_group");
  refused("unit_cell=77,87,37,90,90,90 space_group=P43212", "contradicts");
  refused(std::string(known_symmetry) + "lookup.mask=/no/mask", "ambiguous");
  refused(std::string(known_symmetry) + "spotfinder.lookup.mask=/no/mask", "/no/mask");
  refused(std::string(known_symmetry) + "image_tag=other", "input.image_tag=other");
  refused(std::string(known_symmetry) + "kernel_size=100000,100000",
          "spotfinder.threshold.dispersion.kernel_size=100000 (must be 1 to 16)");
  refused(std::string(known_symmetry) + "sigma_background=-1", "sigma_background=-1");
  refused("--frobnicate", "frobnicate");
  EXPECT_FALSE(fs::exists(path("never")));
  EXPECT_EQ(run(known_symmetry).status, 2) << "no images";
  EXPECT_TRUE(has(run(known_symmetry + path("none_*.h5")).out, "none_*.h5"));
}

TEST_F(StillsProcess, PhilFilesConfigAndShowConfig) {
  std::ofstream(path("a.phil"))
      << "indexing.known_symmetry {\n unit_cell = 77.06 77.06 37.22 90 90 "
         "90\n space_group = P43212\n}\n";
  std::ofstream(path("b.conf")) << "input.max_images = 1\n";
  std::ofstream(path("bad.phil")) << "spotfinder {\n  filter.d_minn = 2\n}\n";
  const auto good = run(path("a.phil") + " --config " + path("b.conf") + " " + path("run_1.h5") +
                        " output_dir=" + path("phil"));
  EXPECT_EQ(good.status, 0) << good.out;
  EXPECT_TRUE(has(good.out, "Summary of 1 inputs")) << good.out;
  const auto shown = run(path("a.phil") + " -c");
  EXPECT_EQ(shown.status, 0);
  EXPECT_TRUE(has(shown.out, "unit_cell = 77.06 77.06 37.22 90 90 90")) << shown.out;
  const auto bad = run(path("bad.phil") + " " + path("run_1.h5"));
  EXPECT_EQ(bad.status, 2);
  EXPECT_TRUE(has(bad.out, "bad.phil, line 2")) << bad.out;
}

TEST_F(StillsProcess, HelpVersionAndTags) {
  const auto help = run("--help");
  EXPECT_EQ(help.status, 0);
  for (const char* option :
       {"spotfinder.threshold.dispersion.gain", "dispatch.squash_errors",
        "indexing.known_symmetry.unit_cell", "output.output_dir", "Exit status"})
    EXPECT_TRUE(has(help.out, option)) << option;
  EXPECT_TRUE(has(run("--version").out, "KiloBragg"));
  const auto tags = run(known_symmetry + path("run_1.h5") + " show_image_tags=True");
  EXPECT_EQ(tags.status, 0);
  EXPECT_TRUE(has(tags.out, "run_1_00000\n") && has(tags.out, "run_1_00006\n")) << tags.out;
  const auto one = run("-v " + std::string(known_symmetry) + path("run_1.h5") +
                       " image_tag=run_1_00003 output_dir=" + path("one"));
  EXPECT_TRUE(has(one.out, "Summary of 1 inputs") && has(one.out, "run_1_00003 integrate_ok"))
      << one.out;
}

TEST_F(StillsProcess, PerRankDetailOnRequest) {
  const std::string out = path("detail");
  const auto finished = run(known_symmetry + path("run_1.h5") + " max_images=3 output_dir=" + out +
                            " output.logging_dir=" + out + "/logs mp.debug.output_debug_logs=True");
  ASSERT_EQ(finished.status, 0) << finished.out;
  const auto steps = core::read_text_file(out + "/debug/debug_0.txt");
  for (const char* word : {",run_1_00000,", ",start\n", ",spotfind_start\n", ",index_start\n",
                           ",integrate_start\n", ",done,integrate_ok_", ",stop,not_enough_spots_"})
    EXPECT_TRUE(has(steps, word)) << word << "\n" << steps;
  const auto details = core::read_text_file(out + "/logs/log_rank0000.out");
  for (const char* words : {"RMSD indexed (px): ", "reflections integrated at I/sigI >= 5: ",
                            "Final ML model: domain size angstroms: "})
    EXPECT_TRUE(has(details, words)) << words << "\n" << details;
  const auto log = core::read_text_file(out + "/stills_process.log");
  EXPECT_TRUE(has(log, "Summary of 3 inputs"));
  EXPECT_FALSE(has(log, "Final ML model"));
  const auto verbose =
      run(known_symmetry + path("run_1.h5") + " -v max_images=1 output_dir=" + path("verbose"));
  EXPECT_TRUE(has(verbose.out, "Final ML model: domain size angstroms: ")) << verbose.out;
}

TEST_F(StillsProcess, FailuresEndTheRunIfNotSquashed) {
  const auto finished = run(known_symmetry + path("missing.h5") + " " + path("run_1.h5") +
                                " squash_errors=False output_dir=" + path("strict"),
                            2);
  EXPECT_NE(finished.status, 0);
  EXPECT_TRUE(has(finished.out, "missing.h5")) << finished.out;
}

} // namespace
} // namespace kilobragg::programs
