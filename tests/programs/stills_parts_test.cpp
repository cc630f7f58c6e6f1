// Messages come back whole, receivers have what senders count on, names follow the options.
#include "batch_messages.hpp"
#include "event_queue.hpp"
#include "geometry_overrides.hpp"
#include "resume.hpp"
#include "run_files.hpp"
#include "step_log.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <random>
#include <utility>

namespace kilobragg::programs {
namespace {

TEST(EventTag, FrameOnlyWhereThereAreSeveral) {
  EXPECT_EQ(event_tag("/d/run_12.h5", true, 3), "run_12_00003");
  EXPECT_EQ(event_tag("/d/one.cbf", false, 0), "one");
}

std::shared_ptr<const SharedGeometry> geometry(std::uint32_t id) {
  SharedGeometry g;
  g.id = id;
  g.description = "geometry " + std::to_string(id);
  g.spotfinder_mask = std::string("\0mask", 5);
  g.mask_problem = "misfit";
  return std::make_shared<const SharedGeometry>(g);
}

std::shared_ptr<const SourceInfo> source(std::uint32_t id,
                                         std::shared_ptr<const SharedGeometry> of) {
  SourceInfo info;
  info.id = id;
  info.path = "run_" + std::to_string(id) + ".h5";
  info.dataset = "/entry/data/data";
  info.several_frames = id % 2 == 0;
  info.description = "frames of " + std::to_string(id);
  info.geometry = std::move(of);
  return std::make_shared<const SourceInfo>(info);
}

BatchEvent event(std::int64_t number, std::uint32_t of, std::vector<io::FileRange> ranges = {}) {
  BatchEvent e;
  e.number = number;
  e.source = of;
  e.frame = number * 3;
  e.shot.wavelength = 1.25;
  e.ranges = std::move(ranges);
  return e;
}

TEST(Batches, ComeBackWithTheirSources) {
  Batch batch;
  batch.geometries = {geometry(0)};
  batch.sources = {source(7, batch.geometries[0]), source(8, nullptr)};
  batch.events = {event(std::int64_t{1} << 40, 7, {{"/a", 1, 2}, {"/b", 3, 4}, {"/a", 5, 6}}),
                  event(12, 8)};
  BatchReceiver receiver;
  const auto events = receiver.unpack(batch.pack());
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].number, std::int64_t{1} << 40);
  EXPECT_EQ(events[0].frame, 3 * (std::int64_t{1} << 40));
  EXPECT_EQ(events[0].shot.wavelength, 1.25);
  EXPECT_TRUE(std::isnan(events[0].shot.flux));
  ASSERT_EQ(events[0].ranges.size(), 3U);
  EXPECT_EQ(events[0].ranges[2].path, "/a");
  EXPECT_EQ(events[0].ranges[2].length, 6U);
  const auto info = receiver.source(7);
  EXPECT_EQ(info->path, "run_7.h5");
  EXPECT_EQ(info->description, "frames of 7");
  EXPECT_EQ(info->geometry->spotfinder_mask, std::string("\0mask", 5));
  EXPECT_TRUE(receiver.source(8)->several_frames);
  EXPECT_EQ(receiver.source(8)->geometry, nullptr);
}

TEST(Batches, CutShortOrOutOfTurnAreRefused) {
  Batch batch;
  batch.sources = {source(1, nullptr)};
  batch.events = {event(0, 1, {{"/a", 1, 2}})};
  const std::string bytes = batch.pack();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(BatchReceiver().unpack(bytes.substr(0, size)), core::Error) << size;
  Batch stranger;
  stranger.events = {event(0, 1)};
  EXPECT_THROW(BatchReceiver().unpack(stranger.pack()), core::Error);
}

// The sender leaves out what it believes the receiver to have: that must always be there.
TEST(Batches, TheReceiverHasEverythingThatTheSenderCountsOn) {
  std::mt19937 random(5);
  const auto shared = geometry(0);
  BatchReceiver receiver;
  std::vector<std::uint32_t> recent;
  bool first = true;
  std::int64_t left_out = 0;
  for (int round = 0; round < 2000; ++round) {
    Batch batch;
    if (std::exchange(first, false)) batch.geometries.push_back(shared);
    const int events = 1 + static_cast<int>(random() % 20);
    const std::uint32_t spread = round % 2 ? 6 : 30;
    for (int i = 0; i < events; ++i) {
      const auto id = static_cast<std::uint32_t>(random() % spread);
      if (touch_recent(recent, id))
        ++left_out;
      else
        batch.sources.push_back(source(id, shared));
      batch.events.push_back(event(i, id));
    }
    for (const BatchEvent& e : receiver.unpack(batch.pack()))
      ASSERT_EQ(receiver.source(e.source)->path, "run_" + std::to_string(e.source) + ".h5");
  }
  EXPECT_GT(left_out, 5000);
}

TEST(BatchReport, PacksAndUnpacks) {
  BatchReport report;
  models::StillResult result;
  result.state = models::ExitState::NotEnoughSpots;
  result.count = 3;
  report.summary.add(result);
  report.seconds = 1.5;
  report.stop = 10;
  report.leaves = true;
  report.undone = {4, 5};
  report.learnt = {{7, {{"/a", 1, 2}, {"/a", 3, 4}}}};
  report.lines = {"a not_enough_spots_3", "b indexing_failed_20  (why)"};
  const auto back = BatchReport::unpack(report.pack());
  EXPECT_EQ(back.lines, report.lines);
  EXPECT_EQ(back.summary.accounted(), 1);
  EXPECT_EQ(back.seconds, 1.5);
  EXPECT_EQ(back.stop, 10);
  EXPECT_TRUE(back.leaves);
  EXPECT_EQ(back.undone, report.undone);
  ASSERT_EQ(back.learnt.size(), 1U);
  EXPECT_EQ(back.learnt[0].number, 7);
  EXPECT_EQ(back.learnt[0].ranges[1].path, "/a");
  EXPECT_EQ(back.learnt[0].ranges[1].offset, 3U);
}

TEST(Resume, TellsOptionsThatChangeResultsFromOthers) {
  StillsOptions options;
  core::OptionSet set;
  options.declare(set);
  const std::string before = set.to_phil();
  set.set("output.output_dir", "elsewhere", "test");
  set.set("dispatch.resume", "True", "test");
  set.set("mp.debug.output_debug_logs", "True", "test");
  EXPECT_TRUE(differing_options(set.to_phil(), before).empty());
  set.set("sigma_strong", "4.5", "test");
  const auto lines = differing_options(set.to_phil(), before);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0], "spotfinder.threshold.dispersion.sigma_strong is 4.5, was 3");
}

/// Makes a file, older than now by so many seconds.
void make(const std::string& path, int age) {
  core::write_file(path, std::string("x"));
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() -
                                             std::chrono::seconds(age));
}

TEST(OutputFolder, ResultsThatNothingNewWasDerivedFromStay) {
  const testing::TemporaryFolder folder;
  OutputOptions output;
  output.directory = folder.path().string();
  const std::string shard = folder / "idx-0000.shard", strong = folder / "idx-0000_strong.refl";
  make(shard, 100);
  EXPECT_THROW(prepare_output(output), core::Error) << "nothing was derived";
  make(strong, 200);
  EXPECT_THROW(prepare_output(output), core::Error) << "a resumed run was stopped";
  EXPECT_TRUE(std::filesystem::exists(shard));
  make(strong, 50);
  prepare_output(output);
  EXPECT_FALSE(std::filesystem::exists(shard));
}

TEST(StepLog, GoesOnWithWhatIsThere) {
  const testing::TemporaryFolder folder;
  models::StillResult result;
  for (const char* tag : {"first", "second"}) {
    StepLog log;
    log.open_steps(folder.path().string(), 3, true);
    log.open_details(folder.path().string(), 3, true);
    log.begin(tag);
    log.end(result);
  }
  for (const char* file : {"debug_3.txt", "log_rank0003.out"}) {
    const std::string text = core::read_text_file(folder / file);
    EXPECT_NE(text.find("first"), std::string::npos) << text;
    EXPECT_NE(text.find("second"), std::string::npos) << text;
  }
  StepLog().open_steps(folder.path().string(), 3, false);
  EXPECT_EQ(core::read_text_file(folder / "debug_3.txt"), "");
}

TEST(CompositeNames, FollowTheOptions) {
  OutputOptions output;
  EXPECT_EQ(composite_names(output).integrated, "idx-{:04d}_integrated");
  output.strong.clear();
  output.integrated = output.integrated_experiments = "best_%s_int.refl";
  EXPECT_EQ(composite_names(output).strong, "");
  EXPECT_EQ(composite_names(output).integrated, "best_idx-{:04d}_int");
  output.indexed = "same.refl";
  EXPECT_THROW(composite_names(output), core::Error);
}

models::Detector two_panels(double distance) {
  models::Detector detector;
  for (const double x : {-20.0, 0.5}) {
    models::Panel panel;
    panel.image_size = {195, 200};
    panel.frame = {{1, 0, 0}, {0, -1, 0}, {x, 10, -distance}};
    detector.panels.push_back(panel);
  }
  return detector;
}

TEST(Geometry, DistanceMovesAllPanelsAlongTheBeam) {
  const models::Beam beam;
  const auto moved = at_distance(two_panels(100), beam, 112.5);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(moved.panels[i].frame.origin.z, -112.5, 1e-12);
    EXPECT_NEAR(moved.panels[i].frame.origin.x, i == 0 ? -20.0 : 0.5, 1e-12);
  }
}

} // namespace
} // namespace kilobragg::programs
