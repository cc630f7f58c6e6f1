// Whether a detector and a beam can be right, and what they mean for an experiment.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/symmetry.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

struct GeometryFacts {
  double distance = 0; ///< mm, of the panel that the beam meets, or the nearest one to the beam
  std::optional<models::RayHit> beam_hit; ///< where the direct beam meets a panel
  double beam_gap = 0;        ///< mm from the beam to the nearest panel if it meets none
  std::optional<double> edge; ///< angstrom; finest ring that no outer edge cuts
  double corner = 0;          ///< angstrom; finest resolution at any panel corner
};

/// The detector must have no problem (see below).
GeometryFacts measure_geometry(const models::Detector& detector, const models::Beam& beam);

/// What cannot be right: numbers that are none, panels without size, axes that are not
/// perpendicular unit vectors, a detector behind the sample, a wavelength that is none.
std::vector<std::string> geometry_problems(const models::Detector& detector,
                                           const models::Beam& beam);

/// What is hardly right, most of all wrong units. Only for geometries without problems.
std::vector<std::string> geometry_doubts(const models::Detector& detector,
                                         const models::Beam& beam);

/// Two lines for people: panels, distance, wavelength, beam position, resolution.
std::vector<std::string> describe_geometry(const models::Detector& detector,
                                           const models::Beam& beam);

/// The same text for geometries that agree within a nanometre.
std::string geometry_key(const models::Detector& detector);

/// Pixels between neighbouring reflections along the longest axis of the cell, near the beam.
double spot_separation_px(const models::Detector& detector, const models::Beam& beam,
                          const models::UnitCell& cell);

/// How many reflections a still of this crystal shows on the detector: mean over some orientations.
/// Mosaicity: half angle `half_mosaicity_deg`, domains of `domain_angstrom`.
double expected_reflections(const models::Detector& detector, const models::Beam& beam,
                            const models::UnitCell& cell, const models::SpaceGroup& group,
                            std::optional<double> d_min, double half_mosaicity_deg,
                            double domain_angstrom);

} // namespace kilobragg::programs
