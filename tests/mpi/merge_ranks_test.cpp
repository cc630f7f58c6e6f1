// The merged files do not depend on the number of ranks.
#include "support/synthetic_stills.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/programs/merge.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace kilobragg::programs {
namespace {

class MergeRanks : public ::testing::Test {
protected:
  MergeRanks()
      : world_(parallel::Communicator::world()) {
    if (world_.is_root()) {
      folder_.emplace();
      root_ = folder_->path().string();
    }
    world_.broadcast(root_);
  }
  ~MergeRanks() override { world_.barrier(); }

  void write_input(const kilobragg::testing::SyntheticRun& run) {
    if (world_.is_root()) kilobragg::testing::write_synthetic_run(root_ + "/in", run);
    world_.barrier();
  }
  // Merges on all ranks and again on the first alone; the files must be equal.
  void expect_same_bytes(std::vector<std::string> options) {
    options.push_back("input.path=" + root_ + "/in");
    options.push_back("output.output_dir=" + root_ + "/together");
    merge_with(world_, options);
    if (!world_.is_root()) return;
    options.back() = "output.output_dir=" + root_ + "/alone";
    merge_with(parallel::Communicator::alone(), options);
    for (const char* name : {"iobs_all.mtz", "iobs_odd.mtz", "iobs_even.mtz"}) {
      const auto together = core::read_file(root_ + "/together/" + name);
      EXPECT_GT(together.size(), 10000u) << name;
      EXPECT_TRUE(together == core::read_file(root_ + "/alone/" + name)) << name;
    }
  }

  parallel::Communicator world_;
  std::optional<kilobragg::testing::TemporaryFolder> folder_;
  std::string root_;
};

TEST_F(MergeRanks, SelfScaledFilesAreTheSameForAnyNumberOfRanks) {
  kilobragg::testing::SyntheticRun run;
  run.files = 7;
  write_input(run);
  expect_same_bytes({"merging.d_min=2.8", "merging.minimum_multiplicity=1"});
}

TEST_F(MergeRanks, MoreRanksThanFiles) {
  kilobragg::testing::SyntheticRun run;
  run.files = 1;
  run.lattices = 20;
  write_input(run);
  expect_same_bytes({"merging.d_min=2.8", "merging.minimum_multiplicity=1",
                     "merging.merge_anomalous=True", "merging.weights=unit"});
}

TEST_F(MergeRanks, UnscaledWithEveryFilter) {
  kilobragg::testing::SyntheticRun run;
  run.files = 4;
  write_input(run);
  expect_same_bytes({"merging.d_min=2.8", "merging.minimum_multiplicity=1",
                     "scaling.algorithm=mark1", "select.algorithm=significance_filter",
                     "filter.algorithm=unit_cell,n_obs,resolution", "filter.resolution.d_min=3",
                     "filter.n_obs.min=20"});
}

} // namespace
} // namespace kilobragg::programs
