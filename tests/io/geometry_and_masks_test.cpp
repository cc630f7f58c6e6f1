// Reference geometry and users' masks, fitting and not fitting.
#include "nxmx_fixture.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/lookup_mask.hpp"
#include "kilobragg/io/reference_geometry.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kilobragg::io {
namespace {

using fixture::Folder;
using fixture::NxmxFile;

template <typename Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "";
}

class Geometry : public ::testing::Test {
protected:
  Folder folder_;
  std::string images_ = folder_ / "run.h5", expt_ = folder_ / "reference.expt";

  void write_images(bool geometry) {
    NxmxFile file(images_);
    file.frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {2, 20, 30});
    file.wavelength();
    file.number(NxmxFile::in_detector("saturation_value"), 1234);
    if (geometry) file.simple_detector(20, 30);
  }
  static models::Panel panel(int width, int height, const Vec3& origin) {
    models::Panel p;
    p.name = "p";
    p.image_size = {width, height};
    p.pixel_size = {0.1, 0.1};
    p.frame = {{1, 0, 0}, {0, -1, 0}, origin};
    p.trusted_range = {0, 99};
    return p;
  }
  void write_reference(const std::vector<models::Panel>& panels) {
    auto detector = std::make_shared<models::Detector>();
    detector->panels = panels;
    models::Experiment experiment;
    experiment.detector = detector;
    experiment.identifier = "reference";
    write_experiments({experiment}, expt_);
  }
};

TEST_F(Geometry, FramesComeFromTheReferenceTheRestFromTheImages) {
  write_images(true);
  write_reference({panel(30, 20, {-7, 8, -120})});
  const auto reader = replace_geometry(open_images(images_), read_reference_geometry(expt_));
  const models::Panel got = reader->detector()->panels.at(0);
  EXPECT_EQ(got.frame.origin, (Vec3{-7, 8, -120}));
  EXPECT_EQ(got.trusted_range[1], 1234);
  EXPECT_EQ(reader->read(1).value(3), 603);
}

TEST_F(Geometry, ServesFilesWithoutAny) {
  write_images(false);
  write_reference({panel(30, 20, {-7, 8, -120})});
  const auto reader = replace_geometry(open_images(images_), read_reference_geometry(expt_));
  EXPECT_EQ(reader->detector()->panels.at(0).trusted_range[1], 99);
  EXPECT_EQ(reader->layout()->panels.size(), 1u);
}

TEST_F(Geometry, PanelsInOneImageAreFoundByTheirOffset) {
  write_images(false);
  models::Panel left = panel(10, 20, {0, 0, -50}), right = panel(12, 15, {2, 0, -50});
  right.raw_image_offset = {18, 5};
  write_reference({left, right});
  const auto reader = replace_geometry(open_images(images_), read_reference_geometry(expt_));
  const models::Image image = reader->read(0);
  ASSERT_EQ(image.layout->panels.size(), 2u);
  EXPECT_EQ(image.layout->panels[1].offset, 5u * 30 + 18);
  EXPECT_EQ(image.layout->panels[1].stride, 30u);
  right.raw_image_offset = {19, 5};
  write_reference({left, right});
  EXPECT_NE(message_of([&] {
              replace_geometry(open_images(images_), read_reference_geometry(expt_));
            }).find("does not lie within the images"),
            std::string::npos);
}

TEST_F(Geometry, MismatchesNameBothFiles) {
  write_images(true);
  write_reference({panel(30, 20, {}), panel(30, 20, {})});
  const auto apply = [&] {
    replace_geometry(open_images(images_), read_reference_geometry(expt_));
  };
  std::string said = message_of(apply);
  EXPECT_EQ(said, expt_ + " has 2 panels, the images of " + images_ +
                      " have 1 is it the geometry of another detector?");
  write_reference({panel(31, 20, {})});
  said = message_of(apply);
  EXPECT_NE(said.find("has 31 x 20 pixels"), std::string::npos) << said;
  models::Panel other = panel(30, 20, {});
  other.pixel_size = {0.2, 0.2};
  write_reference({other});
  EXPECT_NE(message_of(apply).find("of 0.2 mm"), std::string::npos) << message_of(apply);
}

class Masks : public Geometry {
protected:
  std::string mask_ = folder_ / "mask.h5";
  models::ImageLayout layout_{{{0, 30, 30, 20}}, 600};
};

TEST_F(Masks, IntegersMeanWhatNexusSays) {
  NxmxFile file(mask_);
  std::vector<double> bits(600, 0);
  bits[11] = 8;
  hdf5::write_numbers(file.id(), "/mine", bits, {20, 30});
  file.frames<std::int32_t>("/mask", H5T_NATIVE_INT32, {20, 30});
  file.close();
  const auto mask = read_lookup_mask(mask_, layout_);
  EXPECT_EQ(mask->at(0), 1);
  EXPECT_EQ(mask->at(1), 0);
}

TEST_F(Masks, BooleansMeanWhatDialsSays) {
  {
    const hdf5::Handle file = hdf5::create_file(mask_);
    const hdf5::Handle type(H5Tenum_create(H5T_NATIVE_INT8));
    const signed char no = 0, yes = 1;
    H5Tenum_insert(type.get(), "FALSE", &no);
    H5Tenum_insert(type.get(), "TRUE", &yes);
    const hsize_t shape[3] = {1, 20, 30};
    const hdf5::Handle space(H5Screate_simple(3, shape, nullptr));
    const hdf5::Handle data(H5Dcreate2(file.get(), "good", type.get(), space.get(), H5P_DEFAULT,
                                       H5P_DEFAULT, H5P_DEFAULT));
    std::vector<signed char> values(600, 1);
    values[5] = 0;
    H5Dwrite(data.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  }
  const auto mask = read_lookup_mask(mask_ + ":/good", layout_);
  EXPECT_EQ(mask->at(5), 0);
  EXPECT_EQ(mask->at(6), 1);
  EXPECT_EQ(*read_lookup_mask(mask_, layout_), *mask) << "the only data set needs no name";
}

TEST_F(Masks, WhatIsWrongIsSaid) {
  NxmxFile file(mask_);
  file.frames<std::int32_t>("/mask", H5T_NATIVE_INT32, {30, 20});
  file.close();
  EXPECT_NE(message_of([&] {
              read_lookup_mask(mask_, layout_);
            }).find("has the wrong shape (30 x 20, images have 600 pixels in rows of 30)"),
            std::string::npos);
  EXPECT_NE(message_of([&] { read_lookup_mask(mask_ + ":/no", layout_); }).find("no data set /no"),
            std::string::npos);
  EXPECT_NE(message_of([&] { read_lookup_mask(folder_ / "absent.h5", layout_); }).find("absent.h5"),
            std::string::npos);
  fixture::spill(folder_ / "mask.pickle", "\x80\x02]q\x01.");
  EXPECT_NE(message_of([&] {
              read_lookup_mask(folder_ / "mask.pickle", layout_);
            }).find("a DIALS pickle holds Python objects"),
            std::string::npos);
}

TEST_F(Masks, NoiseIsANumberForEachPixel) {
  const std::string noise = folder_ / "noise.h5";
  std::vector<double> rms(600, 2.5);
  rms[7] = std::nan("");
  rms[8] = -1;
  {
    NxmxFile file(noise);
    hdf5::write_numbers(file.id(), "/other", std::vector<double>{1, 2}, {2});
    hdf5::write_numbers(file.id(), "/pixel_rms", rms, {20, 30});
  }
  LookupMask mask;
  const std::vector<float> read = read_lookup_noise(noise, mask);
  ASSERT_EQ(read.size(), 600u);
  EXPECT_EQ(read[0], 2.5f);
  EXPECT_EQ(read[7], 0);
  EXPECT_EQ(mask.usable[6], 1);
  EXPECT_EQ(mask.usable[7], 0);
  EXPECT_EQ(mask.usable[8], 0);
  require_fits(mask, layout_);
  LookupMask other{"a mask", "30 x 20", 20, models::PixelMask(600, 1)};
  EXPECT_NE(message_of([&] { read_lookup_noise(noise, other); }).find("20 x 30 but the mask"),
            std::string::npos);
  EXPECT_NE(message_of([&] { require_fits(other, layout_); }).find("wrong shape (30 x 20"),
            std::string::npos);
}

TEST_F(Masks, PackAndComeBack) {
  models::PixelMask mask(100003, 1);
  for (std::size_t i = 0; i < mask.size(); i += 1000) mask[i] = 0;
  const std::string packed = pack_mask(mask);
  EXPECT_LT(packed.size(), mask.size() / 8);
  EXPECT_EQ(unpack_mask(packed), mask);
  for (std::size_t size = 0; size < packed.size(); size += 37)
    EXPECT_THROW(unpack_mask(packed.substr(0, size)), core::Error) << size;
}

TEST_F(Masks, CombineByAnd) {
  const auto a = std::make_shared<models::PixelMask>(models::PixelMask{1, 1, 0, 0});
  const auto b = std::make_shared<models::PixelMask>(models::PixelMask{1, 0, 1, 0});
  EXPECT_EQ(*combine_masks(a, b), (models::PixelMask{1, 0, 0, 0}));
  EXPECT_EQ(combine_masks(nullptr, b), b);
  EXPECT_EQ(combine_masks(a, nullptr), a);
}

} // namespace
} // namespace kilobragg::io
