// NXmx files: one bitshuffle-LZ4 chunk per frame.
#include "kilobragg/io/nxmx_writer.hpp"

#include "hdf5_write.hpp"
#include "nxmx_structure.hpp"

#include "kilobragg/io/bitshuffle.hpp"

#include <optional>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

/// Records what the bitshuffle plugin records: its version 0.3, the element size, the default block
/// and LZ4. Where the plugin is installed it puts the first three in itself. Optional, so that a data
/// set can be created where it is not; chunks are written as they are either way.
herr_t set_bitshuffle(hid_t plist, unsigned element_size) {
  const unsigned options[] = {0, 3, element_size, 0, 2};
  const bool plugin = H5Zfilter_avail(bitshuffle_filter) > 0;
  return H5Pset_filter(plist, bitshuffle_filter, H5Z_FLAG_OPTIONAL, plugin ? 2 : 5,
                       plugin ? options + 3 : options);
}

Handle create_frames(hid_t file, const NxmxLayout& layout) {
  std::vector<hsize_t> chunk = nxmx::frame_shape(layout), shape = chunk;
  chunk.insert(chunk.begin(), 1);
  shape.insert(shape.begin(), static_cast<hsize_t>(layout.frames));
  const bool wide = layout.pixel == NxmxLayout::Pixel::i32;
  const Handle plist(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_chunk(plist.get(), static_cast<int>(chunk.size()), chunk.data());
  if (set_bitshuffle(plist.get(), wide ? 4 : 2) < 0)
    core::fail("cannot set the bitshuffle filter ({})", hdf5::last_error());
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr));
  Handle data(H5Dcreate2(file, nxmx::frames_path, wide ? H5T_STD_I32LE : H5T_STD_U16LE, space.get(),
                         H5P_DEFAULT, plist.get(), H5P_DEFAULT));
  if (!data) core::fail("cannot create the data set of frames ({})", hdf5::last_error());
  return data;
}

} // namespace

struct NxmxWriter::State {
  std::string path;
  NxmxLayout layout;
  Handle file, frames;
  std::optional<nxmx::BeamTable> beams;

  void write_pixels(std::int64_t frame, std::span<const std::byte> bytes, std::size_t element) {
    core::require(static_cast<bool>(file), "{} is closed already", path);
    core::require(frame >= 0 && frame < layout.frames, "{} has {} frames, so none with index {}",
                  path, layout.frames, frame);
    core::require(bytes.size() == nxmx::pixels_per_frame(layout) * element,
                  "frame {} of {} has {} pixels instead of {}", frame, path, bytes.size() / element,
                  nxmx::pixels_per_frame(layout));
    const std::vector<std::byte> chunk = encode_bitshuffle_lz4(bytes, element);
    std::vector<hsize_t> offset(nxmx::frame_shape(layout).size() + 1, 0);
    offset[0] = static_cast<hsize_t>(frame);
    if (H5Dwrite_chunk(frames.get(), H5P_DEFAULT, 0, offset.data(), chunk.size(), chunk.data()) < 0)
      core::fail("cannot write frame {} of {} ({}) is the disk full?", frame, path,
                 hdf5::last_error());
  }

  void close() {
    if (!file) return;
    beams->write(file.get());
    frames.reset();
    const herr_t flushed = H5Fflush(file.get(), H5F_SCOPE_GLOBAL);
    file.reset();
    core::require(flushed >= 0, "cannot finish {} ({}) is the disk full?", path,
                  hdf5::last_error());
  }
};

NxmxWriter::NxmxWriter(const std::string& path, NxmxLayout layout)
    : state_(std::make_unique<State>()) {
  nxmx::require_layout(layout);
  state_->path = path;
  state_->layout = std::move(layout);
  state_->beams.emplace(state_->layout);
  state_->file = hdf5::create_file(path);
  nxmx::write_groups(state_->file.get(), state_->layout);
  state_->frames = create_frames(state_->file.get(), state_->layout);
}

NxmxWriter::NxmxWriter(NxmxWriter&&) noexcept = default;

NxmxWriter::~NxmxWriter() {
  if (!state_) return;
  try {
    state_->close();
  } catch (const core::Error&) {
    // close() is for those who want to know.
  }
}

std::size_t NxmxWriter::frame_size() const { return nxmx::pixels_per_frame(state_->layout); }

void NxmxWriter::write_frame(std::int64_t frame, std::span<const std::int32_t> pixels,
                             double wavelength, const models::Spectrum& spectrum) {
  core::require(state_->layout.pixel == NxmxLayout::Pixel::i32,
                "{} holds 16-bit pixels, not 32-bit", state_->path);
  state_->write_pixels(frame, std::as_bytes(pixels), sizeof(std::int32_t));
  state_->beams->note(frame, wavelength, spectrum, state_->path);
}

void NxmxWriter::write_frame(std::int64_t frame, std::span<const std::uint16_t> pixels,
                             double wavelength, const models::Spectrum& spectrum) {
  core::require(state_->layout.pixel == NxmxLayout::Pixel::u16,
                "{} holds 32-bit pixels, not 16-bit", state_->path);
  state_->write_pixels(frame, std::as_bytes(pixels), sizeof(std::uint16_t));
  state_->beams->note(frame, wavelength, spectrum, state_->path);
}

void NxmxWriter::close() { state_->close(); }

} // namespace kilobragg::io
