// Packs what readers know of geometry, frames and beam into descriptions, and takes them apart.
#pragma once

#include "attempt.hpp"
#include "json_fields.hpp"
#include "nxmx_beam.hpp"
#include "nxmx_detector.hpp"

#include "kilobragg/io/image_description.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/image.hpp"

#include <memory>
#include <string>

namespace kilobragg::io {

/// The part of a description that sources may share.
struct DescribedGeometry {
  Attempt<std::shared_ptr<const models::Detector>> detector;
  std::shared_ptr<const models::ImageLayout> layout;
  NxmxMasks masks;
};

/// MessagePack. Frames of panels come back to the last bit.
std::string pack_geometry(const DescribedGeometry& geometry);
/// Throws core::Error on bytes that are no geometry.
DescribedGeometry unpack_geometry(const std::string& bytes);

/// A description of both. The attenuation in the sensor goes with the source, so that sources that
/// differ in it alone share their geometry.
ImageDescription pack_description(DescribedGeometry geometry, Json source);
/// The geometry of such a description, whose source is unpacked already.
DescribedGeometry unpack_geometry(const std::string& bytes, const Json& source);

Json to_json(const FrameMap& map);
FrameMap frame_map_from_json(const Json& json);
/// Without what differs from frame to frame and stands in a Shot.
Json to_json(const NxmxBeamFacts& facts);
NxmxBeamFacts beam_facts_from_json(const Json& json);

std::string pack_json(const Json& json);
/// Throws core::Error on bytes that hold no JSON in MessagePack.
Json unpack_json(const std::string& bytes);

} // namespace kilobragg::io
