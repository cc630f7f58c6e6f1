// NXmx geometry as found in the wild: places of panels, chains of axes, units, fallbacks, masks.
#include "nxmx_fixture.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/sensor_material.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kilobragg::io {
namespace {

using fixture::Axis;
using fixture::Folder;
using fixture::NxmxFile;

void expect_vec(const Vec3& got, const Vec3& want, double tolerance = 1e-9) {
  EXPECT_NEAR(got.x, want.x, tolerance);
  EXPECT_NEAR(got.y, want.y, tolerance);
  EXPECT_NEAR(got.z, want.z, tolerance);
}

std::string message_of(const std::string& path) {
  try {
    open_images(path)->detector();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "";
}

class NxmxGeometry : public ::testing::Test {
protected:
  Folder folder_;
  std::string path_ = folder_ / "run.h5";
};

TEST_F(NxmxGeometry, OffsetOfThePixelDirections) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {3, 20, 30});
  file.wavelength();
  file.simple_detector(20, 30);
  file.close();
  const auto reader = open_images(path_);
  const models::Panel& panel = reader->detector()->panels.at(0);
  expect_vec(panel.frame.origin, {-5, 4, -100});
  expect_vec(panel.frame.fast, {1, 0, 0});
  expect_vec(panel.frame.slow, {0, -1, 0});
  EXPECT_EQ(panel.image_size, (std::array<int, 2>{30, 20}));
  EXPECT_EQ(panel.parallax, std::nullopt);
  EXPECT_EQ(reader->detector()->root.children.size(), 0u);
}

// The chain of NXmx's own documentation: translation in m, rotations in rad and deg, offsets in um.
TEST_F(NxmxGeometry, ChainOfRotationsAndTranslationsInMixedUnits) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  const double tilt = 0.02, turn = 30;
  file.axis(NxmxFile::in_transformations("z"),
            {".", "translation", 0.2, "m", {0, 0, 1}, {0, 0, 0}, ""});
  file.axis(NxmxFile::in_transformations("tilt"),
            {"z", "rotation", tilt, "rad", {1, 0, 0}, {0, 250, 0}, "um"});
  file.axis(NxmxFile::in_transformations("turn"),
            {NxmxFile::in_transformations("tilt"), "rotation", turn, "degrees", {0, 0, 2}, {}});
  file.module(
      "m", {0, 0}, {20, 30},
      {NxmxFile::in_transformations("turn"), "translation", 75, "um", {-1, 0, 0}, {10, 0, 0}, "mm"},
      {NxmxFile::in_transformations("turn"),
       "translation",
       75,
       "microns",
       {0, -1, 0},
       {10, 0, 0},
       "mm"});
  file.close();
  const auto reader = open_images(path_);
  const models::Panel& panel = reader->detector()->panels.at(0);
  const double c = std::cos(turn * 3.14159265358979323846 / 180), s = 0.5, ct = std::cos(tilt),
               st = std::sin(tilt);
  // (10, 0, 0) turned about z, tilted about x, moved by 0.25 mm along y and 200 mm along z.
  expect_vec(panel.frame.origin, {-10 * c, 10 * s * ct + 0.25, -(10 * s * st + 200)});
  expect_vec(panel.frame.fast, {c, -s * ct, s * st});
  expect_vec(panel.frame.slow, {-s, -c * ct, c * st});
  EXPECT_DOUBLE_EQ(panel.pixel_size[0], 0.075);
}

TEST_F(NxmxGeometry, ModuleOffsetInTheChainAndBesideIt) {
  for (const bool in_chain : {true, false}) {
    NxmxFile file(path_);
    file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
    file.wavelength();
    file.axis(NxmxFile::in_transformations("z"), {".", "translation", 150, "mm", {0, 0, 1}, {}});
    const std::string up =
        in_chain ? NxmxFile::in_detector("m/module_offset") : NxmxFile::in_transformations("z");
    file.module("m", {0, 0}, {20, 30}, {up, "translation", 0.1, "mm", {-1, 0, 0}, {}},
                {up, "translation", 0.1, "mm", {0, -1, 0}, {}});
    file.axis(NxmxFile::in_detector("m/module_offset"),
              {NxmxFile::in_transformations("z"), "translation", 5, "mm", {0.6, 0.8, 0}, {}});
    file.close();
    expect_vec(open_images(path_)->detector()->panels.at(0).frame.origin, {-3, 4, -150});
  }
}

// DECTRIS files whose directions depend on "." mean the chain of module_offset.
TEST_F(NxmxGeometry, DirectionsThatDependOnNothing) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.axis(NxmxFile::in_transformations("z"), {".", "translation", 150, "mm", {0, 0, 1}, {}});
  file.module("m", {0, 0}, {20, 30}, {".", "translation", 1e-4, "m", {-1, 0, 0}, {}},
              {".", "translation", 1e-4, "m", {0, -1, 0}, {}});
  file.axis(NxmxFile::in_detector("m/module_offset"),
            {NxmxFile::in_transformations("z"), "translation", 0.005, "m", {0.6, 0.8, 0}, {}});
  file.close();
  expect_vec(open_images(path_)->detector()->panels.at(0).frame.origin, {-3, 4, -150});
}

/// Two modules on one arm each, three-element extents over frames x panels x slow x fast.
void write_two_panels(const std::string& path, bool three_elements, bool stacked) {
  NxmxFile file(path);
  const std::vector<hsize_t> shape =
      stacked ? std::vector<hsize_t>{2, 40, 30} : std::vector<hsize_t>{2, 2, 20, 30};
  file.frames<std::int32_t>("/entry/data/data", H5T_NATIVE_INT32, shape);
  file.wavelength();
  file.axis(NxmxFile::in_transformations("root"), {".", "translation", 80, "mm", {0, 0, 1}, {}});
  for (std::int64_t i = 0; i < 2; ++i) {
    const std::string arm = NxmxFile::in_transformations("arm" + std::to_string(i));
    file.axis(arm, {"root", "rotation", 0, "deg", {0, 0, 1}, {4.0 * double(i), 1, 0}, "mm"});
    std::vector<std::int64_t> origin{i, 0, 0}, size{1, 20, 30};
    if (!three_elements) origin = {stacked ? 20 * i : 0, 0}, size = {20, 30};
    file.module("panel" + std::to_string(i), origin, size,
                {arm, "translation", 0.1, "mm", {-1, 0, 0}, {}},
                {arm, "translation", 0.1, "mm", {0, 1, 0}, {}});
  }
}

TEST_F(NxmxGeometry, SeveralPanelsWithTwoOrThreeElements) {
  for (const auto& [three, stacked] :
       {std::pair(true, false), std::pair(false, false), std::pair(false, true)}) {
    write_two_panels(path_, three, stacked);
    const auto reader = open_images(path_);
    const models::Detector& detector = *reader->detector();
    ASSERT_EQ(detector.panels.size(), 2u);
    expect_vec(detector.panels[0].frame.origin, {0, 1, -80});
    expect_vec(detector.panels[1].frame.origin, {-4, 1, -80});
    const models::Image image = reader->read(1);
    ASSERT_EQ(image.layout->panels.size(), 2u);
    EXPECT_EQ(image.layout->panels[1].offset, 600u);
    EXPECT_EQ(image.layout->panels[1].stride, 30u);
    EXPECT_EQ(image.value(image.layout->panels[1].offset + 2 * 30 + 3), 1200 + 600 + 63);
  }
}

TEST_F(NxmxGeometry, HierarchyFollowsTheChains) {
  write_two_panels(path_, true, false);
  const models::DetectorNode root = open_images(path_)->detector()->root;
  EXPECT_EQ(root.name, NxmxFile::in_transformations("root"));
  expect_vec(root.frame.origin, {0, 0, -80});
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(root.children[1].name, NxmxFile::in_transformations("arm1"));
  expect_vec(root.children[1].frame.origin, {-4, 1, -80});
  ASSERT_EQ(root.children[1].children.size(), 1u);
  EXPECT_EQ(root.children[1].children[0].panel, 1);
}

TEST_F(NxmxGeometry, SizesWithFastBeforeSlow) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.simple_detector(30, 20);
  file.close();
  EXPECT_EQ(open_images(path_)->detector()->panels.at(0).image_size, (std::array<int, 2>{30, 20}));
}

TEST_F(NxmxGeometry, DectrisMasterWithBeamCentreAndDistance) {
  NxmxFile file(path_);
  file.frames<std::uint32_t>("/entry/data/data_000001", H5T_NATIVE_UINT32, {2, 20, 30});
  file.wavelength(0.98);
  file.number(NxmxFile::in_detector("beam_center_x"), 15.5, "pixel");
  file.number(NxmxFile::in_detector("beam_center_y"), 10.25, "pixel");
  file.number(NxmxFile::in_detector("detector_distance"), 0.123, "m");
  file.number(NxmxFile::in_detector("x_pixel_size"), 7.5e-5, "m");
  file.number(NxmxFile::in_detector("y_pixel_size"), 7.5e-5, "m");
  file.number(NxmxFile::in_detector("sensor_thickness"), 4.5e-4, "m");
  file.number(NxmxFile::in_detector("bit_depth_image"), 16);
  hdf5::write_text(file.id(), NxmxFile::in_detector("sensor_material"), "CdTe");
  file.close();
  const models::Panel panel = open_images(path_)->detector()->panels.at(0);
  expect_vec(panel.frame.origin, {-15.5 * 0.075, 10.25 * 0.075, -123});
  expect_vec(panel.frame.slow, {0, -1, 0});
  EXPECT_NEAR(panel.thickness, 0.45, 1e-12);
  ASSERT_TRUE(panel.parallax.has_value());
  EXPECT_EQ(panel.parallax->mu, *attenuation_per_mm("CdTe", 0.98));
  // 65535 and 65534 mark bad and saturated pixels.
  EXPECT_EQ(panel.trusted_range[1], 65533);
}

TEST_F(NxmxGeometry, TrustedRangeIsThatOfTheFile) {
  NxmxFile file(path_);
  file.frames<std::int32_t>("/entry/data/data", H5T_NATIVE_INT32, {1, 20, 30});
  file.wavelength();
  file.simple_detector(20, 30);
  file.number(NxmxFile::in_detector("saturation_value"), 5000);
  file.number(NxmxFile::in_detector("underload_value"), -10);
  file.close();
  EXPECT_EQ(open_images(path_)->detector()->panels.at(0).trusted_range,
            (std::array<double, 2>{-10, 5000}));
}

TEST_F(NxmxGeometry, MaskOfTwoAndThreeDimensionsAndPerFrame) {
  for (const int kind : {2, 3, 4}) {
    write_two_panels(path_, kind != 2, kind == 2);
    {
      const hdf5::Handle file(H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT));
      const std::vector<hsize_t> shape = kind == 2   ? std::vector<hsize_t>{40, 30}
                                         : kind == 3 ? std::vector<hsize_t>{2, 20, 30}
                                                     : std::vector<hsize_t>{2, 2, 20, 30};
      std::vector<double> bits(kind == 4 ? 2400 : 1200, 0);
      bits[17] = 1;
      if (kind == 4) bits[1200 + 42] = 256;
      hdf5::write_numbers(file.get(), NxmxFile::in_detector("pixel_mask"), bits, shape);
    }
    const auto reader = open_images(path_);
    const models::Image first = reader->read(0), second = reader->read(1);
    EXPECT_FALSE(first.usable(17)) << kind;
    EXPECT_TRUE(first.usable(42)) << kind;
    EXPECT_EQ(second.usable(17), kind == 4) << kind;
    EXPECT_EQ(second.usable(42), kind != 4) << kind;
    const auto described = open_described(reader->describe());
    EXPECT_EQ(*described->read(0).mask, *first.mask);
    EXPECT_EQ(*described->read(1).mask, *second.mask);
  }
}

TEST_F(NxmxGeometry, SeveralMasksAddUp) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.simple_detector(20, 30);
  std::vector<double> a(600, 0), b(600, 0);
  a[3] = 1, b[5] = 2;
  hdf5::write_numbers(file.id(), NxmxFile::in_detector("pixel_mask"), a, {20, 30});
  hdf5::write_numbers(file.id(), NxmxFile::in_detector("pixel_mask_2"), b, {20, 30});
  file.close();
  const models::Image image = open_images(path_)->read(0);
  EXPECT_FALSE(image.usable(3));
  EXPECT_FALSE(image.usable(5));
  EXPECT_TRUE(image.usable(4));
}

// ---- what can be wrong ----

TEST_F(NxmxGeometry, MissingGeometryIsSaidWhenItIsAskedFor) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.close();
  const auto reader = open_images(path_);
  EXPECT_EQ(reader->read(0).value(7), 7);
  const auto described = open_described(reader->describe());
  EXPECT_EQ(described->read(0).value(7), 7);
  EXPECT_THROW(described->detector(), core::Error);
  EXPECT_NE(message_of(path_).find("has no geometry (neither modules with pixel directions nor "
                                   "beam_center_x"),
            std::string::npos)
      << message_of(path_);
}

TEST_F(NxmxGeometry, AChainToNowhereNamesTheMissingAxis) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.module("m", {0, 0}, {20, 30},
              {NxmxFile::in_transformations("AXIS_RAIL"), "translation", 0.1, "mm", {-1, 0, 0}, {}},
              {".", "translation", 0.1, "mm", {0, -1, 0}, {}});
  file.close();
  EXPECT_NE(message_of(path_).find("AXIS_RAIL, which is not there"), std::string::npos)
      << message_of(path_);
}

TEST_F(NxmxGeometry, ACircleOfAxesIsAnError) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.axis(NxmxFile::in_transformations("a"), {"b", "rotation", 1, "deg", {0, 0, 1}, {}});
  file.axis(NxmxFile::in_transformations("b"), {"a", "rotation", 1, "deg", {0, 0, 1}, {}});
  file.module("m", {0, 0}, {20, 30},
              {NxmxFile::in_transformations("a"), "translation", 0.1, "mm", {-1, 0, 0}, {}},
              {".", "translation", 0.1, "mm", {0, -1, 0}, {}});
  file.close();
  EXPECT_NE(message_of(path_).find("in a circle"), std::string::npos) << message_of(path_);
}

TEST_F(NxmxGeometry, UnknownUnitsAreRefused) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.module("m", {0, 0}, {20, 30}, {".", "translation", 0.1, "furlong", {-1, 0, 0}, {}},
              {".", "translation", 0.1, "mm", {0, -1, 0}, {}});
  file.close();
  EXPECT_NE(message_of(path_).find("unknown units (furlong)"), std::string::npos)
      << message_of(path_);
}

TEST_F(NxmxGeometry, ModulesOutsideTheFrame) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.simple_detector(50, 60);
  file.close();
  EXPECT_NE(message_of(path_).find("does not lie within the frames"), std::string::npos)
      << message_of(path_);
}

TEST_F(NxmxGeometry, MaskOfTheWrongShape) {
  NxmxFile file(path_);
  file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {1, 20, 30});
  file.wavelength();
  file.simple_detector(20, 30);
  hdf5::write_numbers(file.id(), NxmxFile::in_detector("pixel_mask"), std::vector<double>(400),
                      {20, 20});
  file.close();
  const std::string message = message_of(path_);
  EXPECT_NE(message.find("pixel_mask has the wrong shape (20 x 20, frames have 1 x 20 x 30)"),
            std::string::npos)
      << message;
}

// Numbers of cctbx's tables as dxtbx 3.11 uses them.
TEST(SensorMaterial, AttenuationIsThatOfTheTables) {
  EXPECT_NEAR(*attenuation_per_mm("Si", 0.96859), 3.8326187041206916, 1e-9);
  EXPECT_NEAR(*attenuation_per_mm("Silicon", 0.96859), 3.8326187041206916, 1e-9);
  EXPECT_NEAR(*attenuation_per_mm("CdTe", 0.96859), 44.16920231920577, 1e-7);
  EXPECT_NEAR(*attenuation_per_mm("GaAs", 0.96859), 73.76614680582729, 1e-7);
  EXPECT_EQ(attenuation_per_mm("Unobtainium", 1.0), std::nullopt);
  EXPECT_EQ(attenuation_per_mm("Si", 0), std::nullopt);
}

} // namespace
} // namespace kilobragg::io
