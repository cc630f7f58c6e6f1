// Writes small HDF5 values, attributes and groups.
#include "hdf5_write.hpp"

namespace kilobragg::io::hdf5 {
namespace {

Handle checked(hid_t id, const std::string& what) {
  if (id < 0) core::fail("cannot write {} ({}) is the disk full?", what, last_error());
  return Handle(id);
}

void checked_status(herr_t status, const std::string& what) {
  if (status < 0) core::fail("cannot write {} ({}) is the disk full?", what, last_error());
}

Handle text_type(const std::string& text) {
  Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), text.empty() ? 1 : text.size());
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  return type;
}

Handle space_of(const std::vector<hsize_t>& shape) {
  return shape.empty()
             ? Handle(H5Screate(H5S_SCALAR))
             : Handle(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr));
}

void write_data(hid_t location, const std::string& path, hid_t file_type, hid_t memory_type,
                const std::vector<hsize_t>& shape, const void* values) {
  const Handle space = space_of(shape);
  const Handle data = checked(H5Dcreate2(location, path.c_str(), file_type, space.get(),
                                         H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                              path);
  checked_status(H5Dwrite(data.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), path);
}

void write_attribute(hid_t location, const std::string& path, const std::string& name, hid_t type,
                     hid_t space, const void* values) {
  const std::string what = path + "@" + name;
  const Handle attribute = checked(H5Acreate_by_name(location, path.c_str(), name.c_str(), type,
                                                     space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                                   what);
  checked_status(H5Awrite(attribute.get(), type, values), what);
}

} // namespace

Handle create_file(const std::string& path) {
  quiet();
  const Handle access = unlocked_access();
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()));
  if (!file)
    core::fail("cannot create {} ({}) does the folder exist, and may you write there?", path,
               last_error());
  return file;
}

void make_group(hid_t location, const std::string& path, const std::string& nx_class) {
  {
    const Handle group =
        checked(H5Gcreate2(location, path.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), path);
  }
  set_attribute(location, path, "NX_class", nx_class);
}

void write_text(hid_t location, const std::string& path, const std::string& text) {
  const Handle type = text_type(text);
  write_data(location, path, type.get(), type.get(), {}, text.c_str());
}

void write_number(hid_t location, const std::string& path, double value) {
  write_numbers(location, path, {&value, 1}, {});
}

void write_integers(hid_t location, const std::string& path, std::span<const std::int64_t> values) {
  write_data(location, path, H5T_STD_I64LE, H5T_NATIVE_INT64, {values.size()}, values.data());
}

void write_numbers(hid_t location, const std::string& path, std::span<const double> values,
                   const std::vector<hsize_t>& shape) {
  write_data(location, path, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, shape, values.data());
}

void set_attribute(hid_t location, const std::string& path, const std::string& name,
                   const std::string& text) {
  const Handle type = text_type(text), space = space_of({});
  write_attribute(location, path, name, type.get(), space.get(), text.c_str());
}

void set_attribute(hid_t location, const std::string& path, const std::string& name,
                   std::array<double, 3> values) {
  const Handle space = space_of({3});
  write_attribute(location, path, name, H5T_NATIVE_DOUBLE, space.get(), values.data());
}

} // namespace kilobragg::io::hdf5
