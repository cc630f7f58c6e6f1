// Detectors that simulate_stills knows by name.
#pragma once

#include "kilobragg/models/detector.hpp"
#include "kilobragg/programs/simulate_params.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Names for detector.preset, in the order of SimulateDetector::preset.
const std::vector<std::string>& detector_presets();

/// The detector with the beam through its middle. Throws core::Error naming the option.
models::Detector make_detector(const SimulateDetector& params);

/// 1 = usable, pixel order as in images; empty where the preset has no gaps between modules.
std::vector<std::uint8_t> make_gap_mask(const SimulateDetector& params);

} // namespace kilobragg::programs
