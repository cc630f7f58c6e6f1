// Events are found input by input, selected, handed out once, and carry what workers need.
#include "event_queue.hpp"
#include "support/drawn_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/nxmx_writer.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hdf5.h>

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

  /// One frame of 20 x 10 pixels; another `distance` is another geometry.
  std::string small_run(const std::string& name, double wavelength, double distance = 120) {
    io::NxmxLayout layout;
    layout.detector = testing::drawn_detector();
    models::Panel& panel = layout.detector.panels[0];
    panel.image_size = {20, 10};
    panel.frame.origin.z = -distance;
    panel.thickness = 0.32;
    layout.frames = 1;
    io::NxmxWriter writer(path(name), layout);
    writer.write_frame(0, std::vector<std::int32_t>(200, 1), wavelength);
    writer.close();
    return path(name);
  }

  /// An .expt that points at the first frame of each file.
  std::string list_of(const std::vector<std::string>& files,
                      const std::string& name = "list.expt") {
    std::vector<models::Experiment> experiments;
    for (const std::string& file : files) {
      const auto reader = io::open_images(file);
      experiments.push_back({});
      experiments.back().beam = reader->beam(0);
      experiments.back().detector = reader->detector();
      experiments.back().source = reader->source(0);
    }
    io::write_experiments(experiments, path(name));
    return path(name);
  }

  /// A lookup mask for the images of small_run().
  std::string small_mask() {
    const std::string file = path("mask.h5");
    const hid_t h5 = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t shape[2] = {10, 20};
    const hid_t space = H5Screate_simple(2, shape, nullptr);
    H5Dclose(
        H5Dcreate2(h5, "mask", H5T_NATIVE_INT32, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Fclose(h5);
    return file;
  }

  /// The source of the next event, as its receiver has it.
  static std::shared_ptr<const SourceInfo> next_source(EventQueue& queue) {
    BatchReceiver receiver;
    const auto batch = queue.next(next_rank++, 1);
    return receiver.source(receiver.unpack(batch->pack()).at(0).source);
  }
  static inline int next_rank = 0;

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

/// Each XFEL file begins with another wavelength, so that its sensor stops more or less.
TEST_F(Queue, FilesOfOneDetectorShareItsGeometryWhateverTheirWavelengths) {
  constexpr int files = 300;
  for (int i = 0; i < files; ++i)
    options_.input.paths.push_back(small_run(fmt::format("run_{}.h5", i), 1.2 + 1e-4 * i));
  EventQueue queue(options_, {});
  BatchReceiver receiver;
  std::size_t geometries = 0;
  for (int i = 0; i < files; ++i) {
    const auto batch = queue.next(0, 1);
    geometries += batch->geometries.size();
    const auto info = receiver.source(receiver.unpack(batch->pack()).at(0).source);
    ASSERT_EQ(info->problem, "");
    const auto described = io::open_described({info->geometry->description, info->description});
    const models::Panel panel = described->detector()->panels.at(0),
                        own = io::open_images(info->path)->detector()->panels.at(0);
    ASSERT_EQ(panel.mu, own.mu);
    ASSERT_GT(own.mu, 0);
    ASSERT_EQ(panel.parallax->mu, own.parallax->mu);
    ASSERT_EQ(panel.parallax->thickness, own.parallax->thickness);
  }
  EXPECT_EQ(geometries, 1U);
}

TEST_F(Queue, ALookupMaskIsReadOnceForImagesOfOneSize) {
  options_.input.paths = {small_run("near.h5", 1.3, 100), small_run("far.h5", 1.3, 200)};
  options_.spotfinder_mask = options_.integration_mask = small_mask();
  EventQueue queue(options_, {});
  const auto near = next_source(queue);
  std::filesystem::remove(path("mask.h5"));
  const auto far = next_source(queue);
  ASSERT_NE(near->geometry->description, far->geometry->description);
  EXPECT_EQ(far->geometry->mask_problem, "");
  EXPECT_EQ(far->geometry->integration_mask, near->geometry->spotfinder_mask);
}

TEST_F(Queue, AListWithoutItsFirstImageIsOpened) {
  options_.input.paths = {list_of({small_run("gone.h5", 1.3), small_run("here.h5", 1.3)})};
  std::filesystem::remove(path("gone.h5"));
  EventQueue queue(options_, {});
  EXPECT_EQ(next_source(queue)->problem, "");
  options_.spotfinder_mask = small_mask();
  EventQueue masked(options_, {});
  const auto source = next_source(masked);
  ASSERT_EQ(source->problem, "");
  EXPECT_EQ(source->geometry->mask_problem, "");
  EXPECT_NE(source->geometry->spotfinder_mask, "");
}

/// Lists have no geometry to tell them apart by.
TEST_F(Queue, AMaskThatDoesNotFitOneListFitsAnother) {
  const std::string large = run("large.h5", 1);
  options_.input.paths = {list_of({large}, "large.expt"),
                          list_of({small_run("small.h5", 1.3)}, "small.expt")};
  options_.spotfinder_mask = small_mask();
  EventQueue queue(options_, {});
  EXPECT_NE(next_source(queue)->geometry->mask_problem, "");
  EXPECT_EQ(next_source(queue)->geometry->mask_problem, "");
}

/// Images that could not be read stand in the results under the name of their list.
TEST_F(Queue, ImagesOfAListAreDoneUnderTheirOwnNameOrThatOfTheList) {
  const std::string a = small_run("a.h5", 1.3), b = small_run("b.h5", 1.3),
                    gone = small_run("gone.h5", 1.3), list = list_of({a, b, gone});
  std::filesystem::remove(gone);
  options_.input.paths = {list};
  DoneImages done;
  done.add(a, "/entry/data/data", 0, "");
  done.add(list, "", 2, "");
  EventQueue queue(options_, done);
  const auto events = take_all(queue, 10);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].frame, 1);
  EXPECT_EQ(queue.already_done(), 2);
}

TEST_F(Queue, AnImageOfAListThatCannotBeOpenedIsNotDone) {
  const std::string a = small_run("a.h5", 1.3), gone = small_run("gone.h5", 1.3);
  options_.input.paths = {list_of({a, gone})};
  std::filesystem::remove(gone);
  DoneImages done;
  done.add(a, "/entry/data/data", 0, "");
  EventQueue queue(options_, done);
  const auto events = take_all(queue, 10);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].frame, 1);
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
