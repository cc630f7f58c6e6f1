// How often files are opened, and reads that hang, fail or take long: they harm their image alone.
#include "support/child_process.hpp"
#include "support/comparable_results.hpp"
#include "support/stills_process_runs.hpp"

#include "kilobragg/io/image_reader.hpp"

#include <fmt/format.h>

#include <fstream>
#include <set>

namespace kilobragg::programs {
namespace {

using models::ExitState;
using testing::ChildProcess;
using testing::comparable_results;

constexpr int data_files = 3, frames_each = 6, all_frames = data_files * frames_each;

class Faults : public StillsProcess {
protected:
  /// run_master.h5 with the metadata, which links to three files of data.
  static void SetUpTestSuite() {
    folder = std::make_unique<testing::TemporaryFolder>();
    for (int i = 1; i <= data_files; ++i)
      write_images(path(fmt::format("part_{}.h5", i)), frames_each, std::uint64_t(i) * 100);
    write_images(path("run_master.h5"), all_frames);
    const hid_t master = H5Fopen(path("run_master.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(master, "/entry/data/data", H5P_DEFAULT);
    for (int i = 1; i <= data_files; ++i)
      H5Lcreate_external(fmt::format("part_{}.h5", i).c_str(), "/entry/data/data", master,
                         fmt::format("/entry/data/data_{:06d}", i).c_str(), H5P_DEFAULT,
                         H5P_DEFAULT);
    H5Fclose(master);
    const auto finished = run(arguments("whole"));
    ASSERT_EQ(finished.status, 0) << finished.out;
    ASSERT_EQ(comparable_results(path("whole")).size(), std::size_t(all_frames)) << finished.out;
  }

  static std::string arguments(const std::string& out, const std::string& more = "") {
    return known_symmetry + path("run_master.h5") + " output_dir=" + path(out) + " " + more;
  }

  /// Environment under which every process has the faults before its C library.
  static std::string with(const std::string& faults) {
    return fmt::format("env LD_PRELOAD={} {} ", KILOBRAGG_FAULTS, faults);
  }

  /// Where the frames of part_2.h5 lie, by frame.
  static io::FileRange place(int frame) {
    const auto reader = io::open_images(path("part_2.h5"));
    models::Image image;
    std::vector<io::FileRange> ranges;
    reader->read_at(frame, image, ranges);
    return ranges.at(0);
  }
  static std::string reads_of(int frame) {
    const auto range = place(frame);
    return fmt::format(
        "KILOBRAGG_FAULT_FILE=part_2.h5 KILOBRAGG_FAULT_FROM={} KILOBRAGG_FAULT_TO={} ",
        range.offset, range.offset + range.length);
  }

  /// Opens by rank and name of the file, in a run on so many ranks.
  static std::map<int, std::map<std::string, int>> opens(int ranks, const std::string& more = "") {
    const std::string out = fmt::format("opens{}{}", ranks, more.size()),
                      log = path(out + ".opens");
    const auto shown = fmt::format("KILOBRAGG_FAULT_LOG={} KILOBRAGG_FAULT_UNDER={}", log,
                                   folder->path().string());
    ChildProcess child(with(shown) +
                           command(arguments(out, "dispatch.batch_size=1 " + more), ranks),
                       path("child.txt"));
    const auto status = child.wait(240);
    EXPECT_TRUE(status && *status == 0) << core::read_text_file(path("child.txt"));
    std::map<int, std::map<std::string, int>> found;
    std::ifstream lines(log);
    std::string file;
    for (int rank = 0; lines >> rank >> file;) ++found[rank][fs::path(file).filename().string()];
    expect_results(out, {});
    return found;
  }

  /// All results as without faults, but for frames of part_2.h5 with another state.
  static void expect_results(const std::string& out, const std::map<int, ExitState>& but,
                             bool complete = true) {
    const auto whole = comparable_results(path("whole")), found = comparable_results(path(out));
    const auto by_frame = results(path(out));
    if (complete) {
      EXPECT_EQ(found.size(), whole.size());
    }
    for (const auto& [name, bytes] : found) {
      const int frame = std::stoi(name.substr(name.rfind(':') + 1)) - frames_each;
      if (but.count(frame) == 0) {
        EXPECT_TRUE(bytes == whole.at(name)) << name << " differs";
      }
    }
    for (const auto& [frame, state] : but) {
      const auto one = by_frame.find(fmt::format("run_master.h5:{}", frame + frames_each));
      ASSERT_NE(one, by_frame.end()) << frame;
      EXPECT_EQ(one->second.state, state) << one->second.message;
    }
  }
};

TEST_F(Faults, MetadataIsReadByOneRankAndEachFileOnceByThoseThatNeedIt) {
  for (const int ranks : {1, 8, 64}) {
    SCOPED_TRACE(ranks);
    const std::string reference = path("whole/idx-0000_refined.expt");
    const auto all = opens(ranks, "input.reference_geometry=" + reference);
    int data = 0, total = 0;
    for (const auto& [rank, files] : all)
      for (const auto& [name, count] : files) {
        total += count;
        if (name.rfind("part_", 0) == 0) {
          data += count;
          EXPECT_LE(count, rank == 0 ? 16 : 1) << name << " on rank " << rank;
        } else if (name == "run_master.h5" || name.ends_with(".expt")) {
          EXPECT_EQ(rank, 0) << name << " was opened by rank " << rank;
          EXPECT_LE(count, 20) << name;
        } else if (name.ends_with(".shard")) {
          EXPECT_LE(count, rank == 0 ? 5 : 3) << name << " on rank " << rank;
        }
      }
    std::printf("%2d ranks: %d opens, %d of data files, %d of the master by rank 0\n", ranks, total,
                data, all.at(0).at("run_master.h5"));
    for (const auto& [name, count] : all.at(0))
      std::printf("   rank 0: %d x %s\n", count, name.c_str());
    if (ranks > 1)
      for (const auto& [name, count] : all.rbegin()->second)
        std::printf("   rank %d: %d x %s\n", all.rbegin()->first, count, name.c_str());
  }
}

TEST_F(Faults, AHungReadCostsItsImageAndItsRank) {
  const std::string faults = reads_of(3) + "KILOBRAGG_FAULT_KIND=hang";
  ChildProcess child(
      with(faults) + command(arguments("hang3", "dispatch.timeout=10 dispatch.batch_size=1"), 3),
      path("child.txt"));
  const auto status = child.wait(120);
  const std::string said = core::read_text_file(path("child.txt"));
  ASSERT_TRUE(status) << said;
  EXPECT_EQ(*status, 0) << said;
  EXPECT_TRUE(has(said, "run_master_00009 timeout")) << said;
  expect_results("hang3", {{3, ExitState::Timeout}});
}

TEST_F(Faults, AHungReadOnASingleRankStopsTheRunWhichGoesOnLater) {
  const std::string faults = reads_of(3) + "KILOBRAGG_FAULT_KIND=hang";
  ChildProcess child(with(faults) + command(arguments("hang1", "dispatch.timeout=10")),
                     path("child.txt"));
  const auto status = child.wait(120);
  const std::string said = core::read_text_file(path("child.txt"));
  ASSERT_TRUE(status) << said;
  EXPECT_EQ(*status, 75) << said;
  expect_results("hang1", {{3, ExitState::Timeout}}, false);
  const auto finished = run(arguments("hang1", "--resume"));
  EXPECT_EQ(finished.status, 0) << finished.out;
  expect_results("hang1", {{3, ExitState::Timeout}});
}

// The first rank processes images too in small jobs, and writes the report, which opens image files.
TEST_F(Faults, AHungReadOfTheFirstRankDoesNotKeepTheJobFromItsEnd) {
  const auto from = place(1), to = place(frames_each - 1);
  const std::string faults =
      fmt::format("KILOBRAGG_FAULT_FILE=part_2.h5 KILOBRAGG_FAULT_RANK=0 KILOBRAGG_FAULT_FROM={} "
                  "KILOBRAGG_FAULT_TO={} KILOBRAGG_FAULT_KIND=hang",
                  from.offset, to.offset + to.length);
  const std::string run = known_symmetry + path("part_2.h5") + " output_dir=" + path("hang0") +
                          " dispatch.timeout=10 dispatch.batch_size=1";
  ChildProcess child(with(faults) + command(run, 2), path("child.txt"));
  const auto status = child.wait(120);
  const std::string said = core::read_text_file(path("child.txt"));
  ASSERT_TRUE(status) << said;
  EXPECT_EQ(*status, 0) << said;
  EXPECT_EQ(comparable_results(path("hang0")).size(), std::size_t(frames_each)) << said;
  EXPECT_TRUE(fs::exists(path("hang0/report.html"))) << said;
}

TEST_F(Faults, WhatTheFirstRankCanNoLongerLookAtIsLeftForResume) {
  const auto to = place(frames_each - 1);
  const std::string faults =
      fmt::format("KILOBRAGG_FAULT_FILE=part_2.h5 KILOBRAGG_FAULT_RANK=0 KILOBRAGG_FAULT_FROM={} "
                  "KILOBRAGG_FAULT_TO={} KILOBRAGG_FAULT_KIND=hang",
                  place(1).offset, to.offset + to.length);
  const std::string job = known_symmetry + path("part_2.h5") + " " + path("part_1.h5") + " " +
                          path("part_3.h5") + " output_dir=" + path("hang_files") +
                          " dispatch.batch_size=1 ";
  ChildProcess child(with(faults) + command(job + "dispatch.timeout=5", 2), path("child.txt"));
  const auto status = child.wait(120);
  const std::string said = core::read_text_file(path("child.txt"));
  ASSERT_TRUE(status) << said;
  EXPECT_TRUE(*status == 0 || *status == 75) << said;
  const auto finished = run(job + "--resume");
  EXPECT_EQ(finished.status, 0) << finished.out;
  EXPECT_EQ(comparable_results(path("hang_files")).size(), std::size_t(all_frames));
}

TEST_F(Faults, AnUnreadableFrameHarmsNoOther) {
  const std::string faults = reads_of(4) + "KILOBRAGG_FAULT_KIND=error";
  for (const int ranks : {1, 3}) {
    const std::string out = fmt::format("error{}", ranks);
    ChildProcess child(with(faults) + command(arguments(out), ranks), path("child.txt"));
    const auto status = child.wait(120);
    const std::string said = core::read_text_file(path("child.txt"));
    EXPECT_TRUE(status && *status == 0) << said;
    EXPECT_TRUE(has(said, "run_master_00010 preprocess_exception")) << said;
    EXPECT_TRUE(has(said, "part_2.h5")) << said;
    expect_results(out, {{4, ExitState::PreprocessException}});
  }
}

TEST_F(Faults, ASlowFileHoldsUpNobodyElse) {
  // Every read of pixels of part_2.h5 but the first frame's, which the first rank reads too, takes 4 s.
  const std::string faults = fmt::format(
      "KILOBRAGG_FAULT_FILE=part_2.h5 KILOBRAGG_FAULT_FROM={} KILOBRAGG_FAULT_KIND=slow "
      "KILOBRAGG_FAULT_MS=4000",
      place(1).offset);
  ChildProcess child(with(faults) + command(arguments("slow", "dispatch.batch_size=1"), 3),
                     path("child.txt"));
  const auto status = child.wait(120);
  EXPECT_TRUE(status && *status == 0) << core::read_text_file(path("child.txt"));
  expect_results("slow", {});
  // While one rank waits for frame 6 + 1 of part_2.h5, the others work through what comes next.
  double slow = 0;
  for (const auto& [key, still] : results(path("slow"))) {
    const double read = still.seconds[std::size_t(models::Step::Read)];
    const bool is_slow = still.source.frame > frames_each && still.source.frame < 2 * frames_each;
    if (is_slow) {
      slow += read;
      EXPECT_GT(read, 3.9) << key;
    } else {
      EXPECT_LT(read, 3) << key << " on rank " << still.processing.rank
                         << " waited for a file that it does not need";
    }
  }
  EXPECT_GT(slow, 3.9 * (frames_each - 1));
}

TEST_F(Faults, AShardThatCannotBeReadForAMomentLosesNothing) {
  const std::string out = "unread_shard", shard = path(out + "/idx-0000.shard");
  ASSERT_EQ(run(arguments(out, "dispatch.index=False max_images=6")).status, 0);
  const auto before = core::read_file(shard);
  for (const std::size_t from : {std::size_t(0), before.size() / 2}) {
    SCOPED_TRACE(from);
    const auto spoilt =
        fmt::format("KILOBRAGG_FAULT_FILE=idx-0000.shard KILOBRAGG_FAULT_KIND=error "
                    "KILOBRAGG_FAULT_FROM={} ",
                    from);
    ChildProcess child(with(spoilt) + command(arguments(out, "dispatch.index=False --resume")),
                       path("child.txt"));
    const auto status = child.wait(120);
    const std::string said = core::read_text_file(path("child.txt"));
    ASSERT_TRUE(status) << said;
    EXPECT_EQ(*status, 1) << said;
    EXPECT_TRUE(has(said, "cannot read " + shard + " (Input/output error)")) << said;
    EXPECT_TRUE(core::read_file(shard) == before) << "results are gone";
  }
  EXPECT_EQ(run(arguments(out, "dispatch.index=False --resume")).status, 0);
  EXPECT_EQ(results(path(out)).size(), std::size_t(all_frames));
}

} // namespace
} // namespace kilobragg::programs
