// From spot centroids in pixels to millimetres and reciprocal space.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/reflections.hpp"

namespace kilobragg::models {

/// Fills mm, mm_variance, s1 and rlp of every spot. s1 has length 1/wavelength, rlp = s1 - s0.
void map_spots(SpotList& list, const Detector& detector, const Beam& beam);

} // namespace kilobragg::models
