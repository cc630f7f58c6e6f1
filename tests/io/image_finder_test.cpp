// Images that were moved are found again by map and search path, and only if they are the same.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/image_finder.hpp"
#include "kilobragg/io/nxmx_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace kilobragg::io {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<models::Detector> small_detector() {
  auto detector = std::make_shared<models::Detector>();
  models::Panel panel;
  panel.name = "panel";
  panel.image_size = {20, 10};
  panel.frame.origin = {-1, -1, -100};
  detector->panels.push_back(panel);
  return detector;
}

/// Two frames, each pixel `value` plus the frame.
void write_images(const std::string& path, std::int32_t value) {
  fs::create_directories(fs::path(path).parent_path());
  NxmxLayout layout;
  layout.detector = *small_detector();
  layout.frames = 2;
  NxmxWriter writer(path, layout);
  for (int frame = 0; frame < 2; ++frame)
    writer.write_frame(frame, std::vector<std::int32_t>(200, value + frame), 1.3);
  writer.close();
}

/// data/run_1/a.h5 and out/list.expt, which points at its second frame.
class MovedImages : public ::testing::Test {
protected:
  void SetUp() override {
    write_images(images, 5);
    fs::create_directories(folder / "out");
    const auto reader = open_images(images);
    id = reader->content_id();
    models::Experiment experiment;
    experiment.beam = reader->beam(1);
    experiment.detector = reader->detector();
    experiment.source = reader->source(1);
    write_experiments({experiment}, list);
  }

  void move_images(const std::string& to) {
    fs::create_directories(fs::path(to).parent_path());
    fs::rename(images, to);
  }
  /// The first pixel of the image that the list points at.
  double pixel(const ImageSearch& search, const std::string& path) {
    return open_images(path, "", search)->read(0).value(0);
  }
  double pixel(const ImageSearch& search = {}) { return pixel(search, list); }
  std::string refusal(const ImageSearch& search = {}) {
    try {
      pixel(search);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "found";
  }

  testing::TemporaryFolder folder;
  std::string images = folder / "data/run_1/a.h5", list = folder / "out/list.expt", id;
};

TEST_F(MovedImages, NotMoved) {
  EXPECT_EQ(pixel(), 6);
  EXPECT_EQ(open_images(list)->source(0).path, images);
}

TEST_F(MovedImages, AllTogetherKeepTheirRelativePaths) {
  fs::create_directories(folder / "archive");
  fs::rename(folder / "data", folder / "archive/data");
  fs::rename(folder / "out", folder / "archive/out");
  const std::string moved = folder / "archive/out/list.expt";
  EXPECT_EQ(pixel({}, moved), 6);
  EXPECT_EQ(open_images(moved)->source(0).path, folder / "archive/data/run_1/a.h5");
}

TEST_F(MovedImages, TheListAloneKeepsTheAbsolutePath) {
  fs::create_directories(folder / "far/away");
  fs::rename(list, folder / "far/away/list.expt");
  EXPECT_EQ(pixel({}, folder / "far/away/list.expt"), 6);
}

TEST_F(MovedImages, AMapFollowsThem) {
  move_images(folder / "disk2/proposal/run_1/a.h5");
  EXPECT_EQ(pixel({{{folder / "data", folder / "disk2/proposal"}}, {}}), 6);
  EXPECT_EQ(pixel({{{"/elsewhere", "/x"}, {folder / "data/", folder / "disk2/proposal/"}}, {}}), 6);
  const auto reader = open_images(list, "", {{{folder / "data", folder / "disk2/proposal"}}, {}});
  EXPECT_EQ(reader->source(0).path, folder / "disk2/proposal/run_1/a.h5");
  EXPECT_EQ(reader->source(0).content_id, id);
  EXPECT_EQ(reader->source(0).frame, 1);
}

TEST_F(MovedImages, AMapTakesWholeFolders) {
  move_images(folder / "new_1/a.h5");
  EXPECT_NE(refusal({{{folder / "data/run", folder / "new"}}, {}}), "found");
}

TEST_F(MovedImages, ASearchPathFindsThemByName) {
  move_images(folder / "archive/a.h5");
  EXPECT_EQ(pixel({{}, {folder / "nothing", folder / "archive"}}), 6);
}

TEST_F(MovedImages, ASearchPathPrefersMoreOfThePath) {
  move_images(folder / "archive/run_1/a.h5");
  write_images(folder / "archive/a.h5", 90);
  EXPECT_EQ(pixel({{}, {folder / "archive"}}), 6);
}

TEST_F(MovedImages, TheSearchGoesOnPastOtherImages) {
  move_images(folder / "archive/a.h5");
  write_images(images, 90);
  write_images(folder / "archive/run_1/a.h5", 70);
  EXPECT_EQ(pixel({{}, {folder / "archive"}}), 6);
}

TEST_F(MovedImages, OtherImagesInTheirPlaceAreNamed) {
  move_images(folder / "archive/a.h5");
  write_images(images, 90);
  const std::string other = open_images(images)->content_id();
  ASSERT_NE(other, id);
  EXPECT_THAT(refusal(), AllOf(HasSubstr(list), HasSubstr(images), HasSubstr(id), HasSubstr(other),
                               HasSubstr("--map")));
}

TEST_F(MovedImages, OtherImagesWhereAMapLeadsAreNamed) {
  const std::string target = folder / "new/run_1/a.h5";
  move_images(folder / "archive/a.h5");
  write_images(target, 90);
  EXPECT_THAT(refusal({{{folder / "data", folder / "new"}}, {}}),
              AllOf(HasSubstr(images), HasSubstr(target), HasSubstr(id),
                    HasSubstr(open_images(target)->content_id())));
}

TEST_F(MovedImages, WhereWasLookedIsListed) {
  move_images(folder / "gone.h5");
  EXPECT_THAT(refusal({{{folder / "data", "/new"}}, {folder / "archive"}}),
              AllOf(HasSubstr(list), HasSubstr(images), HasSubstr("/new/run_1/a.h5"),
                    HasSubstr(folder / "archive/a.h5"), HasSubstr(folder / "archive/run_1/a.h5")));
}

TEST_F(MovedImages, AnUnreadableFileSaysWhatIsWrongWithIt) {
  fs::resize_file(images, 100);
  EXPECT_THAT(refusal(), AllOf(HasSubstr(images), Not(HasSubstr("not there"))));
}

TEST_F(MovedImages, ListsWithoutContentIdsTakeWhatIsThere) {
  auto experiments = read_experiments(list);
  experiments[0].source.content_id.clear();
  write_experiments(experiments, list);
  move_images(folder / "archive/a.h5");
  EXPECT_EQ(pixel({{}, {folder / "archive"}}), 6);
  write_images(images, 90);
  EXPECT_EQ(pixel(), 91);
}

TEST_F(MovedImages, ReadingTheModelsNeedsNoImages) {
  move_images(folder / "gone.h5");
  EXPECT_EQ(read_experiments(list).at(0).source.path, images);
}

TEST(ImageCandidates, InOrder) {
  const ImagePointer pointer{"/a/out/list.expt", "../data/x.h5", "/old/data/x.h5", ""};
  EXPECT_THAT(image_candidates(pointer, {{{"/old", "/m"}, {"/a/data/", "/n"}}, {"/s"}}),
              ElementsAre("/m/data/x.h5", "/n/x.h5", "/a/data/x.h5", "/old/data/x.h5",
                          "/s/old/data/x.h5", "/s/data/x.h5", "/s/x.h5"));
  EXPECT_THAT(image_candidates({"/a/list.expt", "/d/x.h5", "", ""}, {{}, {"/d"}}),
              ElementsAre("/d/x.h5", "/d/d/x.h5"));
}

TEST(ImageCandidates, MapsAreTwoPaths) {
  EXPECT_EQ(parse_path_map("/a=/b"), std::make_pair(std::string("/a"), std::string("/b")));
  EXPECT_EQ(parse_path_map("a=b=c").second, "b=c");
  for (const char* bad : {"", "/a", "=/b", "/a="})
    EXPECT_THROW(parse_path_map(bad), core::Error) << bad;
}

} // namespace
} // namespace kilobragg::io
