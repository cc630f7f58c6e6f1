// The readers on the real images: geometry, wavelengths and pixels as h5py and numpy read them.
#include "support/test_data.hpp"

#include "kilobragg/io/image_reader.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace kilobragg::io {
namespace {

using nlohmann::json;

json expected_numbers() {
  std::ifstream file(std::string(KILOBRAGG_SOURCE_DIR) + "/tests/data/expected/images.json");
  return json::parse(file);
}

void expect_near(const Vec3& got, const json& want, double tolerance, const std::string& what) {
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(got[i], want[static_cast<std::size_t>(i)].get<double>(), tolerance)
        << what << " " << i;
}

class RealImages : public ::testing::TestWithParam<const char*> {
protected:
  void SetUp() override {
    KILOBRAGG_NEEDS_TEST_DATA();
    want_ = expected_numbers().at(GetParam());
    reader_ = open_images((testing::test_data() / "images" / GetParam()).string());
  }
  json want_;
  std::unique_ptr<ImageReader> reader_;
};

TEST_P(RealImages, GeometryIsThatOfTheFile) {
  const models::Detector& detector = *reader_->detector();
  ASSERT_EQ(detector.panels.size(), want_["panels"].size());
  for (std::size_t i = 0; i < detector.panels.size(); ++i) {
    const models::Panel& panel = detector.panels[i];
    const json& want = want_["panels"][i];
    const std::string name = "panel " + std::to_string(i);
    // The generator's rotations are good to about 1e-9; a micrometre would be 1e-3.
    expect_near(panel.frame.origin, want["origin"], 1e-6, name + " origin");
    expect_near(panel.frame.fast, want["fast"], 1e-8, name + " fast");
    expect_near(panel.frame.slow, want["slow"], 1e-8, name + " slow");
    EXPECT_DOUBLE_EQ(panel.pixel_size[0], want["pixel_size"][0].get<double>());
    EXPECT_DOUBLE_EQ(panel.pixel_size[1], want["pixel_size"][1].get<double>());
    EXPECT_EQ(panel.image_size[0], want["image_size"][0].get<int>());
    EXPECT_EQ(panel.image_size[1], want["image_size"][1].get<int>());
    EXPECT_EQ(panel.trusted_range[0], want_["trusted"][0].get<double>());
    EXPECT_EQ(panel.trusted_range[1], want_["trusted"][1].get<double>());
    EXPECT_EQ(panel.material, "Si");
    ASSERT_TRUE(panel.parallax.has_value());
    EXPECT_NEAR(panel.parallax->thickness, want_["thickness_mm"].get<double>(), 1e-9);
  }
}

TEST_P(RealImages, FramesAndWavelengths) {
  ASSERT_EQ(reader_->frame_count(), want_["frames"].get<std::int64_t>());
  for (std::int64_t i = 0; i < reader_->frame_count(); ++i)
    EXPECT_DOUBLE_EQ(reader_->beam(i).wavelength,
                     want_["wavelengths"][static_cast<std::size_t>(i)].get<double>());
}

TEST_P(RealImages, PixelsAreThoseThatHdf5Gives) {
  models::Image image;
  for (const json& want : want_["sums"]) {
    reader_->read_into(want["frame"].get<std::int64_t>(), image);
    std::int64_t sum = 0, weighted = 0;
    ASSERT_TRUE(std::holds_alternative<std::vector<std::int32_t>>(image.pixels));
    const auto& pixels = std::get<std::vector<std::int32_t>>(image.pixels);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      sum += pixels[i];
      weighted += static_cast<std::int64_t>(i % 1009) * pixels[i];
    }
    EXPECT_EQ(sum, want["sum"].get<std::int64_t>());
    EXPECT_EQ(weighted, want["weighted"].get<std::int64_t>());
    std::int64_t masked = 0;
    for (std::size_t i = 0; i < pixels.size(); ++i) masked += image.usable(i) ? 0 : 1;
    EXPECT_EQ(masked, want_["masked"].get<std::int64_t>());
  }
}

TEST_P(RealImages, EveryPanelHasItsWindow) {
  const models::Image image = reader_->read(0);
  const auto& panels = reader_->detector()->panels;
  ASSERT_EQ(image.layout->panels.size(), panels.size());
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const models::PanelWindow& window = image.layout->panels[i];
    EXPECT_EQ(window.width, panels[i].image_size[0]);
    EXPECT_EQ(window.height, panels[i].image_size[1]);
    EXPECT_LE(window.offset + (window.height - 1) * window.stride + window.width,
              image.layout->size);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealImages,
                         ::testing::Values("lysozyme_nanobragg.h5", "rayonix_mfx.h5",
                                           "thaumatin_i24.h5", "thermolysin_cspad.h5"));

// What dxtbx 3.11 (cctbx's tables) gives for the 450 um silicon of this Pilatus at 0.96859 A.
TEST(SensorOfThaumatin, AttenuationIsThatOfDxtbx) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const auto reader = open_images((testing::test_data() / "images" / "thaumatin_i24.h5").string());
  EXPECT_NEAR(reader->detector()->panels[0].mu, 3.8326187041206916, 1e-9);
}

} // namespace
} // namespace kilobragg::io
