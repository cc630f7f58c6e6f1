// Batches cover every event once, packed messages come back whole, names follow the options.
#include "event_source.hpp"
#include "geometry_overrides.hpp"
#include "index_packing.hpp"
#include "run_files.hpp"
#include "still_worker.hpp"

#include "kilobragg/core/error.hpp"

#include <gtest/gtest.h>

namespace kilobragg::programs {
namespace {

TEST(BatchSource, EveryEventOnceAndSinglesAtTheEnd) {
  for (const int workers : {1, 3, 100})
    for (const std::int64_t events : {0, 1, 7, 100, 5000}) {
      BatchSource source(events, workers);
      std::int64_t expected = 0, last = 0;
      while (const auto batch = source.next()) {
        EXPECT_EQ(batch->first, expected);
        EXPECT_GE(batch->second, 1);
        EXPECT_LE(batch->second, 64);
        expected += batch->second;
        last = batch->second;
      }
      EXPECT_EQ(expected, events);
      EXPECT_EQ(last, events > 0 ? 1 : 0);
    }
}

TEST(IndexPacking, RunsOfFramesComeBack) {
  io::EventIndex index;
  index.sources = {{"a.h5", "/entry/data", 5, ""}, {"b \"q\".cbf", "", 1, "list.expt"}};
  index.events = {{0, 0}, {0, 1}, {0, 3}, {1, 0}, {0, 4}};
  index.sources.push_back({"gone.h5", "", 0, ""});
  index.failed = {{"gone.h5", "no such file"}};
  const auto back = unpack_index(pack_index(index));
  ASSERT_EQ(back.sources.size(), 3U);
  ASSERT_NE(failure_of(back, 2), nullptr);
  EXPECT_EQ(*failure_of(back, 2), "no such file");
  EXPECT_EQ(failure_of(back, 1), nullptr);
  EXPECT_EQ(back.sources[1].path, "b \"q\".cbf");
  EXPECT_EQ(back.sources[1].expt, "list.expt");
  EXPECT_EQ(back.sources[0].frames, 5);
  ASSERT_EQ(back.events.size(), index.events.size());
  for (std::size_t i = 0; i < back.events.size(); ++i) {
    EXPECT_EQ(back.events[i].source, index.events[i].source);
    EXPECT_EQ(back.events[i].frame, index.events[i].frame);
  }
}

TEST(IndexPacking, Batches) {
  const std::pair<std::int64_t, std::int64_t> batch{std::int64_t{1} << 40, 64};
  EXPECT_EQ(unpack_batch(pack_batch(batch)), batch);
  EXPECT_THROW(unpack_batch("short"), core::Error);
}

TEST(EventTag, FrameOnlyWhereThereAreSeveral) {
  io::EventIndex index;
  index.sources = {{"/d/run_12.h5", "/e", 5, ""}, {"/d/one.cbf", "", 1, ""}};
  EXPECT_EQ(event_tag(index, {0, 3}), "run_12_00003");
  EXPECT_EQ(event_tag(index, {1, 0}), "one");
}

TEST(BatchReport, PacksAndUnpacks) {
  BatchReport report;
  models::StillResult result;
  result.state = models::ExitState::NotEnoughSpots;
  result.count = 3;
  report.summary.add(result);
  report.lines = {"a not_enough_spots_3", "b indexing_failed_20  (why)"};
  const auto back = BatchReport::unpack(report.pack());
  EXPECT_EQ(back.lines, report.lines);
  EXPECT_EQ(back.summary.stills, 1);
  EXPECT_EQ(back.summary.accounted(), 1);
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
