// Chooses the detector of a simulated run: a preset as the options change it, or one from a file.
#include "kilobragg/programs/simulate_detectors.hpp"

#include "simulate_presets.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/lookup_mask.hpp"
#include "kilobragg/io/reference_geometry.hpp"
#include "kilobragg/io/sensor_material.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

namespace kilobragg::programs {
namespace {

std::string letters_and_digits(const std::string& text) {
  std::string plain;
  for (const unsigned char c : text)
    if (std::isalnum(c)) plain += static_cast<char>(std::tolower(c));
  return plain;
}

const std::map<std::string, std::string>& other_names() {
  static const std::map<std::string, std::string> names{{"pilatus36m", "pilatus_6m"},
                                                        {"pilatus26m", "pilatus_6m"},
                                                        {"eiger24m", "eiger_4m"},
                                                        {"eiger29m", "eiger_9m"},
                                                        {"eiger216m", "eiger_16m"},
                                                        {"eiger2xe16m", "eiger_16m"},
                                                        {"jf4m", "jungfrau_4m"},
                                                        {"jf16m", "jungfrau_16m"},
                                                        {"cspad23m", "cspad"},
                                                        {"cspadds1", "cspad"},
                                                        {"cspadds2", "cspad"},
                                                        {"epix10k", "epix10k_2m"},
                                                        {"epix10ka2m", "epix10k_2m"},
                                                        {"epix10kaquad", "epix10k_2m"},
                                                        {"rayonixmx340", "rayonix_340"},
                                                        {"rayonixmx340hs", "rayonix_340"},
                                                        {"mx340hs", "rayonix_340"},
                                                        {"mx340", "rayonix_340"},
                                                        {"rayonix3404x4", "rayonix_340"},
                                                        {"rayonixmx340hs4x4", "rayonix_340"},
                                                        {"mx340hs2x2", "rayonix_340_2x2"},
                                                        {"rayonixmx340hs2x2", "rayonix_340_2x2"},
                                                        {"rayonixmx225", "rayonix_225"},
                                                        {"rayonixmx225hs", "rayonix_225"},
                                                        {"mx225hs", "rayonix_225"},
                                                        {"mx225", "rayonix_225"},
                                                        {"rayonix2254x4", "rayonix_225"},
                                                        {"rayonixmx225hs4x4", "rayonix_225"},
                                                        {"mx225hs2x2", "rayonix_225_2x2"},
                                                        {"rayonixmx225hs2x2", "rayonix_225_2x2"}};
  return names;
}

/// The preset with the options that change it.
DetectorPreset chosen_preset(const SimulateDetector& params) {
  DetectorPreset preset = detector_preset_table().at(static_cast<std::size_t>(params.preset));
  if (params.pixels) {
    const bool free =
        preset.arrangement == Arrangement::FourPanels ||
        (preset.arrangement == Arrangement::Grid && preset.module[0] == 0 && preset.gap[0] == 0);
    core::require(
        free,
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

/// Modules of the preset that share its one panel.
std::vector<PixelBlock> modules_in_panel(const DetectorPreset& preset) {
  std::vector<PixelBlock> blocks;
  for (int y = 0; y < preset.pixels[1]; y += preset.module[1] + preset.gap[1])
    for (int x = 0; x < preset.pixels[0]; x += preset.module[0] + preset.gap[0])
      blocks.push_back({0, x, y, std::min(x + preset.module[0], preset.pixels[0]),
                        std::min(y + preset.module[1], preset.pixels[1])});
  return blocks;
}

std::vector<PixelBlock> whole_panels(const models::Detector& detector) {
  std::vector<PixelBlock> blocks;
  for (const models::Panel& panel : detector.panels)
    blocks.push_back(
        {static_cast<int>(blocks.size()), 0, 0, panel.image_size[0], panel.image_size[1]});
  return blocks;
}

/// Usable only within the modules.
std::vector<std::uint8_t> mask_between(const std::vector<PixelBlock>& modules,
                                       const DetectorPreset& preset) {
  const auto width = static_cast<std::size_t>(preset.pixels[0]);
  std::vector<std::uint8_t> mask(width * static_cast<std::size_t>(preset.pixels[1]), 0);
  for (const PixelBlock& block : modules)
    for (int y = block.y0; y < block.y1; ++y) {
      const auto row =
          mask.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(y) * width);
      std::fill(row + block.x0, row + block.x1, std::uint8_t{1});
    }
  return mask;
}

SimulatedDetector from_preset(const SimulateDetector& params) {
  const DetectorPreset preset = chosen_preset(params);
  SimulatedDetector made{make_preset(preset), {}, {}};
  if (preset.module[0] == 0) {
    made.modules = whole_panels(made.detector);
  } else {
    made.modules = modules_in_panel(preset);
    made.mask = mask_between(made.modules, preset);
  }
  return made;
}

/// Where the panels of a simulated image lie in its buffer: one after another.
models::ImageLayout panels_in_order(const models::Detector& detector) {
  models::ImageLayout layout;
  for (const models::Panel& panel : detector.panels) {
    const auto width = static_cast<std::size_t>(panel.image_size[0]);
    layout.panels.push_back({layout.size, width, panel.image_size[0], panel.image_size[1]});
    layout.size += width * static_cast<std::size_t>(panel.image_size[1]);
  }
  return layout;
}

/// Value by which detectors mark pixels that are not there, beyond every trusted range.
double absent_value(const models::PixelBuffer& pixels) {
  return std::holds_alternative<std::vector<std::uint16_t>>(pixels) ? 65535 : 2147483647;
}

/// What the first image shows and its mask says: pixels below the trusted range, or with the highest
/// value of their type, are not there.
std::vector<std::uint8_t> mask_of_image(io::ImageReader& reader, const models::Detector& detector) {
  const models::Image image = reader.read(0);
  const double absent = absent_value(image.pixels);
  std::vector<std::uint8_t> mask;
  for (std::size_t p = 0; p < detector.panels.size(); ++p) {
    const models::PanelWindow& window = image.layout->panels.at(p);
    const double lowest = detector.panels[p].trusted_range[0];
    for (int y = 0; y < window.height; ++y)
      for (int x = 0; x < window.width; ++x) {
        const std::size_t at = window.offset + static_cast<std::size_t>(y) * window.stride +
                               static_cast<std::size_t>(x);
        const double value = image.value(at);
        mask.push_back(image.usable(at) && value >= lowest && value < absent ? 1 : 0);
      }
  }
  return mask;
}

bool is_experiment_list(const std::string& path) {
  return path.size() > 5 && path.substr(path.size() - 5) == ".expt";
}

/// Moves all panels along the beam so that they are `distance` (mm) away on average.
void move_to(double distance, models::Detector& detector) {
  core::require(distance > 0, "detector.distance={} cannot be (must be positive)", distance);
  double mean = 0;
  for (const models::Panel& panel : detector.panels) mean += std::abs(panel.distance());
  mean /= static_cast<double>(detector.panels.size());
  for (models::Panel& panel : detector.panels) panel.frame.origin.z -= distance - mean;
  detector.root = {};
}

SimulatedDetector from_file(const SimulateDetector& params) {
  core::require(!params.pixel_size && !params.pixels,
                "detector.pixels and detector.pixel_size cannot change the detector of "
                "detector.from={} (it has its own) leave them out?",
                params.from);
  SimulatedDetector made;
  const bool listed = is_experiment_list(params.from);
  if (listed) made.detector = *io::read_reference_geometry(params.from).detector;
  try {
    const auto reader = io::open_images(params.from);
    if (!listed) made.detector = *reader->detector();
    made.mask = mask_of_image(*reader, made.detector);
  } catch (const core::Error& error) {
    // The geometry of an .expt is enough; its images may be elsewhere.
    if (!listed) throw;
    core::log_info("no mask from the images of {} ({})", params.from, error.what());
  }
  if (params.distance) move_to(*params.distance, made.detector);
  for (models::Panel& panel : made.detector.panels) panel.raw_image_offset = {0, 0};
  made.modules = whole_panels(made.detector);
  return made;
}

void add_mask(const std::string& path, SimulatedDetector& made) {
  const models::ImageLayout layout = panels_in_order(made.detector);
  const auto mask = io::read_lookup_mask(path, layout);
  if (made.mask.empty()) made.mask.assign(layout.size, 1);
  for (std::size_t i = 0; i < made.mask.size(); ++i)
    if ((*mask)[i] == 0) made.mask[i] = 0;
}

/// Attenuation and parallax of the sensors at the run's wavelength.
void describe_sensors(models::Detector& detector, double wavelength) {
  for (models::Panel& panel : detector.panels) {
    const auto mu = io::attenuation_per_mm(panel.material, wavelength);
    panel.mu = mu && panel.thickness > 0 ? *mu : 0;
    panel.parallax.reset();
    if (panel.mu > 0) panel.parallax = models::Parallax{panel.mu, panel.thickness};
  }
}

} // namespace

const std::vector<std::string>& detector_presets() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& preset : detector_preset_table()) all.emplace_back(preset.name);
    return all;
  }();
  return names;
}

int find_preset(const std::string& text) {
  const auto& names = detector_presets();
  std::string plain = letters_and_digits(text);
  const auto other = other_names().find(plain);
  if (other != other_names().end()) plain = letters_and_digits(other->second);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (letters_and_digits(names[i]) == plain) return static_cast<int>(i);
  core::fail("one of {} is expected", fmt::join(names, ", "));
}

SimulatedDetector make_simulated_detector(const SimulateDetector& params, double wavelength) {
  SimulatedDetector made = params.from.empty() ? from_preset(params) : from_file(params);
  if (!params.mask.empty()) add_mask(params.mask, made);
  describe_sensors(made.detector, wavelength);
  return made;
}

models::Detector make_detector(const SimulateDetector& params) {
  return make_simulated_detector(params, SimulateBeam().wavelength).detector;
}

models::Detector layer_planes(const models::Detector& detector, int layers) {
  if (layers == 1) return models::absorption_planes(detector);
  models::Detector moved = detector;
  for (models::Panel& panel : moved.panels) {
    core::require(panel.mu > 0 && panel.thickness > 0,
                  "render.layers={} cannot be (panel {} has no sensor, or one of unknown material) "
                  "detector.preset=jungfrau_4m?",
                  layers, panel.name);
    const Vec3 normal = unit(panel.normal());
    const Vec3 middle = panel.mm_to_lab({panel.image_size[0] * panel.pixel_size[0] / 2,
                                         panel.image_size[1] * panel.pixel_size[1] / 2});
    const double cosine =
        dot(unit(middle), normal); // below 0 where the normal points to the sample
    const double path = panel.thickness / (layers * std::abs(cosine));
    const double depth = 1 / panel.mu - path / std::expm1(panel.mu * path);
    panel.frame.origin += depth * cosine * normal;
  }
  return moved;
}

} // namespace kilobragg::programs
