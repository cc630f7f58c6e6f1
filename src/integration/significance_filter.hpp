// Cuts the reflections of one still at the resolution where they stop being significant.
#pragma once

#include "kilobragg/models/reflections.hpp"

#include <vector>

namespace kilobragg::integration {

/// Sorts reflections into `bins` shells of equal volume from the lowest to the highest resolution
/// among them, and removes those in and beyond the first shell whose mean I/sigma over positive
/// intensities is below `cutoff` (an empty shell counts as below).
void cut_insignificant(std::vector<models::IntegratedReflection>& reflections, int bins,
                       double cutoff);

} // namespace kilobragg::integration
