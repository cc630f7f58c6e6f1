// Descriptions as JSON in MessagePack form.
#include "description_codec.hpp"

#include "attenuation.hpp"
#include "model_json.hpp"

#include "kilobragg/io/lookup_mask.hpp"

namespace kilobragg::io {
namespace {

Json frame_to_json(const models::Frame& frame) {
  return {to_json(frame.fast), to_json(frame.slow), to_json(frame.origin)};
}

/// Frames of a node and all below it, each node before its children.
void append_frames(const models::DetectorNode& node, Json& frames) {
  frames.push_back(frame_to_json(node.frame));
  for (const models::DetectorNode& child : node.children) append_frames(child, frames);
}

/// Laboratory frames of the panels, then of the tree.
Json frames_to_json(const models::Detector& detector) {
  Json frames = Json::array();
  for (const models::Panel& panel : detector.panels) frames.push_back(frame_to_json(panel.frame));
  if (!detector.root.children.empty()) append_frames(detector.root, frames);
  return frames;
}

Vec3 vec3_of(const Json& json) { return {json.at(0), json.at(1), json.at(2)}; }

models::Frame frame_of(const Json& json) {
  models::Frame frame;
  frame.fast = vec3_of(json.at(0));
  frame.slow = vec3_of(json.at(1));
  frame.origin = vec3_of(json.at(2));
  return frame;
}

/// As append_frames; `next` is the position of the node's frame.
void set_frames(models::DetectorNode& node, const Json& frames, std::size_t& next) {
  node.frame = frame_of(frames.at(next++));
  for (models::DetectorNode& child : node.children) set_frames(child, frames, next);
}

/// dxtbx's form holds frames relative to their groups; the laboratory frames travel beside it, so
/// that no rounding comes in.
std::shared_ptr<const models::Detector> detector_of(const Json& json) {
  auto detector =
      std::make_shared<models::Detector>(detector_from_json({json.at("detector"), "description"}));
  const Json& frames = json.at("frames");
  std::size_t next = 0;
  for (models::Panel& panel : detector->panels) panel.frame = frame_of(frames.at(next++));
  if (next < frames.size())
    set_frames(detector->root, frames, next);
  else
    detector->root = {}; // a flat list of panels, as it was
  return detector;
}

Json as_binary(const std::string& bytes) {
  return Json::binary(std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
}

std::string of_binary(const Json& json) {
  const auto& bytes = json.get_binary();
  return {bytes.begin(), bytes.end()};
}

Json layout_to_json(const models::ImageLayout& layout) {
  Json panels = Json::array();
  for (const models::PanelWindow& w : layout.panels)
    panels.push_back({w.offset, w.stride, w.width, w.height});
  return {{"size", layout.size}, {"panels", std::move(panels)}};
}

std::shared_ptr<const models::ImageLayout> layout_of(const Json& json) {
  auto layout = std::make_shared<models::ImageLayout>();
  layout->size = json.at("size");
  for (const Json& w : json.at("panels"))
    layout->panels.push_back({w.at(0), w.at(1), w.at(2), w.at(3)});
  return layout;
}

Json format_to_json(const PixelFormat& f) {
  return {{"rank", f.rank},
          {"frames", f.frames},
          {"shape", f.shape},
          {"chunk", f.chunk_shape},
          {"type", static_cast<int>(f.type)},
          {"element", f.element},
          {"codec", static_cast<int>(f.codec)},
          {"contiguous", {f.contiguous.path, f.contiguous.offset, f.contiguous.length}}};
}

PixelFormat format_of(const Json& json) {
  PixelFormat f;
  f.rank = json.at("rank");
  f.frames = json.at("frames");
  f.shape = json.at("shape");
  f.chunk_shape = json.at("chunk");
  f.type = static_cast<StoredType>(json.at("type").get<int>());
  f.element = json.at("element");
  f.codec = static_cast<PixelFormat::Codec>(json.at("codec").get<int>());
  const Json& place = json.at("contiguous");
  f.contiguous = {place.at(0), place.at(1), place.at(2)};
  return f;
}

Json piece_to_json(const Piece& p) {
  return {p.source,        p.first, p.stride,    p.count, p.source_first,
          p.source_stride, p.at,    p.source_at, p.size};
}

Piece piece_of(const Json& j) {
  return {j.at(0), j.at(1), j.at(2), j.at(3), j.at(4), j.at(5), j.at(6), j.at(7), j.at(8)};
}

} // namespace

std::string pack_json(const Json& json) {
  const auto bytes = Json::to_msgpack(json);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Json unpack_json(const std::string& bytes) {
  Json json = Json::from_msgpack(bytes, true, false);
  core::require(!json.is_discarded(), "a description of {} bytes cannot be read", bytes.size());
  return json;
}

std::string pack_geometry(const DescribedGeometry& geometry) {
  Json json = {{"layout", layout_to_json(*geometry.layout)}};
  if (geometry.detector.value) {
    json["detector"] = detector_to_json(**geometry.detector.value);
    json["frames"] = frames_to_json(**geometry.detector.value);
  } else {
    json["why"] = geometry.detector.why;
  }
  if (geometry.masks.common) json["mask"] = as_binary(pack_mask(*geometry.masks.common));
  json["mask_per_frame"] = geometry.masks.per_frame;
  return pack_json(json);
}

DescribedGeometry unpack_geometry(const std::string& bytes) {
  const Json json = unpack_json(bytes);
  DescribedGeometry geometry;
  geometry.layout = layout_of(json.at("layout"));
  if (json.contains("detector"))
    geometry.detector.value = detector_of(json);
  else
    geometry.detector.why = json.at("why");
  if (json.contains("mask"))
    geometry.masks.common =
        std::make_shared<const models::PixelMask>(unpack_mask(of_binary(json.at("mask"))));
  geometry.masks.per_frame = json.at("mask_per_frame");
  return geometry;
}

ImageDescription pack_description(DescribedGeometry geometry, Json source) {
  if (geometry.detector.value) {
    auto bare = std::make_shared<models::Detector>(**geometry.detector.value);
    source["attenuation"] = take_attenuation(*bare);
    geometry.detector.value = std::move(bare);
  }
  return {pack_geometry(geometry), pack_json(source)};
}

DescribedGeometry unpack_geometry(const std::string& bytes, const Json& source) {
  DescribedGeometry geometry = unpack_geometry(bytes);
  if (geometry.detector.value && source.contains("attenuation")) {
    auto whole = std::make_shared<models::Detector>(**geometry.detector.value);
    put_attenuation(*whole, source.at("attenuation"));
    geometry.detector.value = std::move(whole);
  }
  return geometry;
}

Json to_json(const FrameMap& map) {
  Json sources = Json::array(), pieces = Json::array();
  for (const FrameMap::Source& s : map.sources)
    sources.push_back({s.name.file, s.name.dataset, s.format ? format_to_json(*s.format) : Json()});
  for (const Piece& piece : map.pieces) pieces.push_back(piece_to_json(piece));
  return {{"sources", std::move(sources)}, {"pieces", std::move(pieces)},
          {"frames", map.frames},          {"shape", map.shape},
          {"frame_rank", map.frame_rank},  {"type", static_cast<int>(map.type)},
          {"type_text", map.type_text},    {"fill", map.fill}};
}

FrameMap frame_map_from_json(const Json& json) {
  FrameMap map;
  for (const Json& s : json.at("sources")) {
    FrameMap::Source source{{s.at(0), s.at(1)}, {}};
    if (!s.at(2).is_null()) source.format = format_of(s.at(2));
    map.sources.push_back(std::move(source));
  }
  for (const Json& piece : json.at("pieces")) map.pieces.push_back(piece_of(piece));
  map.frames = json.at("frames");
  map.shape = json.at("shape");
  map.frame_rank = json.at("frame_rank");
  map.type = static_cast<StoredType>(json.at("type").get<int>());
  map.type_text = json.at("type_text");
  map.fill = json.at("fill");
  return map;
}

Json to_json(const NxmxBeamFacts& facts) {
  const auto first = [](const std::vector<double>& values) {
    return values.empty() ? values : std::vector<double>{values[0]};
  };
  return {{"frames", facts.frames},
          {"wavelengths", first(facts.wavelengths)},
          {"flux", first(facts.flux)},
          {"spectrum", facts.spectrum},
          {"weights", facts.weights},
          {"factor", facts.spectrum_factor},
          {"shared", {facts.shared.wavelengths, facts.shared.weights}}};
}

NxmxBeamFacts beam_facts_from_json(const Json& json) {
  NxmxBeamFacts facts;
  facts.frames = json.at("frames");
  facts.wavelengths = json.at("wavelengths").get<std::vector<double>>();
  facts.flux = json.at("flux").get<std::vector<double>>();
  facts.spectrum = json.at("spectrum");
  facts.weights = json.at("weights");
  facts.spectrum_factor = json.at("factor");
  facts.shared.wavelengths = json.at("shared").at(0).get<std::vector<double>>();
  facts.shared.weights = json.at("shared").at(1).get<std::vector<double>>();
  return facts;
}

} // namespace kilobragg::io
