// NXmx master files: the frames of other files as one virtual data set.
#include "kilobragg/io/nxmx_master.hpp"

#include "hdf5_write.hpp"
#include "nxmx_structure.hpp"

#include <numeric>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

Handle make_space(const std::vector<hsize_t>& shape) {
  return Handle(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr));
}

/// HDF5 takes a percent sign for the beginning of a number in a series of names.
std::string without_series(const std::string& name) {
  std::string text;
  for (const char c : name) text += c == '%' ? std::string("%%") : std::string(1, c);
  return text;
}

/// Maps the frames of a file to [first, first + frames) of `space`.
void map_part(hid_t plist, hid_t space, std::vector<hsize_t> shape, std::int64_t first,
              const NxmxPart& part) {
  shape[0] = static_cast<hsize_t>(part.frames);
  std::vector<hsize_t> start(shape.size(), 0);
  start[0] = static_cast<hsize_t>(first);
  // A selection of everything would lose its extent in the file, and readers need it.
  const std::vector<hsize_t> origin(shape.size(), 0);
  const Handle source = make_space(shape);
  H5Sselect_hyperslab(source.get(), H5S_SELECT_SET, origin.data(), nullptr, shape.data(), nullptr);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, shape.data(), nullptr);
  if (H5Pset_virtual(plist, space, without_series(part.file).c_str(), nxmx::frames_path,
                     source.get()) < 0)
    core::fail("cannot refer to {} in a virtual data set ({})", part.file, hdf5::last_error());
}

void create_virtual(hid_t file, const NxmxLayout& layout, const std::vector<NxmxPart>& parts) {
  std::vector<hsize_t> shape = nxmx::frame_shape(layout);
  shape.insert(shape.begin(), static_cast<hsize_t>(layout.frames));
  const bool wide = layout.pixel == NxmxLayout::Pixel::i32;
  const Handle plist(H5Pcreate(H5P_DATASET_CREATE)), space = make_space(shape);
  const std::int32_t missing = wide ? std::numeric_limits<std::int32_t>::min() : 65535;
  H5Pset_fill_value(plist.get(), H5T_NATIVE_INT32, &missing);
  std::int64_t first = 0;
  for (const NxmxPart& part : parts) {
    if (part.frames > 0) map_part(plist.get(), space.get(), shape, first, part);
    first += part.frames;
  }
  H5Sselect_all(space.get());
  const Handle data(H5Dcreate2(file, nxmx::frames_path, wide ? H5T_STD_I32LE : H5T_STD_U16LE,
                               space.get(), H5P_DEFAULT, plist.get(), H5P_DEFAULT));
  if (!data) core::fail("cannot create the virtual data set ({})", hdf5::last_error());
}

} // namespace

void write_nxmx_master(const std::string& path, const NxmxLayout& layout,
                       const std::vector<NxmxPart>& parts,
                       const std::function<models::Beam(std::int64_t)>& beam) {
  nxmx::require_layout(layout);
  const std::int64_t frames =
      std::accumulate(parts.begin(), parts.end(), std::int64_t{0},
                      [](std::int64_t sum, const NxmxPart& part) { return sum + part.frames; });
  core::require(frames == layout.frames, "the files under {} hold {} frames instead of {}", path,
                frames, layout.frames);
  Handle file = hdf5::create_file(path);
  nxmx::write_groups(file.get(), layout);
  create_virtual(file.get(), layout, parts);
  nxmx::BeamTable beams(layout);
  for (std::int64_t frame = 0; frame < frames; ++frame) {
    const models::Beam shot = beam(frame);
    beams.note(frame, shot.wavelength, shot.spectrum, path);
  }
  beams.write(file.get());
  const herr_t flushed = H5Fflush(file.get(), H5F_SCOPE_GLOBAL);
  file.reset();
  core::require(flushed >= 0, "cannot finish {} ({}) is the disk full?", path, hdf5::last_error());
}

} // namespace kilobragg::io
