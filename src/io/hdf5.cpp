// HDF5 handles, attributes and small values; turns its error stack into one line.
#include "hdf5.hpp"

#include "reading_driver.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace kilobragg::io::hdf5 {
namespace {

/// Text of a scalar (or one-element) string attribute or data set, through `read`.
template <typename Read>
std::optional<std::string> text_of(hid_t type, hid_t space, const Read& read) {
  if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1)
    return std::nullopt;
  const Handle memory(H5Tcopy(H5T_C_S1));
  H5Tset_cset(memory.get(), H5Tget_cset(type));
  if (H5Tis_variable_str(type) > 0) {
    H5Tset_size(memory.get(), H5T_VARIABLE);
    char* text = nullptr;
    if (read(memory.get(), static_cast<void*>(&text)) < 0) return std::nullopt;
    std::string copy = text ? text : "";
    if (text) H5free_memory(text);
    return copy;
  }
  const std::size_t size = H5Tget_size(type);
  H5Tset_size(memory.get(), size + 1);
  std::string text(size + 1, '\0');
  if (read(memory.get(), static_cast<void*>(text.data())) < 0) return std::nullopt;
  text.resize(std::strlen(text.c_str()));
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

bool is_number(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  return kind == H5T_INTEGER || kind == H5T_FLOAT;
}

herr_t collect(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

/// An upward walk begins at the innermost call, the one that knows why.
herr_t innermost(unsigned n, const H5E_error2_t* error, void* text) {
  if (n == 0 && error->desc) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

H5O_type_t kind_of(hid_t location, const std::string& path) {
  if (!exists(location, path)) return H5O_TYPE_UNKNOWN;
#if H5_VERSION_GE(1, 12, 0)
  H5O_info2_t info;
  if (H5Oget_info_by_name3(location, path.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
#else
  H5O_info_t info;
  if (H5Oget_info_by_name2(location, path.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
#endif
    return H5O_TYPE_UNKNOWN;
  return info.type;
}

Handle open_attribute(hid_t location, const std::string& path, const std::string& name) {
  if (!exists(location, path) ||
      H5Aexists_by_name(location, path.c_str(), name.c_str(), H5P_DEFAULT) <= 0)
    return {};
  return Handle(H5Aopen_by_name(location, path.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT));
}

} // namespace

void Handle::reset() {
  if (id_ >= 0) H5Idec_ref(id_);
  id_ = H5I_INVALID_HID;
}

void quiet() {
  // At exit HDF5 closes what could not be closed before, as after a full disk, and crashes doing so.
  // Handles close everything that can be, so it need not.
  static const bool no_atexit = H5dont_atexit() >= 0;
  static_cast<void>(no_atexit);
  // The error stack belongs to the thread, so once per process would not do.
  thread_local const bool done = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  static_cast<void>(done);
}

std::string last_error() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &text);
  return text.empty() ? "unknown HDF5 error" : text;
}

Handle unlocked_access() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS));
#if H5_VERSION_GE(1, 10, 7)
  H5Pset_file_locking(access.get(), false, true);
#endif
  return access;
}

Handle open_file(const std::string& path) {
  quiet();
  const Handle access = reading_access();
  // Looking at the links to data files opens them: not for every link anew.
  constexpr unsigned linked_files_open = 8;
  H5Pset_elink_file_cache_size(access.get(), linked_files_open);
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()));
  if (file) return file;
  const std::string why = last_error();
  errno = 0;
  if (!std::ifstream(path).good())
    core::fail("cannot open {} ({}) is the path right and readable?", path,
               std::strerror(errno ? errno : EIO));
  if (H5Fis_hdf5(path.c_str()) > 0)
    file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access.get()));
  if (!file)
    core::fail("cannot read {} ({}) is the file complete, or still being copied?", path, why);
  return file;
}

bool exists(hid_t location, const std::string& path) {
  if (path.empty()) return false;
  if (path == "/" || path == ".") return true;
  quiet();
  return H5Oexists_by_name(location, path.c_str(), H5P_DEFAULT) > 0;
}

bool is_dataset(hid_t location, const std::string& path) {
  return kind_of(location, path) == H5O_TYPE_DATASET;
}

bool is_group(hid_t location, const std::string& path) {
  return path == "/" || kind_of(location, path) == H5O_TYPE_GROUP;
}

std::vector<std::string> children(hid_t location, const std::string& path) {
  std::vector<std::string> names;
  if (!is_group(location, path)) return names;
  const Handle group(H5Gopen2(location, path.c_str(), H5P_DEFAULT));
  hsize_t at = 0;
  H5Literate(group.get(), H5_INDEX_NAME, H5_ITER_NATIVE, &at, collect, &names);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> children_of_class(hid_t location, const std::string& path,
                                           const std::string& nx_class) {
  std::vector<std::string> found;
  const std::string base = path == "/" ? path : path + "/";
  for (const std::string& name : children(location, path))
    if (text_attribute(location, base + name, "NX_class") == nx_class) found.push_back(base + name);
  return found;
}

std::optional<std::string> text_attribute(hid_t location, const std::string& path,
                                          const std::string& name) {
  const Handle attribute = open_attribute(location, path, name);
  if (!attribute) return std::nullopt;
  const Handle type(H5Aget_type(attribute.get())), space(H5Aget_space(attribute.get()));
  return text_of(type.get(), space.get(),
                 [&](hid_t memory, void* to) { return H5Aread(attribute.get(), memory, to); });
}

std::vector<double> number_attribute(hid_t location, const std::string& path,
                                     const std::string& name) {
  const Handle attribute = open_attribute(location, path, name);
  if (!attribute) return {};
  const Handle type(H5Aget_type(attribute.get())), space(H5Aget_space(attribute.get()));
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (!is_number(type.get()) || count <= 0) return {};
  std::vector<double> values(static_cast<std::size_t>(count));
  if (H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, values.data()) < 0) return {};
  return values;
}

std::optional<std::string> read_text(hid_t location, const std::string& path) {
  if (!is_dataset(location, path)) return std::nullopt;
  const Handle dataset(H5Dopen2(location, path.c_str(), H5P_DEFAULT));
  const Handle type(H5Dget_type(dataset.get())), space(H5Dget_space(dataset.get()));
  return text_of(type.get(), space.get(), [&](hid_t memory, void* to) {
    return H5Dread(dataset.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
  });
}

std::optional<std::vector<double>> read_numbers(hid_t location, const std::string& path) {
  if (!is_dataset(location, path)) return std::nullopt;
  const Handle dataset(H5Dopen2(location, path.c_str(), H5P_DEFAULT));
  const Handle type(H5Dget_type(dataset.get())), space(H5Dget_space(dataset.get()));
  core::require(is_number(type.get()), "{} holds no numbers", path);
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  std::vector<double> values(static_cast<std::size_t>(std::max<hssize_t>(count, 0)));
  if (!values.empty() &&
      H5Dread(dataset.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    core::fail("{} cannot be read ({})", path, last_error());
  return values;
}

std::optional<double> read_number(hid_t location, const std::string& path) {
  const auto values = read_numbers(location, path);
  if (!values || values->empty()) return std::nullopt;
  return values->front();
}

std::vector<hsize_t> dimensions(hid_t dataset) {
  const Handle space(H5Dget_space(dataset));
  const int rank = H5Sget_simple_extent_ndims(space.get());
  std::vector<hsize_t> shape(static_cast<std::size_t>(std::max(rank, 0)));
  if (rank > 0) H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr);
  return shape;
}

std::string shape_text(const std::vector<hsize_t>& shape) {
  std::string text;
  for (const hsize_t n : shape) text += (text.empty() ? "" : " x ") + std::to_string(n);
  return text.empty() ? "scalar" : text;
}

std::string parent_path(const std::string& path) {
  const std::size_t at = path.rfind('/');
  if (at == std::string::npos) return ".";
  return at == 0 ? "/" : path.substr(0, at);
}

} // namespace kilobragg::io::hdf5
