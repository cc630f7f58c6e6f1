// What the report and the tables of refinement against pixels take from the shots of all ranks.
#pragma once

#include "pixel_output.hpp"

#include "kilobragg/report/pixel_report.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace kilobragg::programs {

/// By shot, in the order of their identifiers once all are together.
struct ShotParts {
  std::vector<std::string> rows;   ///< of the CSV of shots
  std::vector<std::string> errors; ///< of the CSV of parameters
  std::vector<double> sigma_z;     ///< sorted
  std::map<std::string, std::int64_t> states;
  report::Histogram pixel_z;
  std::vector<std::pair<std::string, report::BoxShown>> boxes; ///< with a key that sorts them
};

/// Of all ranks, on the first; the same for any number of them. Pixels and boxes only where structure
/// factors were refined. Collective.
ShotParts gather_shot_parts(const parallel::Communicator& communicator,
                            const PixelResults& results);

} // namespace kilobragg::programs
