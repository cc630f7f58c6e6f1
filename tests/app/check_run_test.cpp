// stills_process --check as users call it: its exit status, its last line, and that nothing is left.
#include "support/stills_process_runs.hpp"

#include <chrono>

namespace kilobragg::programs {
namespace {

class CheckApp : public StillsProcess {};

TEST_F(CheckApp, SaysWhatWouldBeDoneAndDoesNothing) {
  const std::string out = path("out_check");
  for (const int ranks : {1, 2}) {
    const auto finished =
        run(known_symmetry + path("run_1.h5") + " --check output_dir=" + out, ranks);
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_TRUE(has(finished.out, "7 images in 1 file; 1 opened")) << finished.out;
    EXPECT_TRUE(has(finished.out, ranks == 1 ? "Would process 7 images on 1 rank"
                                             : "Would process 7 images on 2 ranks"))
        << finished.out;
    EXPECT_FALSE(fs::exists(out));
  }
}

TEST_F(CheckApp, AllProblemsAtOnce) {
  const auto finished =
      run(std::string("indexing.known_symmetry.space_group=P43212 ") +
          "indexing.known_symmetry.unit_cell=77,90,37,90,90,90 " + path("run_1.h5") + " " +
          path("absent.h5") + " spotfinder.lookup.mask=" + path("no_mask.h5") +
          " --check output_dir=" + path("out_problems"));
  EXPECT_EQ(finished.status, 2) << finished.out;
  for (const char* part : {"contradicts space_group", "absent.h5", "no_mask.h5", "\n3 problems."})
    EXPECT_TRUE(has(finished.out, part)) << part << " is not in\n" << finished.out;
  EXPECT_FALSE(fs::exists(path("out_problems")));
}

TEST_F(CheckApp, AFinishedRunIsSeen) {
  const std::string out = path("out_done"), arguments = known_symmetry + path("run_1.h5");
  ASSERT_EQ(run(arguments + " output_dir=" + out).status, 0);
  const auto finished = run(arguments + " --check output_dir=" + out);
  EXPECT_EQ(finished.status, 0) << finished.out;
  EXPECT_TRUE(has(finished.out, "7 of the 7 images of this run are among them")) << finished.out;
  EXPECT_EQ(results(out).size(), 7U);
}

TEST_F(CheckApp, SaysWhatTheRunSays) {
  const std::string out = path("out_same"), arguments = known_symmetry + path("run_1.h5") + " ",
                    to = "dispatch.index=False output_dir=" + out + " ";
  ASSERT_EQ(run(arguments + to + "max_images=3").status, 0);
  // As a run leaves it that was resumed and stopped: results newer than what was derived.
  fs::last_write_time(out + "/idx-0000.shard",
                      fs::last_write_time(out + "/idx-0000_strong.refl") + std::chrono::seconds(5));
  const auto both = [&](const std::string& more, const std::string& said) {
    SCOPED_TRACE(more);
    const auto checked = run(arguments + to + more + " --check"), ran = run(arguments + to + more);
    EXPECT_EQ(checked.status, 2) << checked.out;
    EXPECT_EQ(ran.status, 2) << ran.out;
    EXPECT_TRUE(has(checked.out, said)) << checked.out;
    EXPECT_TRUE(has(ran.out, said)) << ran.out;
  };
  both("", "holds results of a run that did not end");
  both("--resume spotfinder.filter.min_spot_size=4", "spotfinder.filter.min_spot_size is 4, was");
  const auto resumed = run(arguments + to + "--resume --check");
  EXPECT_EQ(resumed.status, 0) << resumed.out;
  EXPECT_TRUE(has(resumed.out, "Would process 4 images")) << resumed.out;
}

TEST_F(CheckApp, ImagesOfAnExptThatMovedAndAreDone) {
  const std::string first = path("out_first"), out = path("out_expt");
  ASSERT_EQ(run(known_symmetry + path("run_1.h5") + " output_dir=" + first).status, 0);
  const std::string map = " --map " + path("") + "=" + path("moved/");
  fs::create_directories(path("moved"));
  fs::copy(first + "/idx-0000_refined.expt", path("list.expt"));
  fs::rename(path("run_1.h5"), path("moved/run_1.h5"));
  const std::string arguments =
      known_symmetry + path("list.expt") + map + " output_dir=" + out + " ";
  const auto fresh = run(arguments + "--check");
  EXPECT_EQ(fresh.status, 0) << fresh.out;
  EXPECT_TRUE(has(fresh.out, "5 of 5 end as integrate_ok")) << fresh.out;
  ASSERT_EQ(run(arguments).status, 0);
  const auto done = run(arguments + "--check --resume");
  EXPECT_TRUE(has(done.out, "Would process 0 images")) << done.out;
  EXPECT_EQ(done.status, 0) << done.out;
  fs::rename(path("moved/run_1.h5"), path("run_1.h5"));
}

} // namespace
} // namespace kilobragg::programs
