// A master over several NXmx files reads as one file, wherever the folder is.
#include "nxmx_fixture.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/nxmx_master.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace kilobragg::io {
namespace {

namespace fs = std::filesystem;
using fixture::Folder;

constexpr int frames_of[] = {2, 1, 3};

/// Three files of two panels, stacked or not, under a master.
class Master : public ::testing::TestWithParam<bool> {
protected:
  Master() {
    fs::create_directory(folder_ / "run");
    std::vector<NxmxPart> parts;
    int first = 0;
    for (const int frames : frames_of) {
      const std::string name = fmt::format("part_{}.h5", parts.size());
      NxmxWriter writer(folder_ / "run" + "/" + name, layout(frames));
      for (int f = 0; f < frames; ++f) {
        const models::Beam shot = beam(first + f);
        writer.write_frame(f, pixels(first + f), shot.wavelength, shot.spectrum);
      }
      writer.close();
      parts.push_back({name, frames});
      first += frames;
    }
    write_nxmx_master(folder_ / "run" + "/master.h5", layout(first), parts, beam);
  }

  static NxmxLayout layout(int frames) {
    NxmxLayout layout;
    for (int i = 0; i < 2; ++i) {
      models::Panel panel;
      panel.image_size = {11, 7};
      panel.pixel_size = {0.1, 0.1};
      panel.material = "Si";
      panel.thickness = 0.3;
      panel.frame = {{1, 0, 0}, {0, -1, 0}, {-5.0 + 6 * i, 7, -100}};
      layout.detector.panels.push_back(panel);
    }
    layout.frames = frames;
    layout.spectrum_channels = 3;
    layout.stacked = GetParam();
    layout.mask.assign(2 * 11 * 7, 1);
    layout.mask[100] = 0;
    return layout;
  }
  static models::Beam beam(std::int64_t frame) {
    models::Beam beam;
    for (int k = 0; k < 3; ++k) {
      beam.spectrum.wavelengths.push_back(1.3 + 0.01 * static_cast<double>(frame) + 0.001 * k);
      beam.spectrum.weights.push_back(k + 1);
    }
    beam.wavelength = beam.spectrum.mean_wavelength();
    return beam;
  }
  static std::vector<std::int32_t> pixels(int frame) {
    std::vector<std::int32_t> values(2 * 11 * 7);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = 1000 * frame + static_cast<std::int32_t>(i);
    return values;
  }
  static void expect_whole(const std::string& path) {
    const auto reader = open_images(path);
    ASSERT_EQ(reader->frame_count(), 6);
    ASSERT_EQ(reader->detector()->panels.size(), 2u);
    EXPECT_NEAR(reader->detector()->panels[1].frame.origin.x, 1, 1e-9);
    for (int frame = 0; frame < 6; ++frame) {
      const auto image = reader->read(frame);
      EXPECT_EQ(std::get<std::vector<std::int32_t>>(image.pixels), pixels(frame)) << frame;
      EXPECT_FALSE(image.usable(100));
      EXPECT_TRUE(image.usable(99));
      const models::Beam want = beam(frame), got = reader->beam(frame);
      EXPECT_NEAR(got.wavelength, want.wavelength, 1e-12);
      EXPECT_EQ(got.spectrum.wavelengths, want.spectrum.wavelengths);
      EXPECT_EQ(got.spectrum.weights, want.spectrum.weights);
    }
  }

  Folder folder_;
};

TEST_P(Master, ReadsAsOneFileAlsoAfterAMove) {
  expect_whole(folder_ / "run/master.h5");
  fs::rename(folder_ / "run", folder_ / "elsewhere");
  expect_whole(folder_ / "elsewhere/master.h5");
}

TEST_P(Master, AMissingFileIsAnErrorOfItsFramesAlone) {
  fs::remove(folder_ / "run/part_1.h5");
  const auto reader = open_images(folder_ / "run/master.h5");
  ASSERT_EQ(reader->frame_count(), 6);
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(reader->read(3).pixels), pixels(3));
  EXPECT_THROW(reader->read(2), core::Error);
}

TEST_P(Master, RefusesFilesThatDoNotAddUp) {
  EXPECT_THROW(write_nxmx_master(folder_ / "bad.h5", layout(4), {{"part_0.h5", 2}}, beam),
               core::Error);
}

INSTANTIATE_TEST_SUITE_P(Layouts, Master, ::testing::Values(false, true));

} // namespace
} // namespace kilobragg::io
