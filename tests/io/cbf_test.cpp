// CBF images: miniCBF written by hand, multi-panel imgCIF written by libcbf.
#include "nxmx_fixture.hpp"
#include "src/io/byte_offset.hpp"
#include "support/cbf_files.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/sensor_material.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace kilobragg::io {
namespace {

using fixture::Folder;
using testing::add_table;
using testing::byte_offset;

std::vector<std::int32_t> steps_of_all_sizes(std::size_t count) {
  std::mt19937 random(4);
  std::vector<std::int32_t> pixels(count);
  for (auto& p : pixels) p = static_cast<std::int32_t>(random() >> (random() % 32));
  pixels[0] = std::numeric_limits<std::int32_t>::max();
  pixels[1] = std::numeric_limits<std::int32_t>::min();
  pixels[2] = -1, pixels[3] = 126, pixels[4] = -2;
  return pixels;
}

std::string mini_cbf(const std::vector<std::int32_t>& pixels) {
  return testing::mini_cbf("# Detector: PILATUS 6M, S/N 60-0101\r\n# 2018-01-01T00:00:00.000\r\n"
                           "# Pixel_size 172e-6 m x 173e-6 m\r\n"
                           "# Silicon sensor, thickness 0.000320 m\r\n"
                           "# Count_cutoff 1048500 counts\r\n# Wavelength 0.97950 A\r\n"
                           "# Detector_distance 0.19030 m\r\n# Beam_xy (12.50, 8.25) pixels\r\n",
                           30, 20, pixels);
}

TEST(ByteOffset, DecodesStepsOfAllSizesAndNeverReadsBeyond) {
  const auto pixels = steps_of_all_sizes(600);
  const std::string bytes = byte_offset(pixels);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::unique_ptr<std::byte[]> copy(new std::byte[size + 1]);
    std::memcpy(copy.get(), bytes.data(), size);
    std::vector<std::int32_t> out(pixels.size());
    if (size < bytes.size()) {
      EXPECT_THROW(decode_byte_offset({copy.get(), size}, out), core::Error) << size;
    } else {
      decode_byte_offset({copy.get(), size}, out);
      EXPECT_EQ(out, pixels);
    }
  }
}

TEST(MiniCbf, GeometryAndPixels) {
  const Folder folder;
  const auto pixels = steps_of_all_sizes(600);
  fixture::spill(folder / "a.cbf", mini_cbf(pixels));
  const auto reader = open_images(folder / "a.cbf");
  EXPECT_EQ(reader->frame_count(), 1);
  const models::Image image = reader->read(0);
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(image.pixels), pixels);
  EXPECT_EQ(reader->beam(0).wavelength, 0.9795);
  const models::Panel panel = reader->detector()->panels.at(0);
  EXPECT_EQ(panel.image_size, (std::array<int, 2>{30, 20}));
  EXPECT_NEAR(panel.pixel_size[1], 0.173, 1e-12);
  EXPECT_NEAR(panel.frame.origin.x, -12.5 * 0.172, 1e-12);
  EXPECT_NEAR(panel.frame.origin.y, 8.25 * 0.173, 1e-12);
  EXPECT_NEAR(panel.frame.origin.z, -190.3, 1e-12);
  EXPECT_EQ(panel.frame.slow, (Vec3{0, -1, 0}));
  EXPECT_EQ(panel.trusted_range, (std::array<double, 2>{0, 1048500}));
  ASSERT_TRUE(panel.parallax.has_value());
  EXPECT_NEAR(panel.parallax->thickness, 0.32, 1e-12);
  EXPECT_EQ(panel.parallax->mu, *attenuation_per_mm("Si", 0.9795));
  EXPECT_EQ(reader->source(0).frame, 0);
}

TEST(MiniCbf, TruncatedFilesAreErrors) {
  const Folder folder;
  const std::string whole = mini_cbf(steps_of_all_sizes(600));
  const std::size_t needed = whole.find("\x0c\x1a\x04\xd5") + 4;
  for (std::size_t size = 100; size < whole.size() - 120; size += 13) {
    fixture::spill(folder / "cut.cbf", whole.substr(0, size));
    try {
      open_images(folder / "cut.cbf")->read(0);
      ADD_FAILURE() << "cut at " << size << " (pixels begin at " << needed << ")";
    } catch (const core::Error& error) {
      EXPECT_NE(std::string(error.what()).find("cut.cbf"), std::string::npos) << error.what();
    }
  }
}

TEST(MiniCbf, WithoutGeometryOnlyThatFails) {
  const Folder folder;
  std::string text = mini_cbf(std::vector<std::int32_t>(600, 5));
  text.replace(text.find("# Detector_distance"), 19, "# Detector_nothing_");
  fixture::spill(folder / "a.cbf", text);
  const auto reader = open_images(folder / "a.cbf");
  EXPECT_EQ(reader->read(0).value(99), 5);
  EXPECT_THROW(reader->detector(), core::Error);
}

// ---- full imgCIF ----

/// Two arrays (quadrants) of two stacked sensors with two sections each: eight panels of 10 x 8, as
/// CSPAD images are laid out. Positions and turns differ by panel.
void write_cspad_like(const std::string& path, bool real) {
  cbf_handle cbf = nullptr;
  ASSERT_EQ(cbf_make_handle(&cbf), 0);
  ASSERT_EQ(cbf_new_datablock(cbf, "image"), 0);
  add_table(cbf, "diffrn_radiation_wavelength", {"id wavelength wt", "W 1.45 1.0"});
  std::vector<std::string> axes{"id type equipment depends_on vector[1] vector[2] vector[3] "
                                "offset[1] offset[2] offset[3] equipment_component",
                                "SOURCE general source . 0 0 1 . . . .",
                                "D_Z translation detector . 0 0 1 . . . arm",
                                "D_X translation detector D_Z 1 0 0 . . . arm"};
  std::vector<std::string> settings{"axis_id frame_id angle displacement", "D_Z F1 0 -110",
                                    "D_X F1 0 0.5"};
  std::vector<std::string> list{"array_id array_section_id index dimension precedence axis_set_id"};
  std::vector<std::string> sections{"array_id id index start end"};
  std::vector<std::string> pixel_axes{"axis_set_id axis_id displacement displacement_increment"};
  std::vector<std::string> intensities{"array_id binary_id gain overload undefined_value"};
  for (const std::string q : {"0", "1"}) {
    axes.push_back("Q" + q + " rotation detector D_X 0 0 1 " + (q == "0" ? "1 2" : "-3 4") +
                   " 0 quad");
    settings.push_back("Q" + q + " F1 " + (q == "0" ? "90" : "0") + " 0");
    list.push_back("A" + q + " . 1 20 1 .");
    intensities.push_back("A" + q + " 1 2.5 5000 -11");
    for (const std::string s : {"0", "1"})
      for (const std::string a : {"0", "1"}) {
        const std::string n = q + s + a;
        axes.push_back("P" + n + "_S translation detector Q" + q + " 0 -1 0 " +
                       (a == "0" ? "0" : "1.2") + " " + (s == "0" ? "0" : "-1") + " 0 asic");
        axes.push_back("P" + n + "_F translation detector P" + n + "_S 1 0 0 0 0 0 asic");
        list.push_back("A" + q + " P" + n + " 1 10 1 P" + n + "_F");
        list.push_back("A" + q + " P" + n + " 2 8 2 P" + n + "_S");
        sections.push_back("A" + q + " P" + n + " 1 " + (a == "0" ? "1 10" : "11 20"));
        sections.push_back("A" + q + " P" + n + " 2 1 8");
        sections.push_back("A" + q + " P" + n + " 3 " + (s == "0" ? "1 1" : "2 2"));
        pixel_axes.push_back("P" + n + "_F P" + n + "_F 0 0.11");
        pixel_axes.push_back("P" + n + "_S P" + n + "_S 0 0.11");
      }
  }
  add_table(cbf, "axis", axes);
  add_table(cbf, "diffrn_scan_frame_axis", settings);
  add_table(cbf, "array_structure_list", list);
  add_table(cbf, "array_structure_list_section", sections);
  add_table(cbf, "array_structure_list_axis", pixel_axes);
  add_table(cbf, "array_intensities", intensities);
  add_table(cbf, "array_data", {"array_id binary_id data"});
  for (int q = 0; q < 2; ++q) {
    std::vector<std::int32_t> values(320);
    std::iota(values.begin(), values.end(), 1000 * q);
    std::vector<double> reals(values.begin(), values.end());
    ASSERT_EQ(cbf_new_row(cbf), 0);
    ASSERT_EQ(cbf_find_column(cbf, "array_id"), 0);
    ASSERT_EQ(cbf_set_value(cbf, q == 0 ? "A0" : "A1"), 0);
    ASSERT_EQ(cbf_find_column(cbf, "data"), 0);
    if (real)
      ASSERT_EQ(cbf_set_realarray_wdims(cbf, CBF_NONE, q + 1, reals.data(), 8, 320, "little_endian",
                                        20, 8, 2, 0),
                0);
    else
      ASSERT_EQ(cbf_set_integerarray_wdims(cbf, CBF_PACKED, q + 1, values.data(), 4, 1, 320,
                                           "little_endian", 20, 8, 2, 0),
                0);
  }
  FILE* file = std::fopen(path.c_str(), "w+b");
  ASSERT_EQ(cbf_write_widefile(cbf, file, 1, CBF, MIME_HEADERS, 0), 0);
  cbf_free_handle(cbf);
}

class ImgCif : public ::testing::TestWithParam<bool> {};

TEST_P(ImgCif, PanelsOfSeveralArraysAndSections) {
  const Folder folder;
  write_cspad_like(folder / "cspad.cbf", GetParam());
  const auto reader = open_images(folder / "cspad.cbf");
  const auto& panels = reader->detector()->panels;
  ASSERT_EQ(panels.size(), 8u);
  EXPECT_EQ(panels[3].name, "P011");
  // Panel P011: (1.2, -1, 0) in a quadrant turned by 90 degrees at (1, 2, 0), all moved by
  // (0.5, 0, -110).
  EXPECT_NEAR(panels[3].frame.origin.x, 1 + 1 + 0.5, 1e-12);
  EXPECT_NEAR(panels[3].frame.origin.y, 1.2 + 2, 1e-12);
  EXPECT_NEAR(panels[3].frame.origin.z, -110, 1e-12);
  EXPECT_NEAR(panels[3].frame.fast.y, 1, 1e-12);
  EXPECT_NEAR(panels[3].frame.slow.x, 1, 1e-12);
  EXPECT_NEAR(panels[4].frame.origin.x, -3 + 0.5, 1e-12);
  EXPECT_NEAR(panels[4].frame.slow.y, -1, 1e-12);
  EXPECT_EQ(panels[4].pixel_size, (std::array<double, 2>{0.11, 0.11}));
  EXPECT_EQ(panels[4].image_size, (std::array<int, 2>{10, 8}));
  EXPECT_EQ(panels[4].trusted_range, (std::array<double, 2>{-10, 5000}));
  EXPECT_EQ(panels[4].gain, 2.5);
  EXPECT_EQ(reader->beam(0).wavelength, 1.45);
  EXPECT_EQ(reader->beam(0).direction, (Vec3{0, 0, 1}));
  const models::Image image = reader->read(0);
  EXPECT_EQ(std::holds_alternative<std::vector<float>>(image.pixels), GetParam());
  // Sensor 1, section 1 of quadrant 1: rows of 20 pixels, 8 to a sensor.
  const models::PanelWindow window = image.layout->panels[7];
  EXPECT_EQ(window.offset, 320u + 160 + 10);
  EXPECT_EQ(window.stride, 20u);
  EXPECT_EQ(image.value(window.offset + 2 * window.stride + 3), 1000 + 160 + 10 + 43);
}

INSTANTIATE_TEST_SUITE_P(IntegersAndReals, ImgCif, ::testing::Bool());

TEST(ImgCifErrors, TruncatedFilesAreErrors) {
  const Folder folder;
  write_cspad_like(folder / "cspad.cbf", false);
  const std::string whole = fixture::slurp(folder / "cspad.cbf");
  int refused = 0, tried = 0;
  for (std::size_t size = 200; size + 400 < whole.size(); size += 211) {
    fixture::spill(folder / "cut.cbf", whole.substr(0, size));
    ++tried;
    try {
      const auto reader = open_images(folder / "cut.cbf");
      reader->detector();
      reader->read(0);
    } catch (const core::Error&) {
      ++refused;
    }
  }
  EXPECT_EQ(refused, tried);
}

} // namespace
} // namespace kilobragg::io
