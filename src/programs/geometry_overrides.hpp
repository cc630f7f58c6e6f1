// geometry.* applied to the models of an image.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"

namespace kilobragg::programs {

/// Moves all panels along the beam so that the panel that the beam meets (or the first) is
/// `distance` mm from the sample.
models::Detector at_distance(models::Detector detector, const models::Beam& beam, double distance);

} // namespace kilobragg::programs
