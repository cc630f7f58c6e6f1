// geometry.* applied to the models of an image.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <memory>

namespace kilobragg::programs {

/// Moves all panels along the beam so that the panel that the beam meets (or the first) is
/// `distance` mm from the sample.
models::Detector at_distance(models::Detector detector, const models::Beam& beam, double distance);

/// The detector as the options adjust it. Throws core::Error if it cannot be (a gain given twice).
std::shared_ptr<const models::Detector>
adjusted_detector(std::shared_ptr<const models::Detector> detector, const models::Beam& beam,
                  const StillsOptions& options);
/// The beam as the options adjust it.
models::Beam adjusted_beam(models::Beam beam, const StillsOptions& options);

} // namespace kilobragg::programs
