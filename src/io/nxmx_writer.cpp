// NXmx files: one bitshuffle-LZ4 chunk per frame, a chain of transformations per panel.
#include "kilobragg/io/nxmx_writer.hpp"

#include "hdf5_write.hpp"

#include "kilobragg/core/units.hpp"
#include "kilobragg/io/bitshuffle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

constexpr const char* entry = "/entry";
constexpr const char* detector_path = "/entry/instrument/detector";
constexpr const char* transformations = "/entry/instrument/detector/transformations";
constexpr const char* beam_path = "/entry/instrument/beam";

/// dxtbx's laboratory frame to NeXus's and back: both keep y and turn about it by 180 degrees.
Vec3 to_nexus(const Vec3& v) { return {-v.x, v.y, -v.z}; }

std::array<double, 3> triple(const Vec3& v) { return {v.x, v.y, v.z}; }

struct AxisAngle {
  Vec3 axis{0, 0, 1};
  double angle = 0; ///< rad
};

/// Rotation axis and angle of an orthogonal matrix, by its quaternion, exact for small angles and
/// for those near 180 degrees (Shepperd 1978).
AxisAngle axis_angle(const Mat3& r) {
  const double q[4] = {1 + r(0, 0) + r(1, 1) + r(2, 2), 1 + r(0, 0) - r(1, 1) - r(2, 2),
                       1 - r(0, 0) + r(1, 1) - r(2, 2), 1 - r(0, 0) - r(1, 1) + r(2, 2)};
  double w, x, y, z;
  switch (std::max_element(q, q + 4) - q) {
  case 0:
    w = q[0], x = r(2, 1) - r(1, 2), y = r(0, 2) - r(2, 0), z = r(1, 0) - r(0, 1);
    break;
  case 1:
    w = r(2, 1) - r(1, 2), x = q[1], y = r(0, 1) + r(1, 0), z = r(0, 2) + r(2, 0);
    break;
  case 2:
    w = r(0, 2) - r(2, 0), x = r(0, 1) + r(1, 0), y = q[2], z = r(1, 2) + r(2, 1);
    break;
  default:
    w = r(1, 0) - r(0, 1), x = r(0, 2) + r(2, 0), y = r(1, 2) + r(2, 1), z = q[3];
    break;
  }
  const Vec3 v{x, y, z};
  const double length = norm(v);
  if (length < 1e-15 * std::abs(w)) return {};
  return {v / length, 2 * std::atan2(length, w)};
}

/// One link of a chain: a rotation or translation by `value` about or along `vector`, moved by
/// `offset` (mm).
struct Transformation {
  std::string path, depends_on, type, units;
  double value = 0;
  Vec3 vector{0, 0, 1}, offset;
};

void write_transformation(hid_t file, const Transformation& t) {
  hdf5::write_numbers(file, t.path, {&t.value, 1}, {1});
  hdf5::set_attribute(file, t.path, "depends_on", t.depends_on);
  hdf5::set_attribute(file, t.path, "transformation_type", t.type);
  hdf5::set_attribute(file, t.path, "units", t.units);
  hdf5::set_attribute(file, t.path, "vector", triple(t.vector));
  hdf5::set_attribute(file, t.path, "offset", triple(t.offset));
  hdf5::set_attribute(file, t.path, "offset_units", "mm");
}

/// The panel as a module: pixel directions in a local frame that one rotation carries to its place.
void write_module(hid_t file, const NxmxLayout& layout, std::size_t index, double distance) {
  const models::Panel& panel = layout.detector.panels[index];
  const Vec3 fast = panel.frame.fast, slow = panel.frame.slow;
  const Mat3 to_lab =
      Mat3::from_columns(-1.0 * to_nexus(fast), to_nexus(slow), -1.0 * to_nexus(cross(fast, slow)));
  const AxisAngle turn = axis_angle(to_lab);
  const std::string axis = fmt::format("{}/PANEL_{:03d}", transformations, index);
  write_transformation(file, {axis, std::string(transformations) + "/DISTANCE", "rotation", "deg",
                              turn.angle / core::degree, turn.axis,
                              to_nexus(panel.frame.origin) - Vec3{0, 0, distance}});
  const std::string module = fmt::format("{}/module_{:03d}", detector_path, index);
  hdf5::make_group(file, module, "NXdetector_module");
  const std::int64_t n = static_cast<std::int64_t>(index), rows = panel.image_size[1],
                     columns = panel.image_size[0];
  if (layout.detector.panels.size() == 1 || layout.stacked) {
    hdf5::write_integers(file, module + "/data_origin", std::array<std::int64_t, 2>{n * rows, 0});
    hdf5::write_integers(file, module + "/data_size", std::array<std::int64_t, 2>{rows, columns});
  } else {
    hdf5::write_integers(file, module + "/data_origin", std::array<std::int64_t, 3>{n, 0, 0});
    hdf5::write_integers(file, module + "/data_size",
                         std::array<std::int64_t, 3>{1, rows, columns});
  }
  write_transformation(file, {module + "/fast_pixel_direction",
                              axis,
                              "translation",
                              "mm",
                              panel.pixel_size[0],
                              {-1, 0, 0},
                              {}});
  write_transformation(file, {module + "/slow_pixel_direction",
                              axis,
                              "translation",
                              "mm",
                              panel.pixel_size[1],
                              {0, 1, 0},
                              {}});
}

void require_layout(const NxmxLayout& layout) {
  const auto& panels = layout.detector.panels;
  core::require(!panels.empty(), "an NXmx file needs a detector with at least one panel");
  core::require(layout.frames > 0, "an NXmx file needs at least one frame");
  for (const models::Panel& panel : panels)
    core::require(panel.image_size == panels[0].image_size && panel.image_size[0] > 0 &&
                      panel.image_size[1] > 0,
                  "panels of different sizes cannot share one NXmx data set ({} x {} and {} x {})",
                  panel.image_size[0], panel.image_size[1], panels[0].image_size[0],
                  panels[0].image_size[1]);
}

std::size_t pixels_per_frame(const NxmxLayout& layout) {
  const models::Panel& panel = layout.detector.panels[0];
  return layout.detector.panels.size() * static_cast<std::size_t>(panel.image_size[0]) *
         static_cast<std::size_t>(panel.image_size[1]);
}

/// Shape of one frame in the data set.
std::vector<hsize_t> frame_shape(const NxmxLayout& layout) {
  const models::Panel& panel = layout.detector.panels[0];
  const hsize_t columns = static_cast<hsize_t>(panel.image_size[0]),
                rows = static_cast<hsize_t>(panel.image_size[1]),
                count = layout.detector.panels.size();
  if (count == 1 || layout.stacked) return {count * rows, columns};
  return {count, rows, columns};
}

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
  std::vector<hsize_t> chunk = frame_shape(layout), shape = chunk;
  chunk.insert(chunk.begin(), 1);
  shape.insert(shape.begin(), static_cast<hsize_t>(layout.frames));
  const bool wide = layout.pixel == NxmxLayout::Pixel::i32;
  const Handle plist(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_chunk(plist.get(), static_cast<int>(chunk.size()), chunk.data());
  if (set_bitshuffle(plist.get(), wide ? 4 : 2) < 0)
    core::fail("cannot set the bitshuffle filter ({})", hdf5::last_error());
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr));
  Handle data(H5Dcreate2(file, "/entry/data/data", wide ? H5T_STD_I32LE : H5T_STD_U16LE,
                         space.get(), H5P_DEFAULT, plist.get(), H5P_DEFAULT));
  if (!data) core::fail("cannot create the data set of frames ({})", hdf5::last_error());
  return data;
}

void write_mask(hid_t file, const NxmxLayout& layout) {
  if (layout.mask.empty()) return;
  core::require(layout.mask.size() == pixels_per_frame(layout),
                "the mask has {} pixels, a frame {}", layout.mask.size(), pixels_per_frame(layout));
  std::vector<std::uint8_t> bad(layout.mask.size());
  std::transform(layout.mask.begin(), layout.mask.end(), bad.begin(),
                 [](std::uint8_t usable) { return usable ? std::uint8_t{0} : std::uint8_t{1}; });
  const std::vector<hsize_t> shape = frame_shape(layout);
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr));
  const Handle plist(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_chunk(plist.get(), static_cast<int>(shape.size()), shape.data());
  H5Pset_deflate(plist.get(), 4);
  const Handle data(H5Dcreate2(file, "/entry/instrument/detector/pixel_mask", H5T_STD_U8LE,
                               space.get(), H5P_DEFAULT, plist.get(), H5P_DEFAULT));
  if (!data ||
      H5Dwrite(data.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bad.data()) < 0)
    core::fail("cannot write the pixel mask ({})", hdf5::last_error());
}

void write_detector(hid_t file, const NxmxLayout& layout) {
  const models::Panel& panel = layout.detector.panels[0];
  double distance = 0;
  for (const models::Panel& p : layout.detector.panels) distance -= p.frame.origin.z;
  distance /= static_cast<double>(layout.detector.panels.size());
  const std::string base = detector_path;
  hdf5::make_group(file, base, "NXdetector");
  hdf5::write_text(file, base + "/description", "detector of " + layout.instrument);
  hdf5::write_text(file, base + "/depends_on", std::string(transformations) + "/DISTANCE");
  hdf5::write_text(file, base + "/sensor_material", panel.material.empty() ? "Si" : panel.material);
  // A sensor without thickness would have no attenuation: readers want one, 1 um shifts nothing.
  hdf5::write_number(file, base + "/sensor_thickness",
                     panel.thickness > 0 ? panel.thickness : 0.001);
  hdf5::set_attribute(file, base + "/sensor_thickness", "units", "mm");
  hdf5::write_number(file, base + "/saturation_value", panel.trusted_range[1]);
  hdf5::write_number(file, base + "/underload_value", panel.trusted_range[0]);
  const std::int64_t bits = layout.pixel == NxmxLayout::Pixel::i32 ? 32 : 16;
  hdf5::write_integers(file, base + "/bit_depth_readout", {&bits, 1});
  hdf5::make_group(file, transformations, "NXtransformations");
  write_transformation(file, {std::string(transformations) + "/DISTANCE",
                              ".",
                              "translation",
                              "mm",
                              distance,
                              {0, 0, 1},
                              {}});
  for (std::size_t i = 0; i < layout.detector.panels.size(); ++i)
    write_module(file, layout, i, distance);
  write_mask(file, layout);
}

void write_groups(hid_t file, const NxmxLayout& layout) {
  hdf5::make_group(file, entry, "NXentry");
  hdf5::set_attribute(file, entry, "default", "data");
  hdf5::write_text(file, "/entry/definition", "NXmx");
  hdf5::write_text(file, "/entry/start_time", layout.start_time);
  hdf5::write_text(file, "/entry/end_time_estimated", layout.start_time);
  hdf5::make_group(file, "/entry/data", "NXdata");
  hdf5::set_attribute(file, "/entry/data", "signal", "data");
  hdf5::make_group(file, "/entry/sample", "NXsample");
  hdf5::write_text(file, "/entry/sample/name", layout.sample);
  hdf5::write_text(file, "/entry/sample/depends_on", ".");
  hdf5::make_group(file, "/entry/source", "NXsource");
  hdf5::write_text(file, "/entry/source/name", layout.source);
  hdf5::make_group(file, "/entry/instrument", "NXinstrument");
  hdf5::write_text(file, "/entry/instrument/name", layout.instrument);
  hdf5::make_group(file, beam_path, "NXbeam");
  write_detector(file, layout);
}

} // namespace

struct NxmxWriter::State {
  std::string path;
  NxmxLayout layout;
  Handle file, frames;
  std::vector<double> wavelengths, channels, weights;

  void write_pixels(std::int64_t frame, std::span<const std::byte> bytes, std::size_t element) {
    core::require(static_cast<bool>(file), "{} is closed already", path);
    core::require(frame >= 0 && frame < layout.frames, "{} has {} frames, so none with index {}",
                  path, layout.frames, frame);
    core::require(bytes.size() == pixels_per_frame(layout) * element,
                  "frame {} of {} has {} pixels instead of {}", frame, path, bytes.size() / element,
                  pixels_per_frame(layout));
    const std::vector<std::byte> chunk = encode_bitshuffle_lz4(bytes, element);
    std::vector<hsize_t> offset(frame_shape(layout).size() + 1, 0);
    offset[0] = static_cast<hsize_t>(frame);
    if (H5Dwrite_chunk(frames.get(), H5P_DEFAULT, 0, offset.data(), chunk.size(), chunk.data()) < 0)
      core::fail("cannot write frame {} of {} ({}) is the disk full?", frame, path,
                 hdf5::last_error());
  }

  void note_beam(std::int64_t frame, double wavelength, const models::Spectrum& spectrum) {
    const std::size_t n = layout.spectrum_channels, at = static_cast<std::size_t>(frame);
    core::require(spectrum.wavelengths.size() == n && spectrum.weights.size() == n,
                  "frame {} of {} comes with {} spectrum channels instead of {}", frame, path,
                  spectrum.wavelengths.size(), n);
    wavelengths[at] = wavelength;
    std::copy(spectrum.wavelengths.begin(), spectrum.wavelengths.end(),
              channels.begin() + static_cast<std::ptrdiff_t>(at * n));
    std::copy(spectrum.weights.begin(), spectrum.weights.end(),
              weights.begin() + static_cast<std::ptrdiff_t>(at * n));
  }

  /// The single wavelength, and where there are spectra these as its variant.
  void write_beam() {
    const std::string base = beam_path, mean = base + "/incident_wavelength";
    const auto count = static_cast<hsize_t>(layout.frames);
    hdf5::write_numbers(file.get(), mean, wavelengths, {count});
    hdf5::set_attribute(file.get(), mean, "units", "angstrom");
    if (layout.flux > 0) {
      hdf5::write_number(file.get(), base + "/total_flux", layout.flux);
      hdf5::set_attribute(file.get(), base + "/total_flux", "units", "Hz");
    }
    if (layout.spectrum_channels == 0) return;
    const std::string name = "incident_wavelength_1Dspectrum";
    hdf5::set_attribute(file.get(), mean, "variant", name);
    hdf5::write_numbers(file.get(), base + "/" + name, channels, {count, layout.spectrum_channels});
    hdf5::set_attribute(file.get(), base + "/" + name, "units", "angstrom");
    hdf5::write_numbers(file.get(), base + "/" + name + "_weights", weights,
                        {count, layout.spectrum_channels});
    // DIALS looks for the weights without the plural s.
    H5Lcreate_hard(file.get(), (base + "/" + name + "_weights").c_str(), file.get(),
                   (base + "/" + name + "_weight").c_str(), H5P_DEFAULT, H5P_DEFAULT);
  }

  void close() {
    if (!file) return;
    write_beam();
    frames.reset();
    const herr_t flushed = H5Fflush(file.get(), H5F_SCOPE_GLOBAL);
    file.reset();
    core::require(flushed >= 0, "cannot finish {} ({}) is the disk full?", path,
                  hdf5::last_error());
  }
};

NxmxWriter::NxmxWriter(const std::string& path, NxmxLayout layout)
    : state_(std::make_unique<State>()) {
  require_layout(layout);
  state_->path = path;
  state_->layout = std::move(layout);
  const auto frames = static_cast<std::size_t>(state_->layout.frames);
  state_->wavelengths.assign(frames, 0.0);
  state_->channels.assign(frames * state_->layout.spectrum_channels, 0.0);
  state_->weights = state_->channels;
  state_->file = hdf5::create_file(path);
  write_groups(state_->file.get(), state_->layout);
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

std::size_t NxmxWriter::frame_size() const { return pixels_per_frame(state_->layout); }

void NxmxWriter::write_frame(std::int64_t frame, std::span<const std::int32_t> pixels,
                             double wavelength, const models::Spectrum& spectrum) {
  core::require(state_->layout.pixel == NxmxLayout::Pixel::i32,
                "{} holds 16-bit pixels, not 32-bit", state_->path);
  state_->write_pixels(frame, std::as_bytes(pixels), sizeof(std::int32_t));
  state_->note_beam(frame, wavelength, spectrum);
}

void NxmxWriter::write_frame(std::int64_t frame, std::span<const std::uint16_t> pixels,
                             double wavelength, const models::Spectrum& spectrum) {
  core::require(state_->layout.pixel == NxmxLayout::Pixel::u16,
                "{} holds 32-bit pixels, not 16-bit", state_->path);
  state_->write_pixels(frame, std::as_bytes(pixels), sizeof(std::uint16_t));
  state_->note_beam(frame, wavelength, spectrum);
}

void NxmxWriter::close() { state_->close(); }

} // namespace kilobragg::io
