// Panels of the detectors that simulate_stills knows by name.
#include "simulate_presets.hpp"

#include <fmt/format.h>

#include <cmath>

namespace kilobragg::programs {
namespace {

models::Panel make_panel(const DetectorPreset& preset, const std::string& name) {
  models::Panel panel;
  panel.name = name;
  panel.pixel_size = {preset.pixel_size, preset.pixel_size};
  panel.image_size = preset.pixels;
  panel.trusted_range = preset.trusted;
  panel.material = "Si";
  panel.thickness = preset.thickness;
  panel.identifier = preset.identifier;
  panel.frame.fast = {1, 0, 0};
  panel.frame.slow = {0, -1, 0};
  return panel;
}

/// A panel as it really sits: off its corner of the beam by `shift` (mm) and turned by `turn` (deg)
/// about x, y, z.
struct Misplacement {
  Vec3 shift, turn;
};

constexpr std::array<Misplacement, 4> four_panels{
    {{{-0.778, 0.691, 0.149}, {0, -0.090, 0.082}},
     {{0.476, 0.502, -0.054}, {-0.017, -0.402, 0.148}},
     {{-0.461, -0.331, 0.069}, {-0.032, 0.279, -0.009}},
     {{0.553, -0.347, -0.041}, {0.568, 0.392, 0.550}}}};

models::Detector make_four_panels(const DetectorPreset& preset) {
  models::Detector detector;
  const double edge = preset.pixels[0] * preset.pixel_size, degree = std::acos(-1.0) / 180;
  for (std::size_t i = 0; i < four_panels.size(); ++i) {
    const auto& [shift, turn] = four_panels[i];
    models::Panel panel = make_panel(preset, fmt::format("p{}", i));
    const Mat3 rotation = rotation_about({1, 0, 0}, turn.x * degree) *
                          rotation_about({0, 1, 0}, turn.y * degree) *
                          rotation_about({0, 0, 1}, turn.z * degree);
    panel.frame.fast = rotation * panel.frame.fast;
    panel.frame.slow = rotation * panel.frame.slow;
    panel.frame.origin = shift + Vec3{i % 2 == 0 ? -edge : 0, i < 2 ? edge : 0, -preset.distance};
    detector.panels.push_back(panel);
  }
  return detector;
}

/// Panels of one plane on a grid with gaps, centred on the beam.
models::Detector make_grid(const DetectorPreset& preset) {
  models::Detector detector;
  const auto extent = [&](std::size_t axis) {
    return (preset.pixels[axis] + (preset.module[axis] == 0 ? preset.gap[axis] : 0)) *
           preset.pixel_size;
  };
  const double gap_x = preset.module[0] == 0 ? preset.gap[0] * preset.pixel_size : 0;
  const double gap_y = preset.module[1] == 0 ? preset.gap[1] * preset.pixel_size : 0;
  const double width = preset.grid[0] * extent(0) - gap_x;
  const double height = preset.grid[1] * extent(1) - gap_y;
  for (int row = 0; row < preset.grid[1]; ++row)
    for (int column = 0; column < preset.grid[0]; ++column) {
      models::Panel panel = make_panel(preset, fmt::format("p{}", detector.panels.size()));
      panel.frame.origin = {column * extent(0) - width / 2, height / 2 - row * extent(1),
                            -preset.distance};
      detector.panels.push_back(panel);
    }
  return detector;
}

/// A position in the plane of the detector (mm): x right, y up, seen along the beam from the source
/// with x as in the laboratory.
struct Point {
  double x = 0, y = 0;
};

/// Counter-clockwise by quarter turns, exactly.
Point turned(Point p, int quarters) {
  for (int i = 0; i < quarters % 4; ++i) p = {-p.y, p.x};
  return p;
}

/// A panel whose unturned upper left corner and middle are given about the middle of its module,
/// which is then turned and moved.
struct Placement {
  Point corner;         ///< of the first pixel, relative to the middle of the module
  int module_turns = 0; ///< of the module about its middle
  Point module_middle;  ///< in the quadrant
  int quadrant_turns = 0;
};

void place(const Placement& at, const DetectorPreset& preset, models::Detector& detector) {
  models::Panel panel = make_panel(preset, fmt::format("p{}", detector.panels.size()));
  const int turns = at.module_turns + at.quadrant_turns;
  const Point fast = turned({1, 0}, turns), slow = turned({0, -1}, turns);
  const Point local = turned(at.corner, at.module_turns);
  const Point origin =
      turned({at.module_middle.x + local.x, at.module_middle.y + local.y}, at.quadrant_turns);
  panel.frame.fast = {fast.x, fast.y, 0};
  panel.frame.slow = {slow.x, slow.y, 0};
  panel.frame.origin = {origin.x, origin.y, -preset.distance};
  detector.panels.push_back(panel);
}

/// Four quadrants about a square hole, each a quarter turn on: the first reaches from `hole` to the
/// right of the beam and from `between` - `hole` upwards. Cells of `cell` (mm) hold one module each.
struct Quadrants {
  double hole, between;
  Point cell;
  Point middle(int column, int row) const {
    return {hole + (column + 0.5) * cell.x, between - hole + (row + 0.5) * cell.y};
  }
};

/// Cells hold two sensors one above the other, every other cell a quarter turn on; a sensor is two
/// tiles of 194 columns with three columns between them (Hart et al. 2012).
models::Detector make_cspad(const DetectorPreset& preset) {
  models::Detector detector;
  const double p = preset.pixel_size, width = preset.pixels[0] * p, height = preset.pixels[1] * p;
  const double seam = preset.gap[0] * p, between_sensors = preset.gap[1] * p;
  const Quadrants quadrants{4.5, 1.2, {44.6, 44.6}};
  for (int quadrant = 0; quadrant < 4; ++quadrant)
    for (int cell = 0; cell < 4; ++cell)
      for (int sensor = 0; sensor < 2; ++sensor)
        for (int tile = 0; tile < 2; ++tile) {
          const Point corner{tile == 0 ? -seam / 2 - width : seam / 2,
                             sensor == 0 ? between_sensors / 2 + height : -between_sensors / 2};
          place({corner, (cell % 2 + cell / 2) % 2, quadrants.middle(cell % 2, cell / 2), quadrant},
                preset, detector);
        }
  return detector;
}

/// Four modules to a quadrant (Blaj et al. 2019).
models::Detector make_epix(const DetectorPreset& preset) {
  models::Detector detector;
  const double p = preset.pixel_size, width = preset.pixels[0] * p, height = preset.pixels[1] * p;
  const Quadrants quadrants{4.7, 1.7, {width + preset.gap[0] * p, height + preset.gap[1] * p}};
  for (int quadrant = 0; quadrant < 4; ++quadrant)
    for (int cell = 0; cell < 4; ++cell)
      place({{-width / 2, height / 2}, 0, quadrants.middle(cell % 2, cell / 2), quadrant}, preset,
            detector);
  return detector;
}

/// Modules of 4 x 2 chips with two pixels between chips, two columns of four modules to a quadrant;
/// quadrants are shifted about the hole but not turned (Leonarski et al. 2018).
models::Detector make_jungfrau_16m(const DetectorPreset& preset) {
  models::Detector detector;
  const double p = preset.pixel_size, pitch = (preset.pixels[0] + 2) * p;
  const Point module{4 * pitch - 2 * p, 2 * pitch - 2 * p};
  const double gap_x = preset.gap[0] * p, gap_y = preset.gap[1] * p;
  const double wide = 2 * module.x + gap_x, high = 4 * module.y + 3 * gap_y;
  const double hole = 4.5, reach = hole - gap_x;
  // Upper left corners of the quadrants: right above, left above, left below, right below the beam.
  const std::array<Point, 4> corners{
      {{hole, high - reach}, {reach - wide, high + hole}, {-hole - wide, reach}, {-reach, -hole}}};
  for (const Point& corner : corners)
    for (int number = 0; number < 8; ++number)
      for (int chip = 0; chip < 8; ++chip) {
        const int column = number % 2, row = number / 2, chip_column = chip % 4,
                  chip_row = chip / 4;
        models::Panel panel = make_panel(preset, fmt::format("p{}", detector.panels.size()));
        panel.frame.origin = {corner.x + column * (module.x + gap_x) + chip_column * pitch,
                              corner.y - row * (module.y + gap_y) - chip_row * pitch,
                              -preset.distance};
        detector.panels.push_back(panel);
      }
  return detector;
}

} // namespace

const std::vector<DetectorPreset>& detector_preset_table() {
  using A = Arrangement;
  // clang-format off
  static const std::vector<DetectorPreset> table{
      {"four_panels", A::FourPanels, {512, 512}, 0.15, 105, 0, {0, 65000}, {}, {}, {2, 2}, ""},
      {"flat", A::Grid, {1024, 1024}, 0.1, 100, 0, {0, 65000}, {}, {}, {1, 1}, ""},
      {"pilatus_6m", A::Grid, {2463, 2527}, 0.172, 300, 0.32, {0, 1048575}, {487, 195}, {7, 17}, {1, 1}, "PILATUS 6M"},
      {"eiger_4m", A::Grid, {2070, 2167}, 0.075, 100, 0.45, {0, 65533}, {1030, 514}, {10, 37}, {1, 1}, "EIGER 4M"},
      {"eiger_9m", A::Grid, {3110, 3269}, 0.075, 130, 0.45, {0, 65533}, {1030, 514}, {10, 37}, {1, 1}, "EIGER 9M"},
      {"eiger_16m", A::Grid, {4150, 4371}, 0.075, 150, 0.45, {0, 65533}, {1030, 514}, {10, 37}, {1, 1}, "EIGER 16M"},
      {"jungfrau_4m", A::Grid, {1030, 514}, 0.075, 100, 0.32, {-10, 11000}, {}, {8, 36}, {2, 4}, "JUNGFRAU 4M"},
      {"jungfrau_16m", A::Jungfrau16m, {256, 256}, 0.075, 150, 0.32, {-10, 11000}, {}, {8, 36}, {}, "JUNGFRAU 16M"},
      {"cspad", A::Cspad, {194, 185}, 0.10992, 105, 0.5, {-10, 16000}, {}, {3, 14}, {}, "CSPAD 2.3M"},
      {"epix10k_2m", A::Epix10k2m, {384, 352}, 0.1, 100, 0.5, {-10, 11000}, {}, {22, 18}, {}, "EPIX10KA 2M"},
      {"rayonix_340", A::Grid, {1920, 1920}, 0.17688, 170, 0, {0, 65000}, {}, {}, {1, 1}, "RAYONIX MX340"},
      {"rayonix_340_2x2", A::Grid, {3840, 3840}, 0.08844, 170, 0, {0, 65000}, {}, {}, {1, 1}, "RAYONIX MX340"},
      {"rayonix_225", A::Grid, {1440, 1440}, 0.15625, 115, 0, {0, 65000}, {}, {}, {1, 1}, "RAYONIX MX225"},
      {"rayonix_225_2x2", A::Grid, {2880, 2880}, 0.078125, 115, 0, {0, 65000}, {}, {}, {1, 1}, "RAYONIX MX225"},
  };
  // clang-format on
  return table;
}

models::Detector make_preset(const DetectorPreset& preset) {
  switch (preset.arrangement) {
  case Arrangement::FourPanels:
    return make_four_panels(preset);
  case Arrangement::Cspad:
    return make_cspad(preset);
  case Arrangement::Epix10k2m:
    return make_epix(preset);
  case Arrangement::Jungfrau16m:
    return make_jungfrau_16m(preset);
  case Arrangement::Grid:
    break;
  }
  return make_grid(preset);
}

} // namespace kilobragg::programs
