// The event index: inputs in order, patterns, failures, .expt lists, ranges kept on disk.
#include "nxmx_fixture.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/event_index.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/image_reader.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

namespace kilobragg::io {
namespace {

using fixture::Folder;
using fixture::NxmxFile;

class Index : public ::testing::Test {
protected:
  Folder folder_;
  std::string run(const std::string& name, hsize_t frames, std::uint16_t first = 0) {
    NxmxFile file(folder_ / name);
    file.wavelength();
    file.simple_detector(20, 30);
    file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {frames, 20, 30}, {1, 20, 30},
                               false, first);
    return folder_ / name;
  }
};

TEST_F(Index, InputsInOrderThenFrames) {
  const std::string b = run("b.h5", 2), a = run("a.h5", 3);
  const EventIndex index = build_event_index({b, a});
  ASSERT_EQ(index.events.size(), 5u);
  EXPECT_EQ(index.sources[0].path, b);
  EXPECT_EQ(index.sources[0].dataset, "/entry/data/data");
  EXPECT_EQ(index.events[1].frame, 1);
  EXPECT_EQ(index.events[2].source, 1u);
  EXPECT_EQ(index.events[4].frame, 2);
}

TEST_F(Index, PatternsAreSorted) {
  run("r2.h5", 1), run("r1.h5", 1), run("other.h5", 1);
  const EventIndex index = build_event_index({folder_ / "r?.h5"});
  ASSERT_EQ(index.sources.size(), 2u);
  EXPECT_EQ(index.sources[0].path, folder_ / "r1.h5");
  EXPECT_EQ(index.sources[1].path, folder_ / "r2.h5");
  EXPECT_THROW(build_event_index({folder_ / "nothing*.h5"}), core::Error);
}

TEST_F(Index, AFileNamedTwiceCountsOnce) {
  const std::string a = run("a.h5", 3);
  const EventIndex index =
      build_event_index({a, folder_ / "a.h?", std::string(folder_ / ".") + "/a.h5"});
  EXPECT_EQ(index.sources.size(), 1u);
  EXPECT_EQ(index.events.size(), 3u);
}

TEST_F(Index, WhatCannotBeOpenedIsListedAndTheRestGoesOn) {
  const std::string good = run("good.h5", 2), empty = run("empty.h5", 0);
  fixture::spill(folder_ / "text.h5", "these are no images");
  fixture::spill(folder_ / "none.h5", "");
  const EventIndex index = build_event_index(
      {folder_ / "absent.h5", good, empty, folder_ / "text.h5", folder_ / "none.h5"});
  EXPECT_EQ(index.events.size(), 2u);
  ASSERT_EQ(index.failed.size(), 4u);
  EXPECT_NE(index.failed[0].second.find("No such file"), std::string::npos);
  EXPECT_NE(index.failed[1].second.find("has no frames"), std::string::npos);
  EXPECT_NE(index.failed[2].second.find("neither HDF5 nor CBF nor an .expt"), std::string::npos);
  EXPECT_NE(index.failed[3].second.find("is empty"), std::string::npos);
}

TEST_F(Index, ManyFramesAreCountedNotRead) {
  NxmxFile file(folder_ / "long.h5");
  const hsize_t shape[3] = {200000, 100, 100}, chunk[3] = {1, 100, 100};
  const hdf5::Handle plist(H5Pcreate(H5P_DATASET_CREATE)),
      space(H5Screate_simple(3, shape, nullptr));
  H5Pset_chunk(plist.get(), 3, chunk);
  hdf5::Handle data(H5Dcreate2(file.id(), "/entry/data/data", H5T_NATIVE_UINT16, space.get(),
                               H5P_DEFAULT, plist.get(), H5P_DEFAULT));
  data.reset();
  file.close();
  const auto start = std::chrono::steady_clock::now();
  const EventIndex index = build_event_index({folder_ / "long.h5"});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(index.events.size(), 200000u);
  EXPECT_LT(took.count(), 1.0);
}

TEST_F(Index, RangesAreKeptAndDroppedWithTheirFile) {
  const std::string path = run("run.h5", 4);
  EventIndex index = build_event_index({path});
  record_ranges(index, 2, {{path, 100, 50}, {path, 200, 60}});
  record_ranges(index, 0, {{path, 10, 5}});
  index.failed.emplace_back(folder_ / "lost.h5", "gone");
  save_event_index(index, folder_ / "index.bin");
  const EventIndex back = load_event_index(folder_ / "index.bin");
  EXPECT_EQ(back.events.size(), 4u);
  EXPECT_EQ(back.sources[0].dataset, index.sources[0].dataset);
  EXPECT_EQ(back.failed, index.failed);
  ASSERT_EQ(back.ranges.size(), 4u);
  ASSERT_EQ(back.ranges[2].size(), 2u);
  EXPECT_EQ(back.files[back.ranges[2][1].file], path);
  EXPECT_EQ(back.ranges[2][1].offset, 200u);
  EXPECT_EQ(back.ranges[2][1].length, 60u);
  EXPECT_TRUE(back.ranges[1].empty());
  fixture::spill(path, fixture::slurp(path) + "grown");
  EXPECT_TRUE(load_event_index(folder_ / "index.bin").ranges[2].empty());
}

TEST_F(Index, FilesThatMovedAreFoundAndTheirRangesKept) {
  const std::string path = run("run.h5", 2);
  EventIndex index = build_event_index({path});
  record_ranges(index, 1, {{path, 100, 50}});
  save_event_index(index, folder_ / "index.kbi");
  std::filesystem::create_directory(folder_ / "attic");
  std::filesystem::rename(path, folder_ / "attic/run.h5");
  EXPECT_EQ(load_event_index(folder_ / "index.kbi").sources[0].path, path);
  ImageSearch search;
  search.folders = {folder_ / "attic"};
  const EventIndex back = load_event_index(folder_ / "index.kbi", search);
  EXPECT_EQ(back.sources[0].path, folder_ / "attic/run.h5");
  ASSERT_EQ(back.ranges.size(), 2u);
  ASSERT_EQ(back.ranges[1].size(), 1u);
  EXPECT_EQ(back.files[back.ranges[1][0].file], folder_ / "attic/run.h5");
}

TEST_F(Index, PlacesInManyFilesAreNotedAtOnce) {
  constexpr std::size_t files = 100'000;
  EventIndex index;
  index.sources = {{"list.expt", "", files, "list.expt"}};
  for (std::size_t i = 0; i < files; ++i) index.events.push_back({0, std::int64_t(i)});
  const auto name = [](std::size_t i) { return fmt::format("/data/run/image_{:06d}.cbf", i); };
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < files; ++i) record_ranges(index, i, {{name(i), 10, i}});
  for (std::size_t i = 0; i < files; i += 7) record_ranges(index, i, {{name(i), 20, i}});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 5.0);
  EXPECT_EQ(index.files.size(), files);
  for (const std::size_t i : {std::size_t(0), std::size_t(77'777), files - 1}) {
    EXPECT_EQ(index.files[index.ranges[i][0].file], name(i));
    EXPECT_EQ(index.ranges[i][0].offset, i % 7 == 0 ? 20U : 10U);
  }
}

TEST_F(Index, TakesPlacesOfTheSameImagesFromAnEarlierIndex) {
  const std::string a = run("a.h5", 3), b = run("b.h5", 2);
  EventIndex earlier = build_event_index({a, b});
  record_ranges(earlier, 1, {{a, 10, 5}, {b, 20, 6}});
  record_ranges(earlier, 2, {{a, 30, 7}});
  record_ranges(earlier, 4, {{b, 40, 8}});
  run("b.h5", 4); // another file now
  EventIndex index = build_event_index({b, a});
  record_ranges(index, 6, {{a, 99, 9}});
  adopt_ranges(index, earlier);
  EXPECT_EQ(index.ranges[1].size(), 0U) << "of a file with another number of frames";
  ASSERT_EQ(index.ranges[5].size(), 2U);
  EXPECT_EQ(index.files[index.ranges[5][1].file], b);
  EXPECT_EQ(index.ranges[5][1].offset, 20U);
  ASSERT_EQ(index.ranges[6].size(), 1U);
  EXPECT_EQ(index.ranges[6][0].offset, 99U) << "what is known better stays";
}

TEST_F(Index, InputsThatFailedAreLookedForAgain) {
  EventIndex index = build_event_index({run("run.h5", 4), folder_ / "late.h5"});
  index.failed.emplace_back(folder_ / "list.kbi", "no event index");
  save_event_index(index, folder_ / "list.kbi");
  EXPECT_EQ(build_event_index({folder_ / "list.kbi"}).failed, index.failed);
  run("late.h5", 2);
  const EventIndex found = build_event_index({folder_ / "list.kbi"});
  EXPECT_EQ(found.events.size(), 6U);
  EXPECT_EQ(found.failed.size(), 1U) << "an index is not looked for in itself";
}

TEST_F(Index, DamagedIndexFilesAreRefused) {
  EventIndex index = build_event_index({run("run.h5", 4)});
  save_event_index(index, folder_ / "index.bin");
  const std::string bytes = fixture::slurp(folder_ / "index.bin");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    fixture::spill(folder_ / "cut.bin", bytes.substr(0, size));
    EXPECT_THROW(load_event_index(folder_ / "cut.bin"), core::Error) << size;
  }
}

/// An .expt with two lattices on frame 1 and one on frame 3 of an image file.
std::vector<models::Experiment> some_experiments(const std::string& image) {
  const auto reader = open_images(image);
  std::vector<models::Experiment> list;
  for (const std::int64_t frame : {1, 1, 3}) {
    models::Experiment experiment;
    experiment.beam = reader->beam(frame);
    experiment.beam.wavelength = 1.5;
    experiment.detector = reader->detector();
    experiment.source = reader->source(frame);
    experiment.identifier = "e" + std::to_string(list.size());
    list.push_back(experiment);
  }
  return list;
}

TEST_F(Index, ExperimentListsGiveTheirImagesWithTheirModels) {
  const std::string image = run("run.h5", 4), list = folder_ / "list.expt";
  write_experiments(some_experiments(image), list);
  const EventIndex index = build_event_index({list});
  ASSERT_EQ(index.failed.size(), 0u) << index.failed[0].second;
  ASSERT_EQ(index.events.size(), 2u);
  EXPECT_EQ(index.sources[0].expt, list);
  const auto reader = open_images(index.sources[0].path);
  ASSERT_EQ(reader->frame_count(), 2);
  EXPECT_EQ(reader->read(1).value(0), 1800);
  EXPECT_EQ(reader->beam(0).wavelength, 1.5);
  EXPECT_EQ(reader->source(1).frame, 3);
  EXPECT_EQ(reader->source(1).content_id, open_images(image)->content_id());
}

/// The sensor's attenuation follows the wavelength of each file: a list of several has several
/// detectors. DIALS moves them one by one, too.
TEST_F(Index, EachImageOfAListHasItsOwnDetector) {
  std::vector<models::Experiment> experiments;
  for (const char* name : {"a.h5", "b.h5"}) {
    experiments.push_back(some_experiments(run(name, 4))[0]);
    auto detector = std::make_shared<models::Detector>(*experiments.back().detector);
    detector->panels[0].mu = double(experiments.size());
    detector->panels[0].frame.origin.z -= double(experiments.size());
    experiments.back().detector = detector;
  }
  write_experiments(experiments, folder_ / "list.expt");
  const auto reader = open_images(folder_ / "list.expt");
  ASSERT_EQ(reader->frame_count(), 2);
  const auto described = open_described(reader->describe());
  for (std::int64_t i : {0, 1}) {
    const models::Panel& wanted = experiments[std::size_t(i)].detector->panels[0];
    for (const auto* of : {reader.get(), described.get()}) {
      EXPECT_EQ(of->detector_of(i)->panels[0].mu, wanted.mu);
      EXPECT_NEAR(of->detector_of(i)->panels[0].frame.origin.z, wanted.frame.origin.z, 1e-9);
    }
    EXPECT_EQ(reader->read(i).value(0), 600);
  }
}

TEST_F(Index, AListHasALayoutWithoutItsFirstImage) {
  std::vector<models::Experiment> experiments;
  for (const char* name : {"a.h5", "b.h5"})
    experiments.push_back(some_experiments(run(name, 4))[0]);
  write_experiments(experiments, folder_ / "list.expt");
  std::filesystem::remove(folder_ / "a.h5");
  const auto reader = open_images(folder_ / "list.expt");
  EXPECT_EQ(reader->layout()->size, 600u);
  std::filesystem::remove(folder_ / "b.h5");
  EXPECT_THROW(open_images(folder_ / "list.expt")->layout(), core::Error);
}

TEST_F(Index, ExperimentListsFindImagesThatMovedWithThem) {
  run("run.h5", 4);
  write_experiments(some_experiments(folder_ / "run.h5"), folder_ / "list.expt");
  std::filesystem::create_directory(folder_ / "new");
  std::filesystem::rename(folder_ / "run.h5", folder_ / "new/run.h5");
  std::filesystem::rename(folder_ / "list.expt", folder_ / "new/list.expt");
  EXPECT_EQ(open_images(folder_ / "new/list.expt")->read(0).value(0), 600);
  std::filesystem::remove(folder_ / "new/run.h5");
  try {
    open_images(folder_ / "new/list.expt")->read(0);
    FAIL() << "an image that is gone was read";
  } catch (const core::Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find(folder_ / "new/run.h5"), std::string::npos) << what;
    EXPECT_NE(what.find("which is not there"), std::string::npos) << what;
  }
}

} // namespace
} // namespace kilobragg::io
