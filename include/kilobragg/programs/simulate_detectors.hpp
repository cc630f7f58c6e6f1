// Detectors that simulate_stills knows by name or takes from files, and what they do not see.
#pragma once

#include "kilobragg/models/detector.hpp"
#include "kilobragg/programs/simulate_params.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Names for detector.preset, in the order of SimulateDetector::preset.
const std::vector<std::string>& detector_presets();

/// Number of the preset that `text` names: case, spaces, hyphens and underscores do not matter
/// ("EIGER 16M"), and the names of makers and models are known ("Rayonix MX340-HS", "ePix10ka2M").
/// Throws core::Error with all names.
int find_preset(const std::string& text);

/// Pixels [x0, x1) x [y0, y1) of one panel that are read out together.
struct PixelBlock {
  int panel = 0, x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

/// A detector, which of its pixels are there, and its modules.
struct SimulatedDetector {
  models::Detector detector;
  std::vector<std::uint8_t> mask;  ///< 1 = usable, pixel order as in images; empty = all
  std::vector<PixelBlock> modules; ///< what fails together: panels, or modules behind one panel
};

/// The preset with the beam through its middle, or the detector of detector.from with the mask of its
/// images (where they can be read) and of detector.mask. Sensors absorb and shift spots as at
/// `wavelength` (angstrom). Throws core::Error naming the option.
SimulatedDetector make_simulated_detector(const SimulateDetector& params, double wavelength);

/// The detector of make_simulated_detector().
models::Detector make_detector(const SimulateDetector& params);

/// The detector for a renderer with `layers` planes. With one, models::absorption_planes(). With more the
/// renderer itself puts planes into the sensors, each at the front of what it stands for: panels are
/// moved back by the mean depth at which a single layer absorbs (nearly half of it), and the more layers
/// there are the nearer they are to the true detector. Throws core::Error with several layers of no
/// sensor.
models::Detector layer_planes(const models::Detector& detector, int layers);

} // namespace kilobragg::programs
