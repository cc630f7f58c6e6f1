// NXmx beams: wavelengths and spectra, of all frames or each its own.
#include "nxmx_fixture.hpp"
#include "reader_checks.hpp"

#include "kilobragg/io/image_reader.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

namespace kilobragg::io {
namespace {

using fixture::expect_same_metadata;
using fixture::Folder;
using fixture::NxmxFile;

class NxmxBeams : public ::testing::Test {
protected:
  static constexpr const char* beam = "/entry/instrument/beam/";
  Folder folder_;
  std::string path_ = folder_ / "run.h5";
  void with_units(const NxmxFile& file, const std::string& name, const std::vector<double>& values,
                  const std::vector<hsize_t>& shape, const std::string& units) {
    hdf5::write_numbers(file.id(), beam + name, values, shape);
    hdf5::set_attribute(file.id(), beam + name, "units", units);
  }
  std::unique_ptr<NxmxFile> start() {
    auto file = std::make_unique<NxmxFile>(path_);
    file->frames<std::uint16_t>("/entry/data/data", H5T_NATIVE_UINT16, {3, 20, 30});
    file->simple_detector(20, 30);
    return file;
  }
};

TEST_F(NxmxBeams, ScalarInNanometres) {
  with_units(*start(), "incident_wavelength", {0.13}, {}, "nm");
  EXPECT_NEAR(open_images(path_)->beam(2).wavelength, 1.3, 1e-15);
}

TEST_F(NxmxBeams, OnePerFrame) {
  with_units(*start(), "incident_wavelength", {1.30, 1.31, 1.32}, {3}, "angstrom");
  const auto reader = open_images(path_);
  EXPECT_EQ(reader->beam(1).wavelength, 1.31);
  EXPECT_TRUE(reader->beam(1).spectrum.empty());
  EXPECT_EQ(reader->beam(0).direction, (Vec3{0, 0, 1}));
}

/// Shots without a value: their own frames are lost, not the file.
TEST_F(NxmxBeams, FramesWithoutAWavelengthHarmNoOther) {
  const auto file = start();
  with_units(*file, "incident_wavelength", {0, std::nan(""), 1.32}, {3}, "angstrom");
  hdf5::write_text(file->id(), NxmxFile::in_detector("sensor_material"), "Si");
  file->number(NxmxFile::in_detector("sensor_thickness"), 0.45, "mm");
  file->close();
  const auto reader = open_images(path_);
  EXPECT_EQ(reader->beam(0).wavelength, 0);
  EXPECT_EQ(reader->beam(2).wavelength, 1.32);
  const double mu = reader->detector()->panels[0].mu;
  EXPECT_GT(mu, 0);
  const auto described = open_described(reader->describe());
  EXPECT_EQ(described->detector()->panels[0].mu, mu);
  EXPECT_EQ(described->beam(0).wavelength, 0);
  // Not NaN, which would mean that the description has the value.
  EXPECT_EQ(reader->shot(0).wavelength, 0);
  EXPECT_EQ(reader->shot(1).wavelength, 0);
  EXPECT_EQ(reader->shot(2).wavelength, 1.32);
}

TEST_F(NxmxBeams, SpectrumWithOneSetOfWeights) {
  const auto file = start();
  with_units(*file, "incident_wavelength", {1.0, 1.1}, {2}, "angstrom");
  hdf5::write_numbers(file->id(), std::string(beam) + "incident_wavelength_weights",
                      std::vector<double>{3, 1}, {2});
  file->close();
  const auto reader = open_images(path_);
  EXPECT_NEAR(reader->beam(2).wavelength, 1.025, 1e-12);
  EXPECT_EQ(reader->beam(2).spectrum.weights, (std::vector<double>{3, 1}));
  expect_same_metadata(*reader, *open_described(reader->describe()));
}

TEST_F(NxmxBeams, SpectrumWithWeightsPerFrame) {
  const auto file = start();
  with_units(*file, "incident_wavelength", {1.0, 1.1}, {2}, "angstrom");
  hdf5::write_numbers(file->id(), std::string(beam) + "incident_wavelength_weights",
                      std::vector<double>{1, 0, 0, 1, 1, 1}, {3, 2});
  file->close();
  const auto reader = open_images(path_);
  EXPECT_NEAR(reader->beam(0).wavelength, 1.0, 1e-12);
  EXPECT_NEAR(reader->beam(1).wavelength, 1.1, 1e-12);
  EXPECT_NEAR(reader->beam(2).wavelength, 1.05, 1e-12);
  expect_same_metadata(*reader, *open_described(reader->describe()));
}

TEST_F(NxmxBeams, CalibratedWavelengthWithASpectrumAsVariant) {
  const auto file = start();
  with_units(*file, "incident_wavelength", {1.30, 1.31, 1.32}, {3}, "angstrom");
  hdf5::set_attribute(file->id(), std::string(beam) + "incident_wavelength", "variant",
                      "incident_wavelength_1Dspectrum");
  with_units(*file, "incident_wavelength_1Dspectrum", {1.2e-10, 1.3e-10, 1.2e-10, 1.4e-10, 1, 2},
             {3, 2}, "m");
  hdf5::write_numbers(file->id(), std::string(beam) + "incident_wavelength_1Dspectrum_weights",
                      std::vector<double>{1, 2, 3, 4, 5, 6}, {3, 2});
  file->close();
  const auto reader = open_images(path_);
  EXPECT_EQ(reader->beam(1).wavelength, 1.31);
  ASSERT_EQ(reader->beam(1).spectrum.wavelengths.size(), 2u);
  EXPECT_NEAR(reader->beam(1).spectrum.wavelengths[1], 1.4, 1e-12);
  EXPECT_EQ(reader->beam(1).spectrum.weights, (std::vector<double>{3, 4}));
  expect_same_metadata(*reader, *open_described(reader->describe()));
}

TEST_F(NxmxBeams, PhotonEnergyWhereThereIsNoWavelength) {
  with_units(*start(), "incident_energy", {12.39841984332}, {}, "keV");
  EXPECT_NEAR(open_images(path_)->beam(0).wavelength, 1.0, 1e-12);
}

TEST_F(NxmxBeams, FewerWavelengthsThanFrames) {
  with_units(*start(), "incident_wavelength", {1.30, 1.31}, {2}, "angstrom");
  EXPECT_SAYS(open_images(path_)->beam(0), "gives 2 wavelengths for 3 frames");
}

TEST_F(NxmxBeams, NoWavelength) {
  start();
  EXPECT_SAYS(open_images(path_)->beam(0), "gives no wavelength");
}

} // namespace
} // namespace kilobragg::io
