// Shoeboxes of several shots as windows, and their parameters, for the launches of the kernels.
#include "kilobragg/diffraction/shoebox_model.hpp"

#include "lattice_renderers.hpp"

#include "kernels/diffraction/shoebox_tiles.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

void check_box(const Shoebox& box, const std::vector<PanelCone>& panels) {
  core::require(box.panel >= 0 && std::size_t(box.panel) < panels.size() && box.x0 >= 0 &&
                    box.y0 >= 0 && box.x0 < box.x1 && box.y0 < box.y1 &&
                    box.x1 <= panels[std::size_t(box.panel)].grid.width &&
                    box.y1 <= panels[std::size_t(box.panel)].grid.height,
                "a shoebox ({} to {}, {} to {} of panel {}) is empty or not on its panel", box.x0,
                box.x1, box.y0, box.y1, box.panel);
}

void check_shot(const ShoeboxShot& shot, std::size_t parameters) {
  core::require(shot.parameters.size() == parameters,
                "shots of {} and {} parameters cannot be modelled together", parameters,
                shot.parameters.size());
  for (const ParameterDirection& p : shot.parameters)
    core::require(p.lattice >= 0 && std::size_t(p.lattice) < shot.shot.lattices.size(),
                  "a parameter of lattice {} in a shot of {}", p.lattice,
                  shot.shot.lattices.size());
  for (std::size_t l = 0; l < shot.shot.lattices.size(); ++l)
    core::require(shot.shot.lattices[l].shape == CrystalShape::Gauss,
                  "only Gaussian peaks have derivatives (lattice {} has another shape)", l);
}

/// The boxes of all shots as windows: by shot and panel, with pixels in the order in which they came.
struct BoxWindows {
  WindowSet set;
  DeviceArray<std::int32_t> shot; ///< of each window
  std::size_t pixels = 0;
};

BoxWindows make_box_windows(const std::vector<PanelCone>& panels,
                            std::span<const ShoeboxShot> shots) {
  BoxWindows result;
  std::vector<Window> windows;
  std::vector<std::int32_t> first_window, window_shot;
  for (std::size_t s = 0; s < shots.size(); ++s) {
    std::vector<std::vector<Window>> of_panel(panels.size());
    for (const Shoebox& box : shots[s].boxes) {
      check_box(box, panels);
      Window window;
      window.panel = box.panel;
      window.box = {box.x0, box.x1, box.y0, box.y1};
      window.first_pixel = static_cast<std::int64_t>(result.pixels);
      of_panel[std::size_t(box.panel)].push_back(window);
      result.pixels += box.size();
    }
    for (const auto& some : of_panel) {
      first_window.push_back(static_cast<std::int32_t>(windows.size()));
      windows.insert(windows.end(), some.begin(), some.end());
    }
    window_shot.resize(windows.size(), static_cast<std::int32_t>(s));
  }
  first_window.push_back(static_cast<std::int32_t>(windows.size()));
  result.set = make_window_set(panels, windows, first_window);
  result.shot = to_device(window_shot);
  return result;
}

std::vector<LatticeOfShot> list_lattices(std::span<const ShoeboxShot> shots) {
  std::vector<LatticeOfShot> lattices;
  for (std::size_t s = 0; s < shots.size(); ++s)
    for (std::size_t l = 0; l < shots[s].shot.lattices.size(); ++l) {
      const ShotLattice& lattice = shots[s].shot.lattices[l];
      lattices.push_back({static_cast<std::int32_t>(s), &lattice,
                          electron_radius_squared * shots[s].shot.fluence * lattice.scale,
                          static_cast<std::int32_t>(l)});
    }
  return lattices;
}

std::vector<DeviceParameter> list_parameters(std::span<const ShoeboxShot> shots) {
  std::vector<DeviceParameter> parameters;
  for (const ShoeboxShot& shot : shots)
    for (const ParameterDirection& p : shot.parameters)
      parameters.push_back({p.crystal,
                            p.lattice,
                            p.panel,
                            p.shift,
                            p.turn,
                            p.pivot,
                            {p.wavelength_offset, p.wavelength_scale}});
  return parameters;
}

MomentKind wanted_kind(const std::vector<DeviceParameter>& parameters) {
  if (parameters.empty()) return MomentKind::Value;
  MomentKind kind = MomentKind::Crystal;
  for (const DeviceParameter& p : parameters) {
    if (p.shift != Vec3{} || p.turn != Vec3{}) kind = std::max(kind, MomentKind::Place);
    if (p.wavelength.offset != 0 || p.wavelength.scale != 0) kind = MomentKind::Wavelength;
  }
  return kind;
}

void model(MomentKind kind, const ShoeboxInput& in, const ShoeboxOutput& out,
           const TileLists& tiles, const DeviceArray<std::int32_t>& tile_window) {
  const auto launch = kind == MomentKind::Value     ? model_tiles<MomentKind::Value>
                      : kind == MomentKind::Crystal ? model_tiles<MomentKind::Crystal>
                      : kind == MomentKind::Place   ? model_tiles<MomentKind::Place>
                                                    : model_tiles<MomentKind::Wavelength>;
  launch(in, out, tiles, tile_window);
}

/// Peaks looked at in one launch: bounds the memory of their directions.
constexpr std::int64_t jobs_per_launch = on_host ? 1 << 16 : 1 << 20;

Polarisation polarisation_of(const models::Beam& beam) {
  const Vec3 k0 = -unit(beam.direction), n = unit(beam.polarization_normal);
  return {cross(n, k0), n, beam.polarization_fraction};
}

std::vector<Contribution> fetch(const DeviceArray<DeviceContribution>& from, std::size_t count) {
  std::vector<DeviceContribution> raw(count);
  to_host(from, std::span(raw));
  std::vector<Contribution> result;
  for (const DeviceContribution& c : raw) result.push_back({c.pixel, c.reflection, c.photons});
  return result;
}

} // namespace

ShoeboxImage model_shoeboxes(const models::Detector& detector, const models::Beam& beam,
                             std::span<const ShoeboxShot> shots,
                             const DeviceReflections& reflections, const ShoeboxOptions& options) {
  ShoeboxImage image;
  if (shots.empty()) return image;
  std::vector<ShotChannels> channels;
  std::vector<WavelengthShift> shifts;
  for (const ShoeboxShot& shot : shots) {
    check_shot(shot, shots[0].parameters.size());
    channels.push_back(make_channels(shot.shot, shot.wavelength.offset, shot.wavelength.scale));
    shifts.push_back(shot.wavelength);
  }
  const BoxWindows windows = make_box_windows(make_panel_cones(detector, 1), shots);
  const auto parameters = list_parameters(shots);
  const auto on_device = to_device(parameters);
  const auto device_shifts = to_device(shifts);
  const PeakSupply supply(list_lattices(shots), channels, reflections.state(),
                          -2 * std::log(options.tail));
  PeakSources sources = supply.sources();
  sources.panels = windows.set.panels.data();
  sources.panel_count = windows.set.panel_count;
  sources.windows = windows.set.windows.data();
  sources.first_window = windows.set.first_window.data();
  sources.tail = options.tail;
  sources.floor = 0;
  const std::size_t count = shots[0].parameters.size();
  const DeviceArray<double> photons("photons", windows.pixels),
      derivatives("derivatives", windows.pixels * count);
  SpotLists spots;
  TileLists tiles;
  DeviceArray<PeakDirection> directions;
  DeviceArray<std::int64_t> first_contribution;
  DeviceArray<DeviceContribution> contributions;
  for (std::int64_t begin = 0; begin < supply.jobs(); begin += jobs_per_launch) {
    find_spots(sources, begin, std::min(supply.jobs(), begin + jobs_per_launch), supply.channels(),
               spots);
    if (spots.place_count == 0) continue;
    weigh_channels(sources, spots);
    list_tiles(sources.windows, windows.set.tiles, spots, tiles);
    ShoeboxInput in;
    in.peaks = spots.peaks.data();
    in.places = spots.places.data();
    in.weights = spots.channels > 0 ? spots.weights.data() : nullptr;
    in.channels = spots.channels;
    in.first = tiles.first.data();
    in.next = tiles.next.data();
    in.entries = tiles.entries.data();
    in.windows = sources.windows;
    in.window_shot = windows.shot.data();
    in.panels = sources.panels;
    in.spectra = sources.spectra;
    in.shifts = device_shifts.data();
    in.polarisation = polarisation_of(beam);
    in.oversample = options.oversample;
    in.parameters = on_device.data();
    in.parameter_count = static_cast<std::int32_t>(count);
    in.pixels = static_cast<std::int64_t>(windows.pixels);
    if (count > 0) {
      find_directions(sources, in.parameters, in.parameter_count, spots, directions);
      in.directions = directions.data();
    }
    std::size_t added = 0;
    if (options.contributions) {
      added = static_cast<std::size_t>(number_contributions(spots, first_contribution));
      grow(contributions, added);
      in.first_contribution = first_contribution.data();
    }
    model(wanted_kind(parameters), in, {photons.data(), derivatives.data(), contributions.data()},
          tiles, windows.set.tile_window);
    const auto fetched = fetch(contributions, added);
    image.contributions.insert(image.contributions.end(), fetched.begin(), fetched.end());
  }
  image.photons.resize(windows.pixels);
  image.derivatives.resize(windows.pixels * count);
  to_host(photons, std::span(image.photons));
  to_host(derivatives, std::span(image.derivatives));
  return image;
}

ShoeboxImage model_shoeboxes(const models::Detector& detector, const models::Beam& beam,
                             const ShoeboxShot& shot, const DeviceReflections& reflections,
                             const ShoeboxOptions& options) {
  return model_shoeboxes(detector, beam, std::span<const ShoeboxShot>(&shot, 1), reflections,
                         options);
}

} // namespace kilobragg::diffraction
