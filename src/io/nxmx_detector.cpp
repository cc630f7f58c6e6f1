// Panels from NXdetector_module groups, or from beam centre and distance where there are none.
#include "nxmx_detector.hpp"

#include "nexus_axes.hpp"
#include "nexus_units.hpp"

#include "kilobragg/io/sensor_material.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::io {
namespace {

/// One NXdetector_module.
struct Module {
  std::string path;
  FrameShape at{0, 0, 0}, size{1, 1, 1};
  std::array<double, 2> pixel_size{}; ///< mm, fast and slow
  Vec3 fast, slow, origin;            ///< NeXus axes, in the laboratory (mm)
  std::vector<NexusAxis> chain;       ///< from the fast direction's dependency to the laboratory
};

std::optional<double> number_with_unit(const DetectorContext& c, const std::string& path,
                                       const char* fallback) {
  const auto value = hdf5::read_number(c.file, path);
  if (!value) return std::nullopt;
  const std::string unit = hdf5::text_attribute(c.file, path, "units").value_or(fallback);
  const auto factor = millimetres_per(unit);
  core::require(factor.has_value(), "{}:{} has an unknown unit ({})", c.path, path, unit);
  return *value * *factor;
}

/// data_origin or data_size, right-aligned: two elements (slow, fast) or three (panel first).
bool read_extent(const DetectorContext& c, const std::string& path, FrameShape& to, int& elements) {
  const auto values = hdf5::read_numbers(c.file, path);
  if (!values) return false;
  core::require(values->size() == 2 || values->size() == 3,
                "{}:{} has {} elements instead of 2 or 3", c.path, path, values->size());
  elements = static_cast<int>(values->size());
  for (std::size_t i = 0; i < values->size(); ++i) {
    core::require((*values)[i] >= 0, "{}:{} is negative", c.path, path);
    to[3 - values->size() + i] = static_cast<std::size_t>((*values)[i]);
  }
  return true;
}

/// Where the module lies in the frame. `index` = its number, for files that give two elements
/// although frames have a panel axis.
void place_module(const DetectorContext& c, std::size_t index, Module& module) {
  const FrameShape& frame = c.frames->shape();
  int origin_elements = 2, size_elements = 2;
  read_extent(c, module.path + "/data_origin", module.at, origin_elements);
  if (!read_extent(c, module.path + "/data_size", module.size, size_elements))
    module.size = {1, frame[1], frame[2]};
  if (c.frames->frame_rank() == 3 && origin_elements == 2) module.at[0] = index;
  if (c.frames->frame_rank() == 2) module.at[0] = 0, module.size[0] = 1;
  const auto fits = [&] {
    for (std::size_t i = 0; i < 3; ++i)
      if (module.at[i] + module.size[i] > frame[i]) return false;
    return module.size[0] == 1 && module.size[1] > 0 && module.size[2] > 0;
  };
  // Some DECTRIS firmware writes fast before slow.
  if (!fits()) std::swap(module.size[1], module.size[2]);
  if (fits()) return;
  std::swap(module.size[1], module.size[2]);
  core::fail(
      "{}:{} does not lie within the frames (data_origin and data_size reach to {} x {} x {}, "
      "frames have {} x {} x {}) is this the geometry of another detector?",
      c.path, module.path, module.at[0] + module.size[0], module.at[1] + module.size[1],
      module.at[2] + module.size[2], frame[0], frame[1], frame[2]);
}

/// Panel origin within the frame that the chain starts from: the offset of a pixel direction, or
/// module_offset where the chain does not pass through it.
Vec3 local_origin(const DetectorContext& c, AxisReader& axes, const NexusAxis& fast,
                  const NexusAxis& slow, Module& module) {
  const std::string offset_path = module.path + "/module_offset";
  const bool passed = std::any_of(module.chain.begin(), module.chain.end(),
                                  [&](const NexusAxis& a) { return a.path == offset_path; });
  const Vec3 offset = fast.has_offset ? fast.offset : slow.offset;
  if (passed || !hdf5::is_dataset(c.file, offset_path)) return offset;
  const NexusAxis& shift = axes.axis(offset_path);
  if (module.chain.empty()) {
    // Such files write "." as what the directions depend on and mean the module's own chain.
    module.chain = axes.chain(offset_path);
    return offset;
  }
  return fast.has_offset || slow.has_offset ? offset : shift.motion().shift;
}

std::optional<Module> read_module(const DetectorContext& c, AxisReader& axes,
                                  const std::string& path, std::size_t index) {
  Module module;
  module.path = path;
  const std::string fast_path = path + "/fast_pixel_direction",
                    slow_path = path + "/slow_pixel_direction";
  if (!hdf5::is_dataset(c.file, fast_path) || !hdf5::is_dataset(c.file, slow_path))
    return std::nullopt;
  place_module(c, index, module);
  const NexusAxis fast = axes.axis(fast_path), slow = axes.axis(slow_path);
  module.pixel_size = {fast.value, slow.value};
  core::require(fast.value > 0 && slow.value > 0, "{}:{} has pixels of {} x {} mm", c.path, path,
                fast.value, slow.value);
  module.chain = axes.chain(fast.depends_on);
  const Vec3 origin = local_origin(c, axes, fast, slow, module);
  const Motion motion = cumulative(module.chain);
  module.origin = motion(origin);
  module.fast = unit(motion.rotation * fast.vector);
  module.slow = unit(motion.rotation * slow.vector);
  core::require(std::abs(dot(module.fast, module.slow)) < 1e-3,
                "the pixel directions of {}:{} are not perpendicular", c.path, path);
  return module;
}

/// The NXdetector with modules, or the first one.
std::string find_detector(const DetectorContext& c) {
  const std::string instrument = c.entry + "/instrument";
  const auto found = hdf5::children_of_class(c.file, instrument, "NXdetector");
  for (const std::string& group : found)
    if (!hdf5::children_of_class(c.file, group, "NXdetector_module").empty()) return group;
  if (!found.empty()) return found.front();
  if (hdf5::is_group(c.file, instrument + "/detector")) return instrument + "/detector";
  core::fail("{} has no geometry (no NXdetector group in {}) give one with "
             "input.reference_geometry?",
             c.path, instrument);
}

std::vector<Module> read_modules(const DetectorContext& c, const std::string& group) {
  std::vector<Module> modules;
  AxisReader axes(c.file, c.path);
  for (const std::string& path : hdf5::children_of_class(c.file, group, "NXdetector_module"))
    if (auto module = read_module(c, axes, path, modules.size()))
      modules.push_back(std::move(*module));
  return modules;
}

/// Limits between which a count is a count. Unsigned data keep their two highest values for bad and
/// saturated pixels (DECTRIS), and 32-bit ones saturate where they are narrowed.
std::array<double, 2> trusted_range(const DetectorContext& c, const std::string& group) {
  constexpr double widest = 0x7FFFFFFF;
  double low = hdf5::read_number(c.file, group + "/underload_value").value_or(-widest);
  double high = hdf5::read_number(c.file, group + "/saturation_value").value_or(widest);
  auto bits = hdf5::read_number(c.file, group + "/bit_depth_image");
  if (!bits) bits = hdf5::read_number(c.file, group + "/bit_depth_readout");
  switch (c.frames->type()) {
  case StoredType::u8:
    high = std::min(high, 253.0);
    break;
  case StoredType::u16:
    high = std::min(high, 65533.0);
    break;
  case StoredType::u32:
    if (bits && *bits >= 8 && *bits < 32) high = std::min(high, std::exp2(*bits) - 3);
    [[fallthrough]];
  case StoredType::i32:
  case StoredType::other_integer:
    high = std::min(high, widest - 2);
    break;
  default:
    break;
  }
  if (low > high) low = -widest;
  return {low, high};
}

/// What all panels share: sensor and limits.
models::Panel common_panel(const DetectorContext& c, const std::string& group) {
  models::Panel panel;
  panel.trusted_range = trusted_range(c, group);
  panel.material =
      canonical_material(hdf5::read_text(c.file, group + "/sensor_material").value_or(""));
  panel.thickness = number_with_unit(c, group + "/sensor_thickness", "m").value_or(0);
  const auto mu = attenuation_per_mm(panel.material, c.wavelength);
  if (!mu || panel.thickness <= 0) return panel;
  panel.mu = *mu;
  panel.parallax = models::Parallax{*mu, panel.thickness};
  return panel;
}

models::PanelWindow window_of(const FrameShape& frame, const Module& module) {
  return {(module.at[0] * frame[1] + module.at[1]) * frame[2] + module.at[2], frame[2],
          static_cast<int>(module.size[2]), static_cast<int>(module.size[1])};
}

/// Groups of the hierarchy along one chain, outermost first: axes of one equipment_component make
/// one group, as in dxtbx.
struct ChainGroup {
  std::string name;
  models::Frame frame;
};

std::vector<ChainGroup> chain_groups(const std::vector<NexusAxis>& chain) {
  std::vector<ChainGroup> groups;
  Motion motion;
  for (std::size_t i = chain.size(); i-- > 0;) {
    motion = motion * chain[i].motion();
    const bool same = i + 1 < chain.size() && !chain[i].component.empty() &&
                      chain[i].component == chain[i + 1].component;
    const ChainGroup group{chain[i].path, node_frame(motion)};
    if (same)
      groups.back() = group;
    else
      groups.push_back(group);
  }
  return groups;
}

models::DetectorNode& child_named(models::DetectorNode& node, const ChainGroup& group) {
  for (models::DetectorNode& child : node.children)
    if (child.name == group.name) return child;
  models::DetectorNode child;
  child.name = group.name;
  child.frame = group.frame;
  node.children.push_back(child);
  return node.children.back();
}

/// The hierarchy of several modules; flat where their chains share no outermost axis.
models::DetectorNode hierarchy(const std::vector<Module>& modules,
                               const models::Detector& detector) {
  models::DetectorNode root;
  if (modules.size() < 2) return root;
  for (const Module& module : modules)
    if (module.chain.empty() || module.chain.back().path != modules[0].chain.back().path)
      return models::DetectorNode();
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const std::vector<ChainGroup> groups = chain_groups(modules[i].chain);
    if (i == 0) root.name = groups[0].name, root.frame = groups[0].frame;
    models::DetectorNode* node = &root;
    for (std::size_t g = 1; g < groups.size(); ++g) node = &child_named(*node, groups[g]);
    models::DetectorNode leaf;
    leaf.name = modules[i].path;
    leaf.type = detector.panels[i].type;
    leaf.frame = detector.panels[i].frame;
    leaf.panel = static_cast<int>(i);
    node->children.push_back(leaf);
  }
  return root;
}

/// Some older files put a single detector between source and sample; dxtbx mirrors it, so do we.
void repair_side(models::Panel& panel) {
  if (std::abs(panel.normal().z) > 0.99 && panel.frame.origin.z > 0)
    panel.frame.origin.z = -panel.frame.origin.z;
}

/// Beam centre (pixels) and distance, as plain DECTRIS masters give them.
struct CentreAndDistance {
  std::optional<double> x, y, distance;
};

CentreAndDistance read_centre(const DetectorContext& c, const std::string& group) {
  CentreAndDistance found{hdf5::read_number(c.file, group + "/beam_center_x"),
                          hdf5::read_number(c.file, group + "/beam_center_y"), std::nullopt};
  for (const char* name : {"/detector_distance", "/distance"})
    if (!found.distance) found.distance = number_with_unit(c, group + name, "m");
  return found;
}

NxmxDetector from_beam_centre(const DetectorContext& c, const std::string& group) {
  const CentreAndDistance centre = read_centre(c, group);
  const auto px = number_with_unit(c, group + "/x_pixel_size", "m"),
             py = number_with_unit(c, group + "/y_pixel_size", "m");
  if (!centre.x || !centre.y || !centre.distance || !px || !py)
    core::fail(
        "{} has no geometry (neither modules with pixel directions nor beam_center_x, "
        "beam_center_y, detector_distance, x_pixel_size and y_pixel_size in {}) give one with "
        "input.reference_geometry?",
        c.path, group);
  const FrameShape& frame = c.frames->shape();
  core::require(frame[0] == 1, "{} gives a beam centre but no modules for its {} panels ({})",
                c.path, frame[0], group);
  NxmxDetector result;
  result.group = group;
  models::Panel panel = common_panel(c, group);
  panel.name = group;
  panel.pixel_size = {*px, *py};
  panel.image_size = {static_cast<int>(frame[2]), static_cast<int>(frame[1])};
  panel.frame = {{1, 0, 0}, {0, -1, 0}, {-*centre.x * *px, *centre.y * *py, -*centre.distance}};
  result.detector.panels.push_back(panel);
  result.layout.size = pixels_in(frame);
  result.layout.panels.push_back({0, frame[2], panel.image_size[0], panel.image_size[1]});
  return result;
}

NxmxDetector from_modules(const DetectorContext& c, const std::string& group,
                          const std::vector<Module>& modules) {
  NxmxDetector result;
  result.group = group;
  const FrameShape& frame = c.frames->shape();
  result.layout.size = pixels_in(frame);
  const models::Panel common = common_panel(c, group);
  for (const Module& module : modules) {
    models::Panel panel = common;
    panel.name = module.path;
    panel.pixel_size = module.pixel_size;
    panel.image_size = {static_cast<int>(module.size[2]), static_cast<int>(module.size[1])};
    panel.frame = {from_nexus(module.fast), from_nexus(module.slow), from_nexus(module.origin)};
    result.detector.panels.push_back(panel);
    result.layout.panels.push_back(window_of(frame, module));
  }
  result.detector.root = hierarchy(modules, result.detector);
  return result;
}

/// A module without a place of its own (older DECTRIS files) takes it from beam centre and distance.
void complete_single_panel(const DetectorContext& c, const std::string& group,
                           models::Panel& panel) {
  Vec3& origin = panel.frame.origin;
  const CentreAndDistance centre = read_centre(c, group);
  if (origin.x == 0 && origin.y == 0 && centre.x && centre.y)
    origin -= *centre.x * panel.pixel_size[0] * panel.frame.fast +
              *centre.y * panel.pixel_size[1] * panel.frame.slow;
  if (origin.z == 0 && centre.distance) origin.z = -*centre.distance;
  repair_side(panel);
  core::require(
      panel.distance() != 0,
      "{} puts its detector at the sample (the distance is zero in {}) give a geometry with "
      "input.reference_geometry?",
      c.path, group);
}

} // namespace

NxmxDetector read_nxmx_detector(const DetectorContext& context) {
  const std::string group = find_detector(context);
  const std::vector<Module> modules = read_modules(context, group);
  if (modules.empty()) return from_beam_centre(context, group);
  NxmxDetector result = from_modules(context, group, modules);
  if (modules.size() == 1) complete_single_panel(context, group, result.detector.panels[0]);
  return result;
}

} // namespace kilobragg::io
