// Beam, detector, crystal and profile as the JSON objects that dxtbx reads and writes.
#pragma once

#include "json_fields.hpp"

#include "kilobragg/models/experiment.hpp"

namespace kilobragg::io {

Json beam_to_json(const models::Beam& beam);
Json crystal_to_json(const models::Crystal& crystal);
Json profile_to_json(const models::GaussianProfile& profile);
/// Panels and hierarchy, each frame relative to its parent.
Json detector_to_json(const models::Detector& detector);

/// The inverses; `place` names the object in errors. Keys that are not known are passed over.
models::Beam beam_from_json(const JsonPlace& place);
models::Crystal crystal_from_json(const JsonPlace& place);
/// None for profile models other than gaussian_rs.
std::optional<models::GaussianProfile> profile_from_json(const JsonPlace& place);
models::Detector detector_from_json(const JsonPlace& place);

} // namespace kilobragg::io
