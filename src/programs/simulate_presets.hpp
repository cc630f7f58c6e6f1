// The table of detectors that simulate_stills knows by name; for its sources alone.
#pragma once

#include "kilobragg/models/detector.hpp"

#include <array>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// How the panels of a preset lie.
enum class Arrangement {
  FourPanels,  ///< four tilted panels around the beam
  Grid,        ///< panels on a grid with gaps, or one panel with modules in it
  Cspad,       ///< four quadrants of eight sensors of two tiles
  Epix10k2m,   ///< four quadrants of four modules
  Jungfrau16m, ///< 32 modules of eight chips around a hole
};

/// Modules of `module` pixels with `gap` pixels between them, on one panel or as panels of their own.
struct DetectorPreset {
  const char* name;
  Arrangement arrangement;
  std::array<int, 2> pixels;   ///< of a panel: fast, slow
  double pixel_size, distance; ///< mm
  double thickness;            ///< of a silicon sensor (mm); 0 = counts every photon
  std::array<double, 2> trusted;
  std::array<int, 2> module, gap; ///< pixels fast, slow; module 0 = no gaps
  std::array<int, 2> grid;        ///< panels fast, slow
  const char* identifier;
};

const std::vector<DetectorPreset>& detector_preset_table();

/// The panels of a preset, beam through the middle along -z. Without attenuation.
models::Detector make_preset(const DetectorPreset& preset);

} // namespace kilobragg::programs
