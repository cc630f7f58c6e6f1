// Follows NeXus's defaults to the data sets of frames.
#include "nxmx_files.hpp"

#include <algorithm>
#include <cctype>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

std::string joined(const std::string& group, const std::string& name) {
  if (!name.empty() && name.front() == '/') return name;
  return group == "/" ? "/" + name : group + "/" + name;
}

/// A child named by an attribute, else the first of an NX_class, else `usual`.
std::string default_child(hid_t file, const std::string& group, const char* nx_class,
                          const char* usual) {
  const auto named = hdf5::text_attribute(file, group, "default");
  if (named && hdf5::text_attribute(file, joined(group, *named), "NX_class") == nx_class)
    return joined(group, *named);
  const auto found = hdf5::children_of_class(file, group, nx_class);
  const std::string expected = joined(group, usual);
  if (found.empty() || std::find(found.begin(), found.end(), expected) != found.end())
    return expected;
  return found.front();
}

bool is_series_name(const std::string& name) {
  return name.rfind("data_", 0) == 0 && name.size() > 5 &&
         std::all_of(name.begin() + 5, name.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// data_000001, data_000002, ... of a group, existing or not.
std::vector<std::string> series(hid_t file, const std::string& group) {
  std::vector<std::string> paths;
  for (const std::string& name : hdf5::children(file, group))
    if (is_series_name(name)) paths.push_back(joined(group, name));
  return paths;
}

void take_series(hid_t file, const std::string& group, FrameDatasets& found) {
  found.name = group;
  found.datasets = series(file, group);
  std::size_t present = found.datasets.size();
  while (present > 1 && !hdf5::is_dataset(file, found.datasets[present - 1])) --present;
  found.missing.assign(found.datasets.begin() + static_cast<std::ptrdiff_t>(present),
                       found.datasets.end());
  found.datasets.resize(present);
}

/// The first data set with frames, for files that name neither a signal nor "data".
std::string any_images(hid_t file, const std::string& group) {
  for (const std::string& name : hdf5::children(file, group)) {
    const std::string path = joined(group, name);
    if (!hdf5::is_dataset(file, path)) continue;
    const Handle data(H5Dopen2(file, path.c_str(), H5P_DEFAULT));
    if (hdf5::dimensions(data.get()).size() >= 2) return path;
  }
  return {};
}

void take_group(hid_t file, const std::string& path, const std::string& group,
                FrameDatasets& found) {
  const auto signal = hdf5::text_attribute(file, group, "signal");
  if (signal && !is_series_name(*signal) && hdf5::is_dataset(file, joined(group, *signal)))
    found.name = joined(group, *signal);
  else if (hdf5::is_dataset(file, joined(group, "data")))
    found.name = joined(group, "data");
  else if (!series(file, group).empty())
    return take_series(file, group, found);
  else
    found.name = any_images(file, group);
  if (found.name.empty())
    core::fail(
        "{} has no images in {} (neither a signal nor data nor data_000001) does the dataset "
        "option name where they are?",
        path, group);
  found.datasets = {found.name};
}

std::string listed_datasets(hid_t file, const std::string& group) {
  std::string text;
  for (const std::string& name : hdf5::children(file, group))
    text += (text.empty() ? "" : ", ") + joined(group, name);
  return text.empty() ? "nothing" : text;
}

} // namespace

FrameDatasets find_frame_datasets(hid_t file, const std::string& path, const std::string& wanted) {
  FrameDatasets found;
  found.entry = default_child(file, "/", "NXentry", "entry");
  if (wanted.empty()) {
    const std::string group = default_child(file, found.entry, "NXdata", "data");
    if (!hdf5::is_group(file, group))
      core::fail("{} has no group {} of images (its root holds {}) is it an NXmx file?", path,
                 group, listed_datasets(file, "/"));
    take_group(file, path, group, found);
    return found;
  }
  const std::string absolute = joined("/", wanted);
  // A data set elsewhere belongs to the entry that it lies in.
  const std::size_t end = absolute.find('/', 1);
  if (end != std::string::npos &&
      hdf5::text_attribute(file, absolute.substr(0, end), "NX_class") == "NXentry")
    found.entry = absolute.substr(0, end);
  if (hdf5::is_group(file, absolute)) {
    take_group(file, path, absolute, found);
  } else {
    if (!hdf5::is_dataset(file, absolute))
      core::fail("{} has no data set {} ({} holds {})", path, absolute, found.entry + "/data",
                 listed_datasets(file, found.entry + "/data"));
    found.name = absolute;
    found.datasets = {absolute};
  }
  return found;
}

} // namespace kilobragg::io
