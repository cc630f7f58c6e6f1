// Detectors to and from dxtbx's JSON: a list of panels, and a tree of frames that refers to it.
#include "model_json.hpp"

namespace kilobragg::io {
namespace {

using models::Detector;
using models::DetectorNode;
using models::Frame;
using models::Panel;

/// A tree deeper than this is no detector.
constexpr int deepest = 32;

void put_frame(Json& json, const Frame& frame) {
  json["fast_axis"] = to_json(frame.fast);
  json["slow_axis"] = to_json(frame.slow);
  json["origin"] = to_json(frame.origin);
}

/// The members of a panel, or of a group, which dxtbx writes as a panel without pixels.
Json panel_to_json(const Panel& panel, const Frame& local) {
  Json json = {{"name", panel.name}, {"type", panel.type}};
  put_frame(json, local);
  json["raw_image_offset"] = panel.raw_image_offset;
  json["image_size"] = panel.image_size;
  json["pixel_size"] = panel.pixel_size;
  json["trusted_range"] = panel.trusted_range;
  json["thickness"] = panel.thickness;
  json["material"] = panel.material;
  json["mu"] = panel.mu;
  json["identifier"] = panel.identifier;
  json["mask"] = panel.mask;
  json["gain"] = panel.gain;
  json["pedestal"] = panel.pedestal;
  if (panel.parallax)
    json["px_mm_strategy"] = {{"type", "ParallaxCorrectedPxMmStrategy"},
                              {"mu", panel.parallax->mu},
                              {"t0", panel.parallax->thickness}};
  else
    json["px_mm_strategy"] = {{"type", "SimplePxMmStrategy"}};
  return json;
}

Json group_to_json(const DetectorNode& node, const Frame& local) {
  Panel empty;
  empty.name = node.name;
  empty.type = node.type;
  empty.pixel_size = {0, 0};
  empty.trusted_range = {0, 0};
  return panel_to_json(empty, local);
}

/// The children of `node` as JSON; notes the frame that each panel's frame is relative to.
Json children_to_json(const DetectorNode& node, std::vector<Frame>& parents) {
  Json children = Json::array();
  for (const DetectorNode& child : node.children) {
    if (child.panel >= 0) {
      parents.at(static_cast<std::size_t>(child.panel)) = node.frame;
      children.push_back({{"panel", child.panel}});
    } else {
      Json group = group_to_json(child, node.frame.relative(child.frame));
      group["children"] = children_to_json(child, parents);
      children.push_back(std::move(group));
    }
  }
  return children;
}

/// The tree; a flat list of panels hangs under a root that is the laboratory.
DetectorNode tree_of(const Detector& detector) {
  if (!detector.root.children.empty()) return detector.root;
  DetectorNode root;
  for (std::size_t i = 0; i < detector.panels.size(); ++i) {
    DetectorNode leaf;
    leaf.panel = static_cast<int>(i);
    root.children.push_back(std::move(leaf));
  }
  return root;
}

Frame frame_from_json(const JsonPlace& place) {
  return {place.vec3("fast_axis"), place.vec3("slow_axis"), place.vec3("origin")};
}

std::optional<models::Parallax> parallax_from_json(const JsonPlace& place) {
  if (!place.has("px_mm_strategy")) return std::nullopt;
  const JsonPlace strategy = place.need("px_mm_strategy");
  const auto type = strategy.get_or<std::string>("type", "SimplePxMmStrategy");
  if (type == "SimplePxMmStrategy") return std::nullopt;
  if (type != "ParallaxCorrectedPxMmStrategy")
    strategy.bad(fmt::format("has unknown type '{}'", type));
  // Old files leave out what the panel itself holds.
  return models::Parallax{strategy.get_or("mu", place.get_or("mu", 0.0)),
                          strategy.get_or("t0", place.get_or("thickness", 0.0))};
}

Panel panel_from_json(const JsonPlace& place) {
  Panel panel;
  panel.name = place.get_or("name", panel.name);
  panel.type = place.get_or("type", panel.type);
  panel.material = place.get_or("material", panel.material);
  panel.identifier = place.get_or("identifier", panel.identifier);
  panel.frame = frame_from_json(place);
  panel.pixel_size = place.get<std::array<double, 2>>("pixel_size");
  panel.image_size = place.get<std::array<int, 2>>("image_size");
  panel.raw_image_offset = place.get_or("raw_image_offset", panel.raw_image_offset);
  panel.trusted_range = place.get_or("trusted_range", panel.trusted_range);
  panel.thickness = place.get_or("thickness", panel.thickness);
  panel.mu = place.get_or("mu", panel.mu);
  panel.gain = place.get_or("gain", panel.gain);
  panel.pedestal = place.get_or("pedestal", panel.pedestal);
  panel.mask = place.get_or("mask", panel.mask);
  panel.parallax = parallax_from_json(place);
  if (!(panel.pixel_size[0] > 0 && panel.pixel_size[1] > 0))
    place.bad("has a 'pixel_size' that is not positive");
  if (panel.image_size[0] < 0 || panel.image_size[1] < 0) place.bad("has a negative 'image_size'");
  return panel;
}

/// Builds the tree under `node` and takes the panels that it names from its frame to the laboratory.
class TreeReader {
public:
  explicit TreeReader(Detector& detector)
      : detector_(detector)
      , placed_(detector.panels.size(), false) {}

  void read_children(const JsonPlace& place, DetectorNode& node, int depth) {
    if (depth > deepest) place.bad("has too many levels");
    const JsonPlace children = place.need("children");
    for (std::size_t i = 0; i < children.value.size(); ++i) {
      const JsonPlace child{children.value.at(i), fmt::format("{}, child {}", place.where, i)};
      node.children.push_back(child.has("panel") ? leaf(child, node.frame)
                                                 : group(child, node.frame, depth));
    }
  }

  void check_all_placed(const JsonPlace& place) const {
    for (std::size_t i = 0; i < placed_.size(); ++i)
      if (!placed_[i]) place.bad(fmt::format("does not name panel {}", i));
  }

private:
  DetectorNode group(const JsonPlace& place, const Frame& parent, int depth) {
    DetectorNode node;
    node.name = place.get_or("name", node.name);
    node.type = place.get_or("type", node.type);
    node.frame = parent.compose(frame_from_json(place));
    read_children(place, node, depth + 1);
    return node;
  }

  DetectorNode leaf(const JsonPlace& place, const Frame& parent) {
    const auto index = place.get<std::int64_t>("panel");
    if (index < 0 || index >= static_cast<std::int64_t>(placed_.size()))
      place.bad(fmt::format("names panel {} of {}", index, placed_.size()));
    const auto i = static_cast<std::size_t>(index);
    if (placed_[i]) place.bad(fmt::format("names panel {} again", index));
    placed_[i] = true;
    Panel& panel = detector_.panels[i];
    panel.frame = parent.compose(panel.frame);
    DetectorNode node;
    node.name = panel.name;
    node.type = panel.type;
    node.frame = panel.frame;
    node.panel = static_cast<int>(index);
    return node;
  }

  Detector& detector_;
  std::vector<bool> placed_;
};

} // namespace

Json detector_to_json(const Detector& detector) {
  const DetectorNode root = tree_of(detector);
  std::vector<Frame> parents(detector.panels.size());
  Json hierarchy = group_to_json(root, root.frame);
  hierarchy["children"] = children_to_json(root, parents);
  Json panels = Json::array();
  for (std::size_t i = 0; i < detector.panels.size(); ++i)
    panels.push_back(
        panel_to_json(detector.panels[i], parents[i].relative(detector.panels[i].frame)));
  Json json;
  json["panels"] = std::move(panels);
  json["hierarchy"] = std::move(hierarchy);
  return json;
}

Detector detector_from_json(const JsonPlace& place) {
  Detector detector;
  const JsonPlace panels = place.need("panels");
  if (!panels.value.is_array() || panels.value.empty()) panels.bad("is no list of panels");
  for (std::size_t i = 0; i < panels.value.size(); ++i)
    detector.panels.push_back(
        panel_from_json({panels.value.at(i), fmt::format("{}, panel {}", place.where, i)}));
  if (!place.has("hierarchy")) return detector;
  const JsonPlace hierarchy = place.need("hierarchy");
  detector.root.name = hierarchy.get_or("name", detector.root.name);
  detector.root.type = hierarchy.get_or("type", detector.root.type);
  detector.root.frame = frame_from_json(hierarchy);
  TreeReader tree(detector);
  tree.read_children(hierarchy, detector.root, 0);
  tree.check_all_placed(hierarchy);
  return detector;
}

} // namespace kilobragg::io
