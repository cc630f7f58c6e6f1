// Events are found input by input, selected, handed out once, and carry what workers need.
#include "event_queue.hpp"
#include "support/drawn_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/nxmx_writer.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

namespace kilobragg::programs {
namespace {

class Queue : public ::testing::Test {
protected:
  testing::TemporaryFolder folder_;
  StillsOptions options_;

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  std::string run(const std::string& name, int frames) {
    io::NxmxLayout layout;
    layout.detector = testing::drawn_detector();
    layout.frames = frames;
    io::NxmxWriter writer(path(name), layout);
    static const auto still = testing::draw_still(11, false);
    for (int frame = 0; frame < frames; ++frame)
      writer.write_frame(frame, still.pixels, 1.2 + 0.01 * frame);
    writer.close();
    options_.input.paths.push_back(path(name));
    return path(name);
  }

  /// Everything that the queue hands to one rank, in batches of `size`; checks that it is whole.
  static std::vector<BatchEvent> take_all(EventQueue& queue, std::int64_t size) {
    BatchReceiver receiver;
    std::vector<BatchEvent> all;
    while (const auto batch = queue.next(0, size)) {
      for (BatchEvent& event : receiver.unpack(batch->pack())) {
        EXPECT_NE(receiver.source(event.source), nullptr);
        all.push_back(std::move(event));
      }
    }
    return all;
  }
};

TEST_F(Queue, HandsOutEveryFrameOnceInOrder) {
  run("a.h5", 3), run("b.h5", 5);
  for (const std::int64_t size : {1, 2, 100}) {
    EventQueue queue(options_, {});
    const auto events = take_all(queue, size);
    ASSERT_EQ(events.size(), 8U);
    for (std::size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(events[i].number, static_cast<std::int64_t>(i));
      EXPECT_EQ(events[i].frame, static_cast<std::int64_t>(i < 3 ? i : i - 3));
      EXPECT_NEAR(events[i].shot.wavelength, 1.2 + 0.01 * double(events[i].frame), 1e-6);
    }
    EXPECT_EQ(queue.known(), 8);
    EXPECT_FALSE(queue.growing());
  }
}

TEST_F(Queue, TheFirstBatchNeedsOnlyTheFirstInput) {
  run("a.h5", 2), run("b.h5", 2), run("c.h5", 2);
  EventQueue queue(options_, {});
  ASSERT_TRUE(queue.next(0, 1).has_value());
  EXPECT_EQ(queue.index().sources.size(), 1U);
  EXPECT_TRUE(queue.growing());
  EXPECT_TRUE(queue.scan());
  EXPECT_EQ(queue.index().sources.size(), 2U);
}

TEST_F(Queue, SendsASourceOnceToEachRankAndAGeometryOnceForAll) {
  run("a.h5", 4), run("b.h5", 4);
  EventQueue queue(options_, {});
  const auto first = queue.next(1, 1), again = queue.next(1, 1), other = queue.next(2, 1);
  EXPECT_EQ(first->sources.size(), 1U);
  EXPECT_EQ(first->geometries.size(), 1U);
  EXPECT_TRUE(again->sources.empty());
  EXPECT_EQ(other->sources.size(), 1U);
  EXPECT_EQ(other->geometries.size(), 1U);
  queue.next(1, 1); // the last of the first file
  const auto second_file = queue.next(1, 1);
  EXPECT_EQ(second_file->sources.size(), 1U);
  EXPECT_TRUE(second_file->geometries.empty()) << "both files have the same detector and mask";
}

TEST_F(Queue, SelectsByTagPercentageAndNumber) {
  run("a.h5", 10), run("b.h5", 10);
  options_.input.process_percent = 50;
  EventQueue half(options_, {});
  EXPECT_EQ(take_all(half, 3).size(), 10U);
  options_.input.max_images = 7;
  EventQueue seven(options_, {});
  EXPECT_EQ(take_all(seven, 3).size(), 7U);
  options_.input.max_images.reset();
  options_.input.process_percent = 100;
  options_.input.image_tags = {"a_00003", "b"};
  EventQueue tagged(options_, {});
  EXPECT_EQ(take_all(tagged, 3).size(), 11U);
  tagged.require_tags();
  options_.input.image_tags = {"c"};
  EventQueue none(options_, {});
  none.scan_all();
  EXPECT_THROW(none.require_tags(), core::Error);
}

TEST_F(Queue, WhatCannotBeOpenedIsAnEventWithItsReason) {
  run("a.h5", 2);
  options_.input.paths.insert(options_.input.paths.begin(), path("gone.h5"));
  EventQueue queue(options_, {});
  BatchReceiver receiver;
  const auto events = receiver.unpack(queue.next(0, 10)->pack());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_NE(receiver.source(events[0].source)->problem.find("No such file"), std::string::npos);
  EXPECT_EQ(take_all(queue, 10).size(), 2U);
  EXPECT_EQ(queue.known(), 3);
}

TEST_F(Queue, PassesOverWhatIsDone) {
  const std::string a = run("a.h5", 6);
  const std::string dataset = [&] {
    EventQueue queue(options_, {});
    queue.scan_all();
    return queue.index().sources[0].dataset;
  }();
  DoneImages done;
  for (const std::int64_t frame : {0, 1, 4, 4}) done.add(a, dataset, frame, "");
  EXPECT_EQ(done.size(), 3);
  EventQueue queue(options_, done);
  std::set<std::int64_t> frames;
  for (const BatchEvent& event : take_all(queue, 2)) frames.insert(event.frame);
  EXPECT_EQ(frames, (std::set<std::int64_t>{2, 3, 5}));
  EXPECT_EQ(queue.known(), 3);
  EXPECT_EQ(queue.already_done(), 3);
}

TEST_F(Queue, AnotherFileUnderTheSameNameIsNotGoneOnWith) {
  const std::string a = run("a.h5", 3);
  DoneImages done;
  done.add(a, "/entry/data/data", 0, "the id of another file");
  EventQueue queue(options_, done);
  BatchReceiver receiver;
  const auto batch = queue.next(0, 1);
  ASSERT_TRUE(batch.has_value());
  const auto events = receiver.unpack(batch->pack());
  const std::string problem = receiver.source(events[0].source)->problem;
  EXPECT_NE(problem.find("is not the file that the results are of"), std::string::npos) << problem;
  EXPECT_NE(problem.find("the id of another file"), std::string::npos) << problem;
}

TEST_F(Queue, WhatIsGivenBackIsHandedOutAgain) {
  run("a.h5", 4);
  EventQueue queue(options_, {});
  const auto batch = queue.next(0, 3);
  queue.put_back({batch->events[1].number, batch->events[2].number});
  const auto rest = queue.next(1, 10);
  ASSERT_EQ(rest->events.size(), 3U);
  EXPECT_EQ(rest->events[0].frame, 1);
  EXPECT_EQ(rest->events[2].frame, 3);
  EXPECT_EQ(queue.known(), 4);
}

TEST_F(Queue, StartsFromASavedIndexWithThePlacesThatWereLearnt) {
  const std::string a = run("a.h5", 3);
  EventQueue queue(options_, {});
  take_all(queue, 10);
  queue.learn({{1, {{a, 512, 64}, {a, 1024, 32}}}});
  io::save_event_index(queue.index(), path("saved.kbi"));
  options_.input.paths = {path("saved.kbi")};
  EventQueue again(options_, {});
  const auto events = take_all(again, 10);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_TRUE(events[0].ranges.empty());
  ASSERT_EQ(events[1].ranges.size(), 2U);
  EXPECT_EQ(events[1].ranges[1].offset, 1024U);
  EXPECT_EQ(events[1].ranges[1].path, a);
}

} // namespace
} // namespace kilobragg::programs
