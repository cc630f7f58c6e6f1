// geometry.* and input.reference_geometry applied to the models of an image.
#pragma once

#include "kilobragg/programs/stills_options.hpp"

namespace kilobragg::programs {

/// The detector of the first experiment of an .expt. Throws core::Error.
std::shared_ptr<const models::Detector> read_reference_geometry(const std::string& path);

/// Throws core::Error unless the detector has as many panels as the image, with the same sizes in
/// pixels.
void require_same_panels(const models::Detector& reference, const models::ImageLayout& image,
                         const std::string& reference_path);

/// Moves all panels along the beam so that the panel that the beam meets (or the first) is
/// `distance` mm from the sample.
models::Detector at_distance(models::Detector detector, const models::Beam& beam, double distance);

} // namespace kilobragg::programs
