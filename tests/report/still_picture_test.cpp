// The picture of a still: pixels where the geometry puts them, marks over them, a readable PNG.
#include "kilobragg/core/error.hpp"
#include "kilobragg/report/still_picture.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

using namespace kilobragg;

namespace {

models::Detector one_panel() {
  models::Detector detector;
  models::Panel panel;
  panel.frame = {{1, 0, 0}, {0, -1, 0}, {-5, 5, -100}};
  panel.image_size = {100, 100};
  detector.panels = {panel};
  return detector;
}

models::Image one_bright_pixel(int x, int y) {
  models::Image image;
  std::vector<std::int32_t> pixels(10000, 10);
  pixels[static_cast<std::size_t>(y * 100 + x)] = 5000;
  image.pixels = pixels;
  models::ImageLayout layout;
  layout.panels = {{0, 100, 100, 100}};
  layout.size = 10000;
  image.layout = std::make_shared<models::ImageLayout>(layout);
  return image;
}

std::array<int, 3> pixel(const io::Picture& p, int x, int y) {
  const std::size_t at = 3 * static_cast<std::size_t>(y * p.width + x);
  return {p.rgb[at], p.rgb[at + 1], p.rgb[at + 2]};
}

TEST(StillPicture, BrightPixelIsBlackWhereItLies) {
  const auto picture =
      report::draw_still(one_bright_pixel(20, 70), one_panel(), {}, {}, {.width = 100, .view = {}});
  EXPECT_EQ(picture.width, 100);
  EXPECT_EQ(picture.height, 100);
  EXPECT_EQ(pixel(picture, 20, 70), (std::array<int, 3>{0, 0, 0}));
  EXPECT_GT(pixel(picture, 70, 20)[0], 200);
}

TEST(StillPicture, MarksAreDrawnOver) {
  const auto picture =
      report::draw_still(one_bright_pixel(20, 70), one_panel(), {{0, {50.5, 50.5}}},
                         {{0, {20.5, 30.5}}}, {.width = 100, .view = {}});
  int blue = 0, red = 0;
  for (std::size_t i = 0; i < picture.rgb.size(); i += 3) {
    blue += picture.rgb[i + 2] > 200 && picture.rgb[i] < 100;
    red += picture.rgb[i] > 200 && picture.rgb[i + 2] < 100;
  }
  EXPECT_GT(blue, 12);
  EXPECT_GT(red, 12);
}

TEST(StillPicture, WritesAPngAndRefusesWhatItCannotDraw) {
  const auto path = std::filesystem::temp_directory_path() / "kilobragg_still_picture.png";
  const auto picture =
      report::draw_still(one_bright_pixel(1, 1), one_panel(), {}, {}, {.width = 50, .view = {}});
  io::write_png(picture, path.string());
  std::array<char, 4> head{};
  std::ifstream(path, std::ios::binary).read(head.data(), 4);
  EXPECT_EQ((std::string(head.data() + 1, 3)), "PNG");
  std::filesystem::remove(path);
  EXPECT_THROW(io::write_png(picture, "/no/such/folder/x.png"), core::Error);
  models::Detector two = one_panel();
  two.panels.push_back(two.panels[0]);
  EXPECT_THROW(report::draw_still(one_bright_pixel(1, 1), two, {}, {}, {}), core::Error);
}

} // namespace
