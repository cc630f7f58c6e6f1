// Groups, detector, mask and beams of NXmx files: a chain of transformations per panel.
#include "nxmx_structure.hpp"

#include "hdf5_write.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::io::nxmx {
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

} // namespace

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

std::vector<hsize_t> frame_shape(const NxmxLayout& layout) {
  const models::Panel& panel = layout.detector.panels[0];
  const hsize_t columns = static_cast<hsize_t>(panel.image_size[0]),
                rows = static_cast<hsize_t>(panel.image_size[1]),
                count = layout.detector.panels.size();
  if (count == 1 || layout.stacked) return {count * rows, columns};
  return {count, rows, columns};
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

BeamTable::BeamTable(const NxmxLayout& layout)
    : frames_(static_cast<std::size_t>(layout.frames))
    , channel_count_(layout.spectrum_channels)
    , flux_(layout.flux)
    , wavelengths_(frames_, 0.0)
    , channels_(frames_ * channel_count_, 0.0)
    , weights_(frames_ * channel_count_, 0.0) {}

void BeamTable::note(std::int64_t frame, double wavelength, const models::Spectrum& spectrum,
                     const std::string& path) {
  const std::size_t n = channel_count_, at = static_cast<std::size_t>(frame);
  core::require(spectrum.wavelengths.size() == n && spectrum.weights.size() == n,
                "frame {} of {} comes with {} spectrum channels instead of {}", frame, path,
                spectrum.wavelengths.size(), n);
  wavelengths_[at] = wavelength;
  std::copy(spectrum.wavelengths.begin(), spectrum.wavelengths.end(),
            channels_.begin() + static_cast<std::ptrdiff_t>(at * n));
  std::copy(spectrum.weights.begin(), spectrum.weights.end(),
            weights_.begin() + static_cast<std::ptrdiff_t>(at * n));
}

void BeamTable::write(hid_t file) const {
  const std::string base = beam_path, mean = base + "/incident_wavelength";
  hdf5::write_numbers(file, mean, wavelengths_, {frames_});
  hdf5::set_attribute(file, mean, "units", "angstrom");
  if (flux_ > 0) {
    hdf5::write_number(file, base + "/total_flux", flux_);
    hdf5::set_attribute(file, base + "/total_flux", "units", "Hz");
  }
  if (channel_count_ == 0) return;
  const std::string name = "incident_wavelength_1Dspectrum";
  hdf5::set_attribute(file, mean, "variant", name);
  hdf5::write_numbers(file, base + "/" + name, channels_, {frames_, channel_count_});
  hdf5::set_attribute(file, base + "/" + name, "units", "angstrom");
  hdf5::write_numbers(file, base + "/" + name + "_weights", weights_, {frames_, channel_count_});
  // DIALS looks for the weights without the plural s.
  H5Lcreate_hard(file, (base + "/" + name + "_weights").c_str(), file,
                 (base + "/" + name + "_weight").c_str(), H5P_DEFAULT, H5P_DEFAULT);
}

} // namespace kilobragg::io::nxmx
