// stills_process --check as users call it: its exit status, its last line, and that nothing is left.
#include "support/stills_process_runs.hpp"

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

} // namespace
} // namespace kilobragg::programs
