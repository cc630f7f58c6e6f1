// A reader whose detector and layout come from elsewhere.
#pragma once

#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/reference_geometry.hpp"

#include <memory>

namespace kilobragg::io {

/// The frames of `reader` with another detector, whose panels lie where `layout` says.
std::unique_ptr<ImageReader> with_geometry(std::unique_ptr<ImageReader> reader,
                                           std::shared_ptr<const models::Detector> detector,
                                           std::shared_ptr<const models::ImageLayout> layout);

/// Where the panels of the reference lie in the frames of `reader`. Throws core::Error as
/// apply_reference_geometry() does.
std::shared_ptr<const models::ImageLayout> layout_with(const ImageReader& reader,
                                                       const ReferenceGeometry& reference);

} // namespace kilobragg::io
