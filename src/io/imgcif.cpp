// Full imgCIF images of one or many panels: axes chained up to the laboratory, arrays cut in sections.
#include "attempt.hpp"
#include "cbf_reader.hpp"
#include "cif_tables.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

namespace kilobragg::io {
namespace {

const std::string& field(const CifRow& row, std::string_view name) {
  static const std::string nothing;
  const auto found = row.find(std::string(name));
  return found == row.end() ? nothing : found->second;
}

double number(const CifRow& row, const std::string& name, double fallback = 0) {
  const std::string& text = field(row, name);
  double value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Vec3 triple(const CifRow& row, const std::string& name) {
  return {number(row, name + "[1]"), number(row, name + "[2]"), number(row, name + "[3]")};
}

/// An axis of the axis category with its setting in this frame.
struct CifAxis {
  std::string depends_on, component;
  bool rotation = false;
  Vec3 vector, offset;
  double setting = 0; ///< rad or mm
};

/// x -> rotation * x + shift.
struct Placement {
  Mat3 rotation = Mat3::identity();
  Vec3 shift;
};

class Axes {
public:
  Axes(const CifFile& file, std::string path)
      : path_(std::move(path)) {
    std::map<std::string, double> angle, displacement;
    for (const CifRow& row : file.table("diffrn_scan_axis")) {
      angle[field(row, "axis_id")] = number(row, "angle_start");
      displacement[field(row, "axis_id")] = number(row, "displacement_start");
    }
    for (const CifRow& row : file.table("diffrn_scan_frame_axis")) {
      angle[field(row, "axis_id")] = number(row, "angle", angle[field(row, "axis_id")]);
      displacement[field(row, "axis_id")] =
          number(row, "displacement", displacement[field(row, "axis_id")]);
    }
    for (const CifRow& row : file.table("axis")) {
      const std::string id = field(row, "id");
      CifAxis axis{field(row, "depends_on"),
                   field(row, "equipment_component"),
                   field(row, "type") == "rotation",
                   triple(row, "vector"),
                   triple(row, "offset"),
                   0};
      axis.setting = axis.rotation ? angle[id] * core::degree : displacement[id];
      axes_[id] = axis;
    }
  }

  const CifAxis& get(const std::string& id) const {
    const auto found = axes_.find(id);
    if (found == axes_.end())
      core::fail("{} names the axis {}, which it does not describe", path_, id);
    return found->second;
  }
  /// Where an axis and all it depends on carry a point.
  Placement place(const std::string& id) const {
    Placement place;
    std::string next = id;
    for (std::size_t links = 0; !next.empty(); ++links) {
      core::require(links <= axes_.size(),
                    "the axes of {} depend on each other in a circle (at {})", path_, next);
      const CifAxis& axis = get(next);
      if (axis.rotation) {
        const Mat3 r =
            axis.setting == 0 ? Mat3::identity() : rotation_about(unit(axis.vector), axis.setting);
        place = {r * place.rotation, r * place.shift + axis.offset};
      } else {
        place.shift += axis.offset + axis.setting * axis.vector;
      }
      next = axis.depends_on;
    }
    return place;
  }

private:
  std::string path_;
  std::map<std::string, CifAxis> axes_;
};

/// A panel as array_structure_list describes it: an array, or a section of one.
struct Section {
  std::string id, array;
  std::string fast_axis, slow_axis;
  std::array<std::size_t, 3> start{0, 0, 0}, size{1, 1, 1}; ///< fast, mid, slow
};

/// Sections in the order in which they are first named. Rows without axes describe whole arrays.
std::vector<Section> read_sections(const CifFile& file) {
  std::vector<Section> sections;
  const auto named = [&](const std::string& id, const std::string& array) -> Section& {
    for (Section& section : sections)
      if (section.id == id) return section;
    sections.push_back({id, array, {}, {}, {0, 0, 0}, {1, 1, 1}});
    return sections.back();
  };
  for (const CifRow& row : file.table("array_structure_list")) {
    const std::string& axis = field(row, "axis_set_id");
    const std::string& section_id = field(row, "array_section_id");
    const std::string array =
        field(row, "array_id").empty() ? field(row, "array_section") : field(row, "array_id");
    const auto index = static_cast<std::size_t>(number(row, "index"));
    if (axis.empty() || index < 1 || index > 3) continue;
    Section& section = named(section_id.empty() ? array : section_id, array);
    section.size[index - 1] = static_cast<std::size_t>(number(row, "dimension"));
    (number(row, "precedence") <= 1 ? section.fast_axis : section.slow_axis) = axis;
  }
  for (const CifRow& row : file.table("array_structure_list_section")) {
    const auto index = static_cast<std::size_t>(number(row, "index"));
    for (Section& section : sections) {
      if (section.id != field(row, "id") || index < 1 || index > 3) continue;
      const auto start = static_cast<std::size_t>(std::max(1.0, number(row, "start", 1)));
      const auto end = static_cast<std::size_t>(number(row, "end", double(start)));
      section.start[index - 1] = start - 1;
      section.size[index - 1] = end >= start ? end - start + 1 : 0;
    }
  }
  return sections;
}

/// Window of a section in the arrays, which lie one after the other in the image.
models::PanelWindow window_of(const std::string& path, const Section& section,
                              const std::vector<CifArray>& arrays) {
  std::size_t offset = 0;
  for (const CifArray& array : arrays) {
    if (array.id == section.array || arrays.size() == 1) {
      core::require(section.start[0] + section.size[0] <= array.fast &&
                        section.start[1] + section.size[1] <= array.mid &&
                        section.start[2] < array.slow && section.size[2] == 1,
                    "section {} of {} does not lie within its array ({} x {} x {})", section.id,
                    path, array.slow, array.mid, array.fast);
      offset += (section.start[2] * array.mid + section.start[1]) * array.fast + section.start[0];
      return {offset, array.fast, static_cast<int>(section.size[0]),
              static_cast<int>(section.size[1])};
    }
    offset += array.fast * array.mid * array.slow;
  }
  core::fail("section {} of {} is cut from {}, which it does not hold", section.id, path,
             section.array);
}

/// Settings of the pixel axes: position of the first pixel and size of a pixel (mm).
struct PixelAxis {
  double first = 0, increment = 0;
};

PixelAxis pixel_axis(const CifFile& file, const std::string& set) {
  for (const CifRow& row : file.table("array_structure_list_axis"))
    if (field(row, "axis_set_id") == set || field(row, "axis_id") == set)
      return {number(row, "displacement"), number(row, "displacement_increment")};
  return {};
}

void read_intensities(const CifFile& file, std::size_t index, const Section& section,
                      models::Panel& panel) {
  const std::vector<CifRow> rows = file.table("array_intensities");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const CifRow& row = rows[i];
    const bool ours = field(row, "array_id") == section.array ||
                      field(row, "array_id") == section.id ||
                      (field(row, "array_id").empty() && i == index);
    if (!ours) continue;
    // Pixels with the undefined value hold no measurement, nor do those below it.
    if (!field(row, "undefined_value").empty())
      panel.trusted_range[0] = number(row, "undefined_value") + 1;
    panel.trusted_range[1] = number(row, "overload", panel.trusted_range[1]);
    const double gain = number(row, "gain", 1);
    panel.gain = gain > 0 ? gain : 1;
    return;
  }
}

models::Panel make_panel(const CifFile& file, const std::string& path, const Axes& axes,
                         std::size_t index, const Section& section) {
  core::require(!section.fast_axis.empty() && !section.slow_axis.empty(),
                "section {} of {} names no pair of axes", section.id, path);
  const PixelAxis fast = pixel_axis(file, section.fast_axis),
                  slow = pixel_axis(file, section.slow_axis);
  core::require(fast.increment != 0 && slow.increment != 0,
                "section {} of {} gives no size of its pixels (array_structure_list_axis)",
                section.id, path);
  const Placement place_fast = axes.place(section.fast_axis),
                  place_slow = axes.place(section.slow_axis);
  const Vec3 step_fast = place_fast.rotation * axes.get(section.fast_axis).vector,
             step_slow = place_slow.rotation * axes.get(section.slow_axis).vector;
  // The axis that depends on the other carries both offsets.
  const bool fast_last = axes.get(section.slow_axis).depends_on != section.fast_axis;
  models::Panel panel;
  panel.name = section.id;
  panel.pixel_size = {std::abs(fast.increment), std::abs(slow.increment)};
  panel.image_size = {static_cast<int>(section.size[0]), static_cast<int>(section.size[1])};
  panel.frame.fast = unit(fast.increment > 0 ? step_fast : -1.0 * step_fast);
  panel.frame.slow = unit(slow.increment > 0 ? step_slow : -1.0 * step_slow);
  panel.frame.origin =
      (fast_last ? place_fast : place_slow).shift + fast.first * step_fast + slow.first * step_slow;
  panel.trusted_range = {-0x7FFFFFFF, 0x7FFFFFFD};
  read_intensities(file, index, section, panel);
  return panel;
}

models::Detector read_detector(const CifFile& file, const std::string& path,
                               const std::vector<Section>& sections) {
  const Axes axes(file, path);
  models::Detector detector;
  for (std::size_t i = 0; i < sections.size(); ++i)
    detector.panels.push_back(make_panel(file, path, axes, i, sections[i]));
  core::require(!detector.panels.empty(),
                "{} has no geometry (array_structure_list names no axes) give one with "
                "input.reference_geometry?",
                path);
  return detector;
}

models::Beam read_beam(const CifFile& file, const std::string& path) {
  models::Beam beam;
  for (const CifRow& row : file.table("axis"))
    if (field(row, "equipment") == "source" && norm2(triple(row, "vector")) > 0)
      beam.direction = unit(triple(row, "vector"));
  for (const CifRow& row : file.table("diffrn_radiation_wavelength")) {
    beam.spectrum.wavelengths.push_back(number(row, "wavelength"));
    beam.spectrum.weights.push_back(number(row, "wt", 1));
  }
  core::require(!beam.spectrum.empty() && beam.spectrum.wavelengths[0] > 0,
                "{} gives no wavelength (diffrn_radiation_wavelength)", path);
  beam.wavelength = beam.spectrum.wavelengths[0];
  if (beam.spectrum.wavelengths.size() == 1)
    beam.spectrum = {};
  else
    beam.wavelength = beam.spectrum.mean_wavelength();
  for (const CifRow& row : file.table("diffrn_radiation")) beam.flux = number(row, "beam_flux");
  return beam;
}

class ImgCif final : public CbfReader {
public:
  ImgCif(const std::string& path, const std::string& text)
      : CbfReader(path, text)
      , file_(path) {
    std::vector<CifArray> arrays;
    for (std::size_t i = 0; i < file_.array_count(); ++i) arrays.push_back(file_.array(i, false));
    core::require(!arrays.empty(), "{} has no pixels (array_data is empty)", path);
    real_ = std::any_of(arrays.begin(), arrays.end(), [](const CifArray& a) { return a.real; });
    const std::vector<Section> sections = read_sections(file_);
    auto layout = std::make_shared<models::ImageLayout>();
    for (const CifArray& array : arrays) layout->size += array.fast * array.mid * array.slow;
    for (const Section& section : sections)
      layout->panels.push_back(window_of(path, section, arrays));
    if (sections.empty())
      layout->panels.push_back(
          {0, arrays[0].fast, static_cast<int>(arrays[0].fast), static_cast<int>(arrays[0].mid)});
    layout_ = layout;
    beam_ = attempt([&] { return read_beam(file_, path); });
    detector_ = attempt([&] {
      return std::make_shared<const models::Detector>(read_detector(file_, path, sections));
    });
  }
  std::shared_ptr<const models::Detector> detector() const override { return detector_.get(); }
  models::Beam beam(std::int64_t frame) const override {
    require_frame(frame);
    return beam_.get();
  }

private:
  void decode(models::Image& image) override {
    if (real_)
      image.pixels = gather<float>();
    else
      image.pixels = gather<std::int32_t>();
  }

  template <typename T>
  std::vector<T> gather() const {
    std::vector<T> pixels;
    pixels.reserve(layout_->size);
    for (std::size_t i = 0; i < file_.array_count(); ++i) {
      const CifArray array = file_.array(i, true);
      for (const std::int32_t v : array.integers) pixels.push_back(static_cast<T>(v));
      for (const float v : array.reals) pixels.push_back(static_cast<T>(v));
    }
    return pixels;
  }

  CifFile file_;
  bool real_ = false;
  Attempt<models::Beam> beam_;
  Attempt<std::shared_ptr<const models::Detector>> detector_;
};

} // namespace

std::unique_ptr<ImageReader> open_imgcif(const std::string& path, const std::string& text) {
  return std::make_unique<ImgCif>(path, text);
}

} // namespace kilobragg::io
