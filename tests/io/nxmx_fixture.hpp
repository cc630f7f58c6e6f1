// Small NXmx files of any shape for the tests of the readers, written field by field.
#pragma once

#include "src/io/hdf5_write.hpp"

#include "kernels/geometry/vec3.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace kilobragg::io::fixture {

/// A folder of its own, removed afterwards.
class Folder {
public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "kilobragg_io_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

private:
  std::filesystem::path path_;
};

/// The bytes of a file, and back: for truncated and damaged copies.
inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// One axis of a chain.
struct Axis {
  std::string depends_on, type;
  double value = 0;
  std::string units;
  Vec3 vector{0, 0, 1}, offset;
  std::string offset_units = "mm";
};

/// An open NXmx file with entry, instrument, beam and detector groups.
class NxmxFile {
public:
  explicit NxmxFile(const std::string& path)
      : file_(hdf5::create_file(path)) {
    hdf5::make_group(id(), "/entry", "NXentry");
    hdf5::write_text(id(), "/entry/definition", "NXmx");
    hdf5::make_group(id(), "/entry/data", "NXdata");
    hdf5::make_group(id(), "/entry/instrument", "NXinstrument");
    hdf5::make_group(id(), "/entry/instrument/beam", "NXbeam");
    hdf5::make_group(id(), detector, "NXdetector");
    hdf5::make_group(id(), transformations, "NXtransformations");
  }
  hid_t id() const { return file_.get(); }
  void close() { file_.reset(); }

  static constexpr const char* detector = "/entry/instrument/detector";
  static constexpr const char* transformations = "/entry/instrument/detector/transformations";
  static std::string in_detector(const std::string& name) {
    return std::string(detector) + "/" + name;
  }
  static std::string in_transformations(const std::string& name) {
    return std::string(transformations) + "/" + name;
  }

  /// Frames of T with value `first` + position; chunked by `chunk` if given.
  template <typename T>
  void frames(const std::string& path, hid_t type, const std::vector<hsize_t>& shape,
              const std::vector<hsize_t>& chunk = {}, bool deflate = false, T first = 0) {
    std::vector<T> values(std::accumulate(shape.begin(), shape.end(), hsize_t{1},
                                          [](hsize_t a, hsize_t b) { return a * b; }));
    std::iota(values.begin(), values.end(), first);
    const hdf5::Handle space(
        H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr));
    const hdf5::Handle plist(H5Pcreate(H5P_DATASET_CREATE));
    if (!chunk.empty()) H5Pset_chunk(plist.get(), static_cast<int>(chunk.size()), chunk.data());
    if (deflate) H5Pset_deflate(plist.get(), 1);
    const hdf5::Handle data(
        H5Dcreate2(id(), path.c_str(), type, space.get(), H5P_DEFAULT, plist.get(), H5P_DEFAULT));
    H5Dwrite(data.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  }

  void wavelength(double value = 1.0) {
    hdf5::write_number(id(), "/entry/instrument/beam/incident_wavelength", value);
    hdf5::set_attribute(id(), "/entry/instrument/beam/incident_wavelength", "units", "angstrom");
  }
  void number(const std::string& path, double value, const std::string& units = {}) {
    hdf5::write_number(id(), path, value);
    if (!units.empty()) hdf5::set_attribute(id(), path, "units", units);
  }
  void axis(const std::string& path, const Axis& a) {
    hdf5::write_number(id(), path, a.value);
    if (!a.type.empty()) hdf5::set_attribute(id(), path, "transformation_type", a.type);
    if (!a.units.empty()) hdf5::set_attribute(id(), path, "units", a.units);
    hdf5::set_attribute(id(), path, "vector", std::array{a.vector.x, a.vector.y, a.vector.z});
    if (!a.depends_on.empty()) hdf5::set_attribute(id(), path, "depends_on", a.depends_on);
    if (norm2(a.offset) == 0) return;
    hdf5::set_attribute(id(), path, "offset", std::array{a.offset.x, a.offset.y, a.offset.z});
    if (!a.offset_units.empty()) hdf5::set_attribute(id(), path, "offset_units", a.offset_units);
  }
  /// A module with its pixel directions.
  void module(const std::string& name, const std::vector<std::int64_t>& origin,
              const std::vector<std::int64_t>& size, const Axis& fast, const Axis& slow) {
    const std::string path = in_detector(name);
    hdf5::make_group(id(), path, "NXdetector_module");
    hdf5::write_integers(id(), path + "/data_origin", origin);
    hdf5::write_integers(id(), path + "/data_size", size);
    axis(path + "/fast_pixel_direction", fast);
    axis(path + "/slow_pixel_direction", slow);
  }
  /// The simplest whole detector: one module 100 mm downstream, its corner at (-x, y) NeXus.
  void simple_detector(std::int64_t rows, std::int64_t columns, const Vec3& corner = {5, 4, 100}) {
    module("module", {0, 0}, {rows, columns},
           {".", "translation", 0.1, "mm", {-1, 0, 0}, corner, "mm"},
           {".", "translation", 0.1, "mm", {0, -1, 0}, corner, "mm"});
  }

private:
  hdf5::Handle file_;
};

} // namespace kilobragg::io::fixture
