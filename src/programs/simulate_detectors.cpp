// Detector presets of simulate_stills.
#include "kilobragg/programs/simulate_detectors.hpp"

#include "kilobragg/core/error.hpp"

#include <array>
#include <cmath>

namespace kilobragg::programs {
namespace {

enum class Arrangement { FourPanels, Flat, Modules };

/// Modules of `module` pixels with `gap` pixels between them, on one panel or as panels of their own.
struct Preset {
  const char* name;
  Arrangement arrangement;
  std::array<int, 2> pixels;   ///< of a panel: fast, slow
  double pixel_size, distance; ///< mm
  double trusted_max;
  std::array<int, 2> module, gap; ///< pixels fast, slow; module 0 = no gaps
  std::array<int, 2> grid;        ///< panels fast, slow
  const char* identifier;
};

constexpr std::array<Preset, 6> presets{{
    {"four_panels", Arrangement::FourPanels, {512, 512}, 0.15, 105, 65000, {}, {}, {2, 2}, ""},
    {"flat", Arrangement::Flat, {1024, 1024}, 0.1, 100, 65000, {}, {}, {1, 1}, ""},
    {"pilatus_6m",
     Arrangement::Flat,
     {2463, 2527},
     0.172,
     300,
     1048575,
     {487, 195},
     {7, 17},
     {1, 1},
     "PILATUS 6M"},
    {"eiger_4m",
     Arrangement::Flat,
     {2070, 2167},
     0.075,
     100,
     65534,
     {1030, 514},
     {10, 37},
     {1, 1},
     "EIGER 4M"},
    {"jungfrau_4m",
     Arrangement::Modules,
     {1030, 514},
     0.075,
     100,
     65000,
     {},
     {8, 36},
     {2, 4},
     "JUNGFRAU 4M"},
    {"rayonix_340",
     Arrangement::Flat,
     {1920, 1920},
     0.17688,
     170,
     65000,
     {},
     {},
     {1, 1},
     "RAYONIX MX340"},
}};

models::Panel make_panel(const Preset& preset, double pixel_size, const std::string& name) {
  models::Panel panel;
  panel.name = name;
  panel.pixel_size = {pixel_size, pixel_size};
  panel.image_size = preset.pixels;
  panel.trusted_range = {0, preset.trusted_max};
  panel.material = "Si";
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

models::Detector make_four_panels(const Preset& preset, double pixel_size, double distance) {
  models::Detector detector;
  const double edge = preset.pixels[0] * pixel_size, degree = std::acos(-1.0) / 180;
  for (std::size_t i = 0; i < four_panels.size(); ++i) {
    const auto& [shift, turn] = four_panels[i];
    models::Panel panel = make_panel(preset, pixel_size, fmt::format("p{}", i));
    const Mat3 rotation = rotation_about({1, 0, 0}, turn.x * degree) *
                          rotation_about({0, 1, 0}, turn.y * degree) *
                          rotation_about({0, 0, 1}, turn.z * degree);
    panel.frame.fast = rotation * panel.frame.fast;
    panel.frame.slow = rotation * panel.frame.slow;
    panel.frame.origin = shift + Vec3{i % 2 == 0 ? -edge : 0, i < 2 ? edge : 0, -distance};
    detector.panels.push_back(panel);
  }
  return detector;
}

/// Panels of one plane on a grid with gaps, centred on the beam.
models::Detector make_plane(const Preset& preset, double pixel_size, double distance) {
  models::Detector detector;
  const auto extent = [&](int axis) {
    return (preset.pixels[axis] + (preset.module[axis] == 0 ? preset.gap[axis] : 0)) * pixel_size;
  };
  const double gap_x = preset.module[0] == 0 ? preset.gap[0] * pixel_size : 0;
  const double gap_y = preset.module[1] == 0 ? preset.gap[1] * pixel_size : 0;
  const double width = preset.grid[0] * extent(0) - gap_x;
  const double height = preset.grid[1] * extent(1) - gap_y;
  for (int row = 0; row < preset.grid[1]; ++row)
    for (int column = 0; column < preset.grid[0]; ++column) {
      models::Panel panel =
          make_panel(preset, pixel_size, fmt::format("p{}", detector.panels.size()));
      panel.frame.origin = {column * extent(0) - width / 2, height / 2 - row * extent(1),
                            -distance};
      detector.panels.push_back(panel);
    }
  return detector;
}

/// The preset with the options that change it.
Preset chosen_preset(const SimulateDetector& params) {
  Preset preset = presets.at(static_cast<std::size_t>(params.preset));
  if (params.pixels) {
    core::require(
        preset.module[0] == 0 && preset.gap[0] == 0,
        "detector.pixels cannot change detector.preset={} (its modules have a fixed size) "
        "detector.preset=flat?",
        preset.name);
    core::require(*params.pixels >= 8 && *params.pixels <= 32768,
                  "detector.pixels={} cannot be (want 8 to 32768)", *params.pixels);
    preset.pixels = {*params.pixels, *params.pixels};
  }
  if (params.pixel_size) preset.pixel_size = *params.pixel_size;
  if (params.distance) preset.distance = *params.distance;
  core::require(preset.pixel_size > 0, "detector.pixel_size={} cannot be (must be positive)",
                preset.pixel_size);
  core::require(preset.distance > 0, "detector.distance={} cannot be (must be positive)",
                preset.distance);
  return preset;
}

} // namespace

const std::vector<std::string>& detector_presets() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& preset : presets) all.emplace_back(preset.name);
    return all;
  }();
  return names;
}

models::Detector make_detector(const SimulateDetector& params) {
  const Preset preset = chosen_preset(params);
  if (preset.arrangement == Arrangement::FourPanels)
    return make_four_panels(preset, preset.pixel_size, preset.distance);
  return make_plane(preset, preset.pixel_size, preset.distance);
}

std::vector<std::uint8_t> make_gap_mask(const SimulateDetector& params) {
  const Preset preset = chosen_preset(params);
  if (preset.module[0] == 0) return {};
  const auto [width, height] = preset.pixels;
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(width) * height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      mask[static_cast<std::size_t>(y) * width + x] =
          x % (preset.module[0] + preset.gap[0]) < preset.module[0] &&
          y % (preset.module[1] + preset.gap[1]) < preset.module[1];
  return mask;
}

} // namespace kilobragg::programs
