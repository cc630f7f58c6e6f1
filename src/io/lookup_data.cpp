// Finds the data set that a user means.
#include "lookup_data.hpp"

#include "file_kind.hpp"

#include "kilobragg/core/error.hpp"

#include <filesystem>
#include <fstream>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

struct LookupName {
  std::string file, dataset;
};

LookupName split(const std::string& name) {
  std::error_code ignored;
  const std::size_t colon = name.rfind(':');
  if (std::filesystem::exists(name, ignored) || colon == std::string::npos) return {name, {}};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

bool is_pickle(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const int first = file.get();
  return first == 0x80 || first == '(';
}

std::string usual_dataset(hid_t file, std::span<const char* const> usual) {
  for (const char* path : usual)
    if (hdf5::is_dataset(file, path)) return path;
  std::vector<std::string> datasets;
  for (const std::string& name : hdf5::children(file, "/"))
    if (hdf5::is_dataset(file, "/" + name)) datasets.push_back("/" + name);
  return datasets.size() == 1 ? datasets[0] : std::string();
}

} // namespace

std::size_t LookupData::pixels() const {
  std::size_t n = shape.empty() ? 0 : 1;
  for (const hsize_t extent : shape) n *= extent;
  return n;
}

LookupData open_lookup(const std::string& name, const std::string& what,
                       std::span<const char* const> usual) {
  const LookupName split_name = split(name);
  const FileKind kind = file_kind(split_name.file);
  if (kind != FileKind::hdf5 && is_pickle(split_name.file))
    core::fail("cannot read the {0} {1} (a DIALS pickle holds Python objects) write it as an HDF5 "
               "data set, for instance h5py.File('{0}.h5', 'w')['{0}'] = array?",
               what, name);
  core::require(kind == FileKind::hdf5, "cannot read the {} {} (it is no HDF5 file)", what, name);
  Handle file = hdf5::open_file(split_name.file);
  const std::string dataset =
      split_name.dataset.empty() ? usual_dataset(file.get(), usual) : split_name.dataset;
  if (dataset.empty() || !hdf5::is_dataset(file.get(), dataset))
    core::fail("{} holds no {} ({}) name it as file.h5:/path?", name, what,
               dataset.empty() ? "no data set with a usual name" : "no data set " + dataset);
  Handle data(H5Dopen2(file.get(), dataset.c_str(), H5P_DEFAULT));
  std::vector<hsize_t> shape = hdf5::dimensions(data.get());
  return {std::move(file), std::move(data), split_name.file + ":" + dataset, std::move(shape)};
}

} // namespace kilobragg::io
