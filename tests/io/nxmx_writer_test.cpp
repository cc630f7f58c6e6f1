// What the NXmx writer writes, our reader reads: geometry, pixels, wavelengths, spectra, masks.
#include "nxmx_fixture.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/nxmx_writer.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kilobragg::io {
namespace {

using fixture::Folder;

/// Two panels in general positions, one turned by almost 180 degrees.
models::Detector two_panels() {
  models::Detector detector;
  for (int i = 0; i < 2; ++i) {
    models::Panel panel;
    panel.image_size = {51, 33};
    panel.pixel_size = {0.1, 0.11};
    panel.trusted_range = {-10, 60000};
    panel.thickness = 0.3;
    panel.material = "Si";
    const Mat3 r = rotation_about(unit(Vec3{0.1, 0.2, 0.9 + i}), i == 0 ? 0.01 : 3.1);
    panel.frame = {r.col(0), r.col(1), {-5.0 + 12 * i, 7, -100.0 + i}};
    detector.panels.push_back(panel);
  }
  return detector;
}

template <typename T>
std::vector<T> noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> pixels(size);
  for (T& p : pixels) p = static_cast<T>(random() % 50);
  return pixels;
}

void expect_vec(const Vec3& got, const Vec3& want) {
  EXPECT_NEAR(got.x, want.x, 1e-9);
  EXPECT_NEAR(got.y, want.y, 1e-9);
  EXPECT_NEAR(got.z, want.z, 1e-9);
}

class Writer : public ::testing::TestWithParam<bool> {
protected:
  Folder folder_;
  std::string path_ = folder_ / "out.h5";
};

TEST_P(Writer, RoundTripOfSeveralPanels) {
  NxmxLayout layout;
  layout.detector = two_panels();
  layout.frames = 3;
  layout.spectrum_channels = 4;
  layout.flux = 1e12;
  layout.stacked = GetParam();
  layout.mask.assign(2 * 51 * 33, 1);
  layout.mask[77] = 0;
  NxmxWriter writer(path_, layout);
  std::vector<std::vector<std::int32_t>> frames;
  for (unsigned f = 0; f < 3; ++f) {
    frames.push_back(noise<std::int32_t>(writer.frame_size(), f));
    models::Spectrum spectrum;
    for (int k = 0; k < 4; ++k) {
      spectrum.wavelengths.push_back(1.3 + 0.001 * k + 0.01 * f);
      spectrum.weights.push_back(k + 1 + f);
    }
    writer.write_frame(f, frames.back(), 1.3 + 0.01 * f, spectrum);
  }
  writer.close();
  const auto reader = open_images(path_);
  ASSERT_EQ(reader->frame_count(), 3);
  const auto& panels = reader->detector()->panels;
  ASSERT_EQ(panels.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const models::Panel& want = layout.detector.panels[i];
    expect_vec(panels[i].frame.origin, want.frame.origin);
    expect_vec(panels[i].frame.fast, want.frame.fast);
    expect_vec(panels[i].frame.slow, want.frame.slow);
    EXPECT_EQ(panels[i].pixel_size, want.pixel_size);
    EXPECT_EQ(panels[i].image_size, want.image_size);
    EXPECT_EQ(panels[i].trusted_range, want.trusted_range);
    EXPECT_EQ(panels[i].thickness, want.thickness);
  }
  for (std::int64_t f = 0; f < 3; ++f) {
    const models::Image image = reader->read(f);
    EXPECT_EQ(std::get<std::vector<std::int32_t>>(image.pixels), frames[std::size_t(f)]);
    EXPECT_FALSE(image.usable(77));
    EXPECT_TRUE(image.usable(78));
    EXPECT_EQ(image.layout->panels[1].offset, 51u * 33u);
    const models::Beam beam = reader->beam(f);
    EXPECT_EQ(beam.wavelength, 1.3 + 0.01 * double(f));
    EXPECT_EQ(beam.flux, 1e12);
    ASSERT_EQ(beam.spectrum.weights.size(), 4u);
    EXPECT_EQ(beam.spectrum.weights[3], 4.0 + double(f));
    EXPECT_EQ(beam.spectrum.wavelengths[3], 1.3 + 0.001 * 3 + 0.01 * double(f));
  }
}

INSTANTIATE_TEST_SUITE_P(PanelsApartOrStacked, Writer, ::testing::Bool());

TEST_F(Writer, OnePanelOfShortPixels) {
  NxmxLayout layout;
  layout.detector = two_panels();
  layout.detector.panels.pop_back();
  layout.detector.panels[0].trusted_range = {0, 60000};
  layout.frames = 2;
  layout.pixel = NxmxLayout::Pixel::u16;
  NxmxWriter writer(path_, layout);
  const auto pixels = noise<std::uint16_t>(writer.frame_size(), 9);
  writer.write_frame(1, pixels, 1.2);
  writer.write_frame(0, pixels, 1.1);
  writer.close();
  const auto reader = open_images(path_);
  EXPECT_EQ(std::get<std::vector<std::uint16_t>>(reader->read(1).pixels), pixels);
  EXPECT_EQ(reader->beam(1).wavelength, 1.2);
  EXPECT_EQ(reader->layout()->panels.size(), 1u);
}

TEST_F(Writer, RefusesWhatDoesNotFit) {
  NxmxLayout layout;
  layout.detector = two_panels();
  layout.frames = 2;
  NxmxWriter writer(path_, layout);
  const auto pixels = noise<std::int32_t>(writer.frame_size(), 1);
  EXPECT_THROW(writer.write_frame(2, pixels, 1.0), core::Error);
  EXPECT_THROW(writer.write_frame(0, std::span(pixels).first(10), 1.0), core::Error);
  EXPECT_THROW(writer.write_frame(0, std::vector<std::uint16_t>(pixels.size()), 1.0), core::Error);
  EXPECT_THROW(writer.write_frame(0, pixels, 1.0, {{1.0}, {1.0}}), core::Error);
  writer.close();
  EXPECT_THROW(writer.write_frame(0, pixels, 1.0), core::Error);
  layout.detector.panels[1].image_size = {10, 10};
  EXPECT_THROW(NxmxWriter(path_, layout), core::Error);
  EXPECT_THROW(NxmxWriter(folder_ / "no/such/folder.h5", NxmxLayout()), core::Error);
}

} // namespace
} // namespace kilobragg::io
