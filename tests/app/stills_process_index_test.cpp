// --write-index over several runs: what was learnt stays, what failed counts once, no work is lost.
#include "support/stills_process_runs.hpp"

#include "kilobragg/io/event_index.hpp"

#include <algorithm>

namespace kilobragg::programs {
namespace {

class SavedIndex : public StillsProcess {
protected:
  /// Finds spots only: these tests are about files.
  static Finished find_spots(const std::string& inputs, const std::string& out,
                             const std::string& more) {
    return run(inputs + " dispatch.index=False output_dir=" + path(out) + " " + more);
  }
  static std::ptrdiff_t places_known(const std::string& index) {
    const auto ranges = io::load_event_index(path(index)).ranges;
    return std::count_if(ranges.begin(), ranges.end(), [](const auto& r) { return !r.empty(); });
  }
};

TEST_F(SavedIndex, ARunThatGoesOnKeepsWhatWasLearntBefore) {
  const std::string index = " --write-index " + path("kept.kbi");
  ASSERT_EQ(find_spots(path("run_1.h5"), "kept", "max_images=4" + index).status, 0);
  ASSERT_EQ(places_known("kept.kbi"), 4);
  ASSERT_EQ(find_spots(path("run_1.h5"), "kept", "--resume" + index).status, 0);
  EXPECT_EQ(places_known("kept.kbi"), 7);
  const auto nothing = find_spots(path("run_1.h5"), "kept", "--resume" + index);
  EXPECT_TRUE(has(nothing.out, "there is nothing to do")) << nothing.out;
  EXPECT_EQ(places_known("kept.kbi"), 7);
}

TEST_F(SavedIndex, AnInputThatFailedCountsOnceInEveryGenerationAndIsLookedForAgain) {
  std::string inputs = path("run_1.h5") + " " + path("late.h5");
  for (const int generation : {1, 2, 3}) {
    const std::string name = "failed" + std::to_string(generation);
    const auto finished = find_spots(inputs, name, "--write-index " + path(name + ".kbi"));
    ASSERT_EQ(finished.status, 0) << finished.out;
    EXPECT_TRUE(has(finished.out, "Summary of 8 inputs")) << generation << finished.out;
    EXPECT_TRUE(has(finished.out, "late.h5")) << finished.out;
    inputs = path(name + ".kbi");
  }
  write_images(path("late.h5"), 2);
  const auto finished = find_spots(inputs, "found", "");
  EXPECT_TRUE(has(finished.out, "Summary of 9 inputs")) << finished.out;
}

TEST_F(SavedIndex, AFolderThatIsNotThereIsSaidBeforeWorkStarts) {
  const auto refused =
      find_spots(path("run_1.h5"), "early", "--write-index " + path("nofolder/x.kbi"));
  EXPECT_EQ(refused.status, 2) << refused.out;
  EXPECT_TRUE(has(refused.out, "nofolder") && has(refused.out, "write_index")) << refused.out;
  EXPECT_FALSE(fs::exists(path("early")));
  // The output folder is made by the run itself.
  const auto inside = find_spots(path("run_1.h5"), "made", "--write-index " + path("made/x.kbi"));
  EXPECT_EQ(inside.status, 0) << inside.out;
  EXPECT_EQ(places_known("made/x.kbi"), 7);
}

TEST_F(SavedIndex, AnIndexThatCannotBeSavedCostsNothingElse) {
  fs::create_directories(path("taken.kbi"));
  const auto finished =
      find_spots(path("run_1.h5"), "warned", "--write-index " + path("taken.kbi"));
  EXPECT_EQ(finished.status, 0) << finished.out;
  EXPECT_TRUE(has(finished.out, "taken.kbi")) << finished.out;
  EXPECT_TRUE(fs::exists(path("warned/report.html")));
}

} // namespace
} // namespace kilobragg::programs
