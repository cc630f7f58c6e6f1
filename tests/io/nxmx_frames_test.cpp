// NXmx frames: pixel types, chunks and filters, several data files, virtual data sets, bad files.
#include "nxmx_fixture.hpp"
#include "reader_checks.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/bitshuffle.hpp"
#include "kilobragg/io/event_index.hpp"
#include "kilobragg/io/image_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::io {
namespace {

using fixture::expect_same_metadata;
using fixture::Folder;
using fixture::NxmxFile;
using hdf5::Handle;

class NxmxFrames : public ::testing::Test {
protected:
  Folder folder_;
  std::string path_ = folder_ / "run.h5";

  /// A data set of T whose frames hold `values`, one chunk per frame encoded by `encode`.
  template <typename T, typename Encode>
  void write_chunks(hid_t type, H5Z_filter_t filter, const std::vector<unsigned>& options,
                    const std::vector<T>& values, const Encode& encode) {
    NxmxFile file(path_);
    file.wavelength();
    file.simple_detector(20, 30);
    const hsize_t shape[3] = {values.size() / 600, 20, 30}, chunk[3] = {1, 20, 30};
    const Handle plist(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_chunk(plist.get(), 3, chunk);
    H5Pset_filter(plist.get(), filter, H5Z_FLAG_OPTIONAL, options.size(), options.data());
    const Handle space(H5Screate_simple(3, shape, nullptr));
    const Handle data(H5Dcreate2(file.id(), "/entry/data/data", type, space.get(), H5P_DEFAULT,
                                 plist.get(), H5P_DEFAULT));
    for (hsize_t f = 0; f < shape[0]; ++f) {
      const std::vector<std::byte> bytes =
          encode(std::as_bytes(std::span(values).subspan(f * 600, 600)));
      const hsize_t offset[3] = {f, 0, 0};
      ASSERT_GE(H5Dwrite_chunk(data.get(), H5P_DEFAULT, 0, offset, bytes.size(), bytes.data()), 0);
    }
  }

  /// Options for H5Pset_filter: with the plugin installed it adds the first three itself.
  static std::vector<unsigned> bitshuffle_options(unsigned element) {
    if (H5Zfilter_avail(bitshuffle_filter) > 0) return {0, 2};
    return {0, 3, element, 0, 2};
  }
};

template <typename T>
std::vector<T> extremes() {
  std::vector<T> values(1200);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i % 100);
  values[1] = std::numeric_limits<T>::max();
  values[2] = std::numeric_limits<T>::lowest();
  values[1199] = std::numeric_limits<T>::max();
  return values;
}

/// Pixels of stored type T arrive in a buffer of type To, clamped to its range.
template <typename T, typename To>
void expect_pixels(const std::string& path, const std::vector<T>& stored) {
  const auto reader = open_images(path);
  models::Image image;
  ASSERT_EQ(reader->frame_count(), static_cast<std::int64_t>(stored.size() / 600));
  for (std::int64_t f = 0; f < reader->frame_count(); ++f) {
    reader->read_into(f, image);
    ASSERT_TRUE(std::holds_alternative<std::vector<To>>(image.pixels));
    const auto& pixels = std::get<std::vector<To>>(image.pixels);
    ASSERT_EQ(pixels.size(), 600u);
    for (std::size_t i = 0; i < 600; ++i) {
      const auto want = static_cast<double>(stored[static_cast<std::size_t>(f) * 600 + i]);
      const double high = static_cast<double>(std::numeric_limits<To>::max()),
                   low = static_cast<double>(std::numeric_limits<To>::lowest());
      ASSERT_EQ(static_cast<double>(pixels[i]),
                static_cast<double>(static_cast<To>(std::min(std::max(want, low), high))))
          << f << " " << i;
    }
  }
}

/// Learns where each frame lies; then a new reader gives the frames in reverse when it is told the
/// places in reverse, so that it is the places and nothing else that it follows.
void expect_places_lead_to_frames(const std::string& path) {
  const auto learner = open_images(path);
  const std::int64_t frames = learner->frame_count();
  std::vector<std::vector<FileRange>> places(static_cast<std::size_t>(frames));
  std::vector<models::Image> images(places.size());
  for (std::size_t f = 0; f < places.size(); ++f) {
    learner->read_at(static_cast<std::int64_t>(f), images[f], places[f]);
    ASSERT_FALSE(places[f].empty()) << "frame " << f << " of " << path;
    for (const FileRange& range : places[f])
      EXPECT_TRUE(std::filesystem::path(range.path).is_absolute());
  }
  const auto described = open_described(learner->describe());
  expect_same_metadata(*learner, *described);
  const auto follower = open_images(path);
  for (std::size_t f = 0; f < places.size(); ++f) {
    EXPECT_EQ(described->read(static_cast<std::int64_t>(f)).pixels, images[f].pixels);
    const std::size_t other = places.size() - 1 - f;
    models::Image image;
    follower->read_at(static_cast<std::int64_t>(f), image, places[other]);
    EXPECT_EQ(image.pixels, images[other].pixels) << "frame " << f << " of " << path;
  }
}

#define PIXEL_TYPE_TEST(name, T, To, h5type)                                                       \
  TEST_F(NxmxFrames, PixelsOfType_##name) {                                                        \
    const auto values = extremes<T>();                                                             \
    write_chunks<T>(                                                                               \
        h5type, bitshuffle_filter, bitshuffle_options(sizeof(T)), values,                          \
        [](std::span<const std::byte> b) { return encode_bitshuffle_lz4(b, sizeof(T)); });         \
    expect_pixels<T, To>(path_, values);                                                           \
    expect_places_lead_to_frames(path_);                                                           \
    write_chunks<T>(h5type, lz4_filter, {0}, values,                                               \
                    [](std::span<const std::byte> b) { return encode_lz4(b, 512); });              \
    expect_pixels<T, To>(path_, values);                                                           \
    NxmxFile file(path_);                                                                          \
    file.wavelength();                                                                             \
    file.simple_detector(20, 30);                                                                  \
    file.frames<T>("/entry/data/data", h5type, {2, 20, 30});                                       \
    file.close();                                                                                  \
    std::vector<T> rising(1200);                                                                   \
    std::iota(rising.begin(), rising.end(), T{0});                                                 \
    expect_pixels<T, To>(path_, rising);                                                           \
    expect_places_lead_to_frames(path_);                                                           \
  }
PIXEL_TYPE_TEST(u8, std::uint8_t, std::uint16_t, H5T_NATIVE_UINT8)
PIXEL_TYPE_TEST(u16, std::uint16_t, std::uint16_t, H5T_NATIVE_UINT16)
PIXEL_TYPE_TEST(u32, std::uint32_t, std::int32_t, H5T_NATIVE_UINT32)
PIXEL_TYPE_TEST(i8, std::int8_t, std::int32_t, H5T_NATIVE_INT8)
PIXEL_TYPE_TEST(i16, std::int16_t, std::int32_t, H5T_NATIVE_INT16)
PIXEL_TYPE_TEST(i32, std::int32_t, std::int32_t, H5T_NATIVE_INT32)
PIXEL_TYPE_TEST(f32, float, float, H5T_NATIVE_FLOAT)

TEST_F(NxmxFrames, DoublesAreNarrowed) {
  NxmxFile file(path_);
  file.wavelength();
  file.simple_detector(20, 30);
  file.frames<double>("/entry/data/data", H5T_NATIVE_DOUBLE, {2, 20, 30}, {1, 20, 30});
  file.close();
  EXPECT_EQ(std::get<std::vector<float>>(open_images(path_)->read(1).pixels)[7], 607.0f);
}

TEST_F(NxmxFrames, BigEndianPixelsGoThroughTheLibrary) {
  NxmxFile file(path_);
  file.wavelength();
  file.simple_detector(20, 30);
  const Handle space(H5Screate_simple(3, std::array<hsize_t, 3>{1, 20, 30}.data(), nullptr));
  Handle data(H5Dcreate2(file.id(), "/entry/data/data", H5T_STD_I32BE, space.get(), H5P_DEFAULT,
                         H5P_DEFAULT, H5P_DEFAULT));
  std::vector<std::int32_t> values(600);
  std::iota(values.begin(), values.end(), -3);
  H5Dwrite(data.get(), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  data.reset();
  file.close();
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(open_images(path_)->read(0).pixels), values);
}

TEST_F(NxmxFrames, ChunksThatDivideAFrameUnevenlyOrHoldSeveralFrames) {
  for (const std::vector<hsize_t>& chunk :
       {std::vector<hsize_t>{1, 7, 30}, {1, 7, 11}, {1, 20, 30}, {3, 20, 30}, {2, 5, 5}})
    for (const bool deflate : {false, true}) {
      NxmxFile file(path_);
      file.wavelength();
      file.simple_detector(20, 30);
      file.frames<std::int32_t>("/entry/data/data", H5T_NATIVE_INT32, {5, 20, 30}, chunk, deflate);
      file.close();
      const auto reader = open_images(path_);
      for (const std::int64_t f : {4, 0, 2}) {
        std::vector<std::int32_t> want(600);
        std::iota(want.begin(), want.end(), static_cast<std::int32_t>(600 * f));
        EXPECT_EQ(std::get<std::vector<std::int32_t>>(reader->read(f).pixels), want);
      }
      if (chunk[0] == 1 && !deflate) {
        expect_places_lead_to_frames(path_);
      } else {
        std::vector<FileRange> unknown;
        models::Image image;
        reader->read_at(1, image, unknown);
        EXPECT_TRUE(unknown.empty());
      }
    }
}

TEST_F(NxmxFrames, AFrameThatWasNeverWrittenReadsAsFillValue) {
  NxmxFile file(path_);
  file.wavelength();
  file.simple_detector(20, 30);
  const hsize_t shape[3] = {2, 20, 30}, chunk[3] = {1, 20, 30};
  const Handle plist(H5Pcreate(H5P_DATASET_CREATE)), space(H5Screate_simple(3, shape, nullptr));
  H5Pset_chunk(plist.get(), 3, chunk);
  const std::int32_t fill = -7;
  H5Pset_fill_value(plist.get(), H5T_NATIVE_INT32, &fill);
  Handle data(H5Dcreate2(file.id(), "/entry/data/data", H5T_NATIVE_INT32, space.get(), H5P_DEFAULT,
                         plist.get(), H5P_DEFAULT));
  data.reset();
  file.close();
  EXPECT_EQ(open_images(path_)->read(1).value(5), -7);
}

TEST_F(NxmxFrames, OneFrameOfTwoDimensions) {
  NxmxFile file(path_);
  file.wavelength();
  file.simple_detector(20, 30);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {20, 30}, {20, 30});
  file.close();
  const auto reader = open_images(path_);
  EXPECT_EQ(reader->frame_count(), 1);
  EXPECT_EQ(reader->read(0).value(599), 599);
}

TEST_F(NxmxFrames, BuffersAreUsedAgain) {
  NxmxFile file(path_);
  file.wavelength();
  file.simple_detector(20, 30);
  file.frames<std::int32_t>("/entry/data/data", H5T_NATIVE_INT32, {3, 20, 30}, {1, 20, 30});
  file.close();
  const auto reader = open_images(path_);
  models::Image image;
  reader->read_into(0, image);
  const auto* before = std::get<std::vector<std::int32_t>>(image.pixels).data();
  reader->read_into(2, image);
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(image.pixels).data(), before);
  EXPECT_EQ(image.value(0), 1200);
}

TEST_F(NxmxFrames, PlacesOfAFileThatChangedAreRefused) {
  NxmxFile file(path_);
  file.wavelength();
  file.simple_detector(20, 30);
  file.frames<std::int32_t>("/entry/data/data", H5T_NATIVE_INT32, {2, 20, 30}, {1, 10, 30});
  file.close();
  const auto reader = open_images(path_);
  models::Image image;
  std::vector<FileRange> places;
  reader->read_at(0, image, places);
  ASSERT_EQ(places.size(), 2u);
  std::vector<FileRange> wrong = {places[0]};
  EXPECT_SAYS(reader->read_at(0, image, wrong), "the index knows too few places");
  wrong = {places[0], places[1], places[1]};
  EXPECT_SAYS(reader->read_at(0, image, wrong), "more places in the index than in the file");
  wrong = {places[0], {places[1].path, std::uint64_t{1} << 40, places[1].length}};
  EXPECT_SAYS(reader->read_at(0, image, wrong), "ends at byte");
  wrong = {places[0], {folder_ / "gone.h5", 0, places[1].length}};
  EXPECT_SAYS(reader->read_at(0, image, wrong), "gone.h5 (No such file");
  wrong = {places[0], {places[1].path, places[1].offset, places[1].length - 4}};
  EXPECT_SAYS(reader->read_at(0, image, wrong), "instead of");
}

TEST_F(NxmxFrames, PlacesCountTheUserBlock) {
  const Handle creation(H5Pcreate(H5P_FILE_CREATE));
  H5Pset_userblock(creation.get(), 512);
  Handle file(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, creation.get(), H5P_DEFAULT));
  const hsize_t shape[3] = {2, 4, 5}, chunk[3] = {1, 4, 5};
  const Handle plist(H5Pcreate(H5P_DATASET_CREATE)), space(H5Screate_simple(3, shape, nullptr));
  for (const char* group : {"/entry", "/entry/data"})
    Handle(H5Gcreate2(file.get(), group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  for (const bool chunked : {true, false}) {
    if (chunked) H5Pset_chunk(plist.get(), 3, chunk);
    const Handle contiguous(H5Pcreate(H5P_DATASET_CREATE));
    const Handle data(H5Dcreate2(file.get(), chunked ? "/entry/data/chunked" : "/entry/data/plain",
                                 H5T_NATIVE_INT32, space.get(), H5P_DEFAULT,
                                 chunked ? plist.get() : contiguous.get(), H5P_DEFAULT));
    std::vector<std::int32_t> values(40);
    std::iota(values.begin(), values.end(), 1);
    H5Dwrite(data.get(), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  }
  file.reset();
  for (const char* name : {"/entry/data/chunked", "/entry/data/plain"}) {
    const auto reader = open_images(path_, name);
    models::Image image;
    std::vector<FileRange> places;
    reader->read_at(1, image, places);
    ASSERT_EQ(places.size(), 1u) << name;
    EXPECT_EQ(image.value(0), 21) << name;
    models::Image again;
    reader->read_at(1, again, places);
    EXPECT_EQ(again.pixels, image.pixels) << name;
  }
}

// ---- several files ----

/// Frames of int32 whose values start at `first`, as /entry/data/data of a file of their own.
void write_data_file(const std::string& path, hsize_t frames, std::int32_t first) {
  NxmxFile file(path);
  file.frames<std::int32_t>("/entry/data/data", H5T_NATIVE_INT32, {frames, 20, 30}, {1, 20, 30},
                            false, first);
}

TEST_F(NxmxFrames, ExternalLinksInOrderOfTheirNames) {
  write_data_file(folder_ / "run_data_000001.h5", 3, 0);
  write_data_file(folder_ / "run_data_000002.h5", 2, 1800);
  NxmxFile file(path_);
  file.wavelength();
  file.simple_detector(20, 30);
  for (const int i : {1, 2, 3})
    H5Lcreate_external(fmt::format("run_data_{:06d}.h5", i).c_str(), "/entry/data/data", file.id(),
                       fmt::format("/entry/data/data_{:06d}", i).c_str(), H5P_DEFAULT, H5P_DEFAULT);
  file.close();
  const auto reader = open_images(path_);
  ASSERT_EQ(reader->frame_count(), 5);
  for (std::int64_t f = 0; f < 5; ++f) EXPECT_EQ(reader->read(f).value(0), 600.0 * double(f));
  EXPECT_EQ(reader->source(3).frame, 3);
  expect_places_lead_to_frames(path_);
  // The third file was never written; the others count.
  const EventIndex index = build_event_index({path_});
  EXPECT_EQ(index.events.size(), 5u);
  ASSERT_EQ(index.failed.size(), 1u);
  EXPECT_NE(index.failed[0].first.find("data_000003"), std::string::npos);
  // And the data set that the index names opens the same frames.
  EXPECT_EQ(open_images(path_, index.sources[0].dataset)->frame_count(), 5);
}

TEST_F(NxmxFrames, AMissingDataFileInTheMiddleIsNamed) {
  write_data_file(folder_ / "run_data_000002.h5", 2, 0);
  NxmxFile file(path_);
  file.wavelength();
  file.simple_detector(20, 30);
  for (const int i : {1, 2})
    H5Lcreate_external(fmt::format("run_data_{:06d}.h5", i).c_str(), "/entry/data/data", file.id(),
                       fmt::format("/entry/data/data_{:06d}", i).c_str(), H5P_DEFAULT, H5P_DEFAULT);
  file.close();
  EXPECT_SAYS(open_images(path_), "it links to run_data_000001.h5:/entry/data/data, which is not");
}

/// Maps box `from` of a source to box `to` of a virtual data set being made.
struct Mapping {
  std::string file;
  std::vector<hsize_t> source_shape;
  std::vector<hsize_t> to, to_stride, from, count;
};

void write_virtual(const std::string& path, const std::vector<hsize_t>& shape,
                   const std::vector<Mapping>& mappings) {
  NxmxFile file(path);
  file.wavelength();
  file.simple_detector(static_cast<std::int64_t>(shape[1]), static_cast<std::int64_t>(shape[2]));
  const Handle plist(H5Pcreate(H5P_DATASET_CREATE));
  const std::int32_t fill = -1;
  H5Pset_fill_value(plist.get(), H5T_NATIVE_INT32, &fill);
  for (const Mapping& m : mappings) {
    const Handle to(H5Screate_simple(int(shape.size()), shape.data(), nullptr));
    const Handle from(H5Screate_simple(int(m.source_shape.size()), m.source_shape.data(), nullptr));
    H5Sselect_hyperslab(to.get(), H5S_SELECT_SET, m.to.data(), m.to_stride.data(), m.count.data(),
                        nullptr);
    H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, m.from.data(), nullptr, m.count.data(),
                        nullptr);
    H5Pset_virtual(plist.get(), to.get(), m.file.c_str(), "/entry/data/data", from.get());
  }
  const Handle space(H5Screate_simple(int(shape.size()), shape.data(), nullptr));
  const Handle data(H5Dcreate2(file.id(), "/entry/data/data", H5T_NATIVE_INT32, space.get(),
                               H5P_DEFAULT, plist.get(), H5P_DEFAULT));
  ASSERT_TRUE(static_cast<bool>(data));
}

TEST_F(NxmxFrames, VirtualDataSetOverFilesOneAfterTheOther) {
  write_data_file(folder_ / "a.h5", 3, 0);
  write_data_file(folder_ / "b.h5", 2, 1800);
  write_virtual(path_, {5, 20, 30},
                {{"a.h5", {3, 20, 30}, {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, {3, 20, 30}},
                 {"b.h5", {2, 20, 30}, {3, 0, 0}, {1, 1, 1}, {0, 0, 0}, {2, 20, 30}}});
  const auto reader = open_images(path_);
  ASSERT_EQ(reader->frame_count(), 5);
  for (const std::int64_t f : {4, 0, 3, 2}) {
    const models::Image image = reader->read(f);
    EXPECT_EQ(image.value(0), 600.0 * double(f));
    EXPECT_EQ(image.value(599), 600.0 * double(f) + 599);
  }
  expect_places_lead_to_frames(path_);
}

TEST_F(NxmxFrames, VirtualDataSetThatAlternatesBetweenFiles) {
  write_data_file(folder_ / "even.h5", 3, 0);
  write_data_file(folder_ / "odd.h5", 3, 10000);
  write_virtual(path_, {6, 20, 30},
                {{"even.h5", {3, 20, 30}, {0, 0, 0}, {2, 1, 1}, {0, 0, 0}, {3, 20, 30}},
                 {"odd.h5", {3, 20, 30}, {1, 0, 0}, {2, 1, 1}, {0, 0, 0}, {3, 20, 30}}});
  const auto reader = open_images(path_);
  for (std::int64_t f = 0; f < 6; ++f)
    EXPECT_EQ(reader->read(f).value(1), (f % 2 ? 10000 : 0) + 600.0 * double(f / 2) + 1);
}

// Modules of a frame in files of their own, with a gap between them.
TEST_F(NxmxFrames, VirtualDataSetThatPutsModulesTogether) {
  write_data_file(folder_ / "top.h5", 2, 0);
  write_data_file(folder_ / "low.h5", 2, 50000);
  write_virtual(path_, {2, 44, 30},
                {{"top.h5", {2, 20, 30}, {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, {2, 20, 30}},
                 {"low.h5", {2, 20, 30}, {0, 24, 0}, {1, 1, 1}, {0, 0, 0}, {2, 20, 30}}});
  const auto reader = open_images(path_);
  const models::Image image = reader->read(1);
  EXPECT_EQ(image.value(19 * 30 + 29), 1199);
  EXPECT_EQ(image.value(21 * 30), -1);
  EXPECT_EQ(image.value(24 * 30), 50600);
  EXPECT_EQ(image.value(43 * 30 + 29), 51199);
  expect_places_lead_to_frames(path_);
}

TEST_F(NxmxFrames, AMissingSourceOfAVirtualDataSetIsAnErrorNotFillValues) {
  write_data_file(folder_ / "a.h5", 3, 0);
  write_virtual(path_, {5, 20, 30},
                {{"a.h5", {3, 20, 30}, {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, {3, 20, 30}},
                 {"gone.h5", {2, 20, 30}, {3, 0, 0}, {1, 1, 1}, {0, 0, 0}, {2, 20, 30}}});
  const auto reader = open_images(path_);
  EXPECT_EQ(reader->read(2).value(0), 1200);
  EXPECT_SAYS(reader->read(4), "gone.h5");
  EXPECT_EQ(reader->read(0).value(0), 0) << "the others are unharmed";
}

// ---- bad input ----

TEST_F(NxmxFrames, MissingFile) {
  EXPECT_SAYS(open_images(folder_ / "absent.h5"), "absent.h5 (No such file or directory)");
}

TEST_F(NxmxFrames, TruncatedFiles) {
  write_data_file(path_, 3, 0);
  const std::string whole = fixture::slurp(path_);
  const std::string cut = folder_ / "cut.h5";
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    fixture::spill(cut, whole.substr(0, size));
    try {
      const auto reader = open_images(cut);
      for (std::int64_t f = 0; f < reader->frame_count(); ++f) reader->read(f);
      ADD_FAILURE() << "a file cut at " << size << " of " << whole.size() << " passed";
    } catch (const core::Error& error) {
      EXPECT_NE(std::string(error.what()).find("cut.h5"), std::string::npos) << error.what();
    }
  }
  fixture::spill(cut, whole.substr(0, whole.size() / 2));
  EXPECT_SAYS(open_images(cut), "is the file complete, or still being copied?");
}

TEST_F(NxmxFrames, WrongDataSet) {
  write_data_file(path_, 3, 0);
  EXPECT_SAYS(open_images(path_, "/entry/data/dada"),
              "has no data set /entry/data/dada (/entry/data holds /entry/data/data)");
  EXPECT_SAYS(open_images(path_, "/entry/definition"), "holds no images (its shape is scalar)");
}

TEST_F(NxmxFrames, FileWithoutImages) {
  NxmxFile file(path_);
  file.wavelength();
  file.close();
  EXPECT_SAYS(open_images(path_), "has no images in /entry/data");
}

TEST_F(NxmxFrames, ZeroFrames) {
  write_data_file(path_, 0, 0);
  EXPECT_SAYS(open_images(path_), "has no frames");
}

TEST_F(NxmxFrames, WrongPixelType) {
  NxmxFile file(path_);
  file.wavelength();
  const Handle text(H5Tcopy(H5T_C_S1));
  const Handle space(H5Screate_simple(3, std::array<hsize_t, 3>{1, 20, 30}.data(), nullptr));
  Handle data(H5Dcreate2(file.id(), "/entry/data/data", text.get(), space.get(), H5P_DEFAULT,
                         H5P_DEFAULT, H5P_DEFAULT));
  data.reset();
  file.close();
  EXPECT_SAYS(open_images(path_), "elements are neither integers nor floats");
}

TEST_F(NxmxFrames, UnknownFilter) {
  const std::vector<std::int32_t> values(600, 1);
  write_chunks<std::int32_t>(H5T_NATIVE_INT32, 31999, {}, values, [](std::span<const std::byte> b) {
    return std::vector<std::byte>(b.begin(), b.end());
  });
  EXPECT_SAYS(open_images(path_), "it uses HDF5 filter 31999, for which there is no plugin");
}

TEST_F(NxmxFrames, ADamagedChunkSpoilsItsFrameAlone) {
  const auto values = extremes<std::int32_t>();
  int frame = 0;
  write_chunks<std::int32_t>(H5T_NATIVE_INT32, bitshuffle_filter, bitshuffle_options(4), values,
                             [&](std::span<const std::byte> b) {
                               auto bytes = encode_bitshuffle_lz4(b, 4);
                               if (frame++ == 0) bytes.resize(bytes.size() / 2);
                               return bytes;
                             });
  const auto reader = open_images(path_);
  EXPECT_SAYS(reader->read(0), "cannot read frame 0 of " + path_);
  EXPECT_SAYS(reader->read(0), "chunk is truncated");
  EXPECT_EQ(reader->read(1).value(50), values[650]);
}

TEST_F(NxmxFrames, FrameOutOfRange) {
  write_data_file(path_, 3, 0);
  EXPECT_SAYS(open_images(path_)->read(3), "has no frame 3 (it has 3)");
  EXPECT_SAYS(open_images(path_)->read(-1), "has no frame -1");
}

// ---- identity ----

TEST_F(NxmxFrames, ContentIdStaysWithTheContent) {
  write_data_file(path_, 3, 0);
  write_data_file(folder_ / "moved.h5", 3, 0);
  write_data_file(folder_ / "grown.h5", 30, 0);
  write_data_file(folder_ / "other.h5", 3, 1);
  const std::string id = open_images(path_)->content_id();
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(open_images(folder_ / "moved.h5")->content_id(), id);
  EXPECT_EQ(open_images(folder_ / "grown.h5")->content_id(), id);
  EXPECT_NE(open_images(folder_ / "other.h5")->content_id(), id);
  const models::ImageSource source = open_images(path_)->source(2);
  EXPECT_EQ(source.path, path_);
  EXPECT_EQ(source.dataset, "/entry/data/data");
  EXPECT_EQ(source.frame, 2);
  EXPECT_EQ(source.content_id, id);
}

} // namespace
} // namespace kilobragg::io
