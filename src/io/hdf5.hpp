// HDF5 for this room alone: handles that close themselves, attributes and small values, plain words.
#pragma once

#include "kilobragg/core/error.hpp"

#include <hdf5.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kilobragg::io::hdf5 {

/// An HDF5 identifier that is given back on destruction.
class Handle {
public:
  Handle() = default;
  explicit Handle(hid_t id)
      : id_(id) {}
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { reset(); }
  void reset();
  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

private:
  hid_t id_ = H5I_INVALID_HID;
};

/// Keeps HDF5 from printing its error stack; called by everything that opens or creates.
void quiet();
/// The innermost message of HDF5's error stack of this thread, or "unknown HDF5 error".
std::string last_error();

/// File access without locks, which parallel file systems often lack.
Handle unlocked_access();
/// Opens a file for reading, also while its writer still has it open. Throws core::Error naming `path` and saying why.
Handle open_file(const std::string& path);

/// A file that is opened when it is first asked for.
class LazyFile {
public:
  explicit LazyFile(std::string path)
      : path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  /// Throws core::Error as open_file does.
  hid_t get() {
    if (!file_) file_ = open_file(path_);
    return file_.get();
  }

private:
  std::string path_;
  Handle file_;
};

/// Is there an object at `path`, all links on the way resolved (external ones too)?
bool exists(hid_t location, const std::string& path);
bool is_dataset(hid_t location, const std::string& path);
bool is_group(hid_t location, const std::string& path);

/// Names of the links in a group, sorted.
std::vector<std::string> children(hid_t location, const std::string& path);
/// Children of class `nx_class` (attribute NX_class), sorted by name.
std::vector<std::string> children_of_class(hid_t location, const std::string& path,
                                           const std::string& nx_class);

/// Attribute of the object at `path` as text; none if it is absent or no text.
std::optional<std::string> text_attribute(hid_t location, const std::string& path,
                                          const std::string& name);
/// Attribute as numbers; empty if absent or no numbers.
std::vector<double> number_attribute(hid_t location, const std::string& path,
                                     const std::string& name);

/// A string data set; none if absent or no text.
std::optional<std::string> read_text(hid_t location, const std::string& path);
/// All values of a numeric data set as doubles, none if it is absent. Throws core::Error if it
/// cannot be read or holds no numbers.
std::optional<std::vector<double>> read_numbers(hid_t location, const std::string& path);
/// Its first value.
std::optional<double> read_number(hid_t location, const std::string& path);
/// Extent of a data set.
std::vector<hsize_t> dimensions(hid_t dataset);
/// As the error messages show it: "100 x 4 x 512 x 512".
std::string shape_text(const std::vector<hsize_t>& shape);

/// The group that holds the object at `path`.
std::string parent_path(const std::string& path);

} // namespace kilobragg::io::hdf5
