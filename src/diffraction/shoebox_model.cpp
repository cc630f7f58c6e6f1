// Lattices and parameters of several shots for the launches of the kernels over their shoeboxes.
#include "kilobragg/diffraction/shoebox_model.hpp"

#include "box_windows.hpp"

#include "kernels/diffraction/shoebox_tiles.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

void check_shot(const ShoeboxShot& shot, std::size_t parameters, const ReflectionView& list) {
  core::require(shot.parameters.size() == parameters,
                "shots of {} and {} parameters cannot be modelled together", parameters,
                shot.parameters.size());
  for (const ParameterDirection& p : shot.parameters) {
    core::require(p.lattice >= 0 && std::size_t(p.lattice) < shot.shot.lattices.size(),
                  "a parameter of lattice {} in a shot of {}", p.lattice,
                  shot.shot.lattices.size());
    core::require(p.b_factor == 0 || list.inv_d2 != nullptr,
                  "a derivative to B without the resolutions of the reflections");
  }
  for (std::size_t l = 0; l < shot.shot.lattices.size(); ++l)
    core::require(shot.shot.lattices[l].shape == CrystalShape::Gauss,
                  "only Gaussian peaks have derivatives (lattice {} has another shape)", l);
}

std::vector<LatticeOfShot> list_lattices(const ShoeboxShot& shot, std::size_t number,
                                         std::size_t first_reflection, std::size_t reflections) {
  std::vector<LatticeOfShot> lattices;
  for (std::size_t l = 0; l < shot.shot.lattices.size(); ++l) {
    const ShotLattice& lattice = shot.shot.lattices[l];
    lattices.push_back({static_cast<std::int32_t>(number), &lattice,
                        electron_radius_squared * shot.shot.fluence * lattice.scale,
                        static_cast<std::int32_t>(l), static_cast<std::int32_t>(first_reflection),
                        static_cast<std::int32_t>(reflections)});
  }
  return lattices;
}

std::vector<LatticeOfShot> list_lattices(std::span<const ShoeboxJob> jobs) {
  std::vector<LatticeOfShot> lattices;
  for (std::size_t s = 0; s < jobs.size(); ++s) {
    const auto own = list_lattices(*jobs[s].shot, s, jobs[s].first_reflection, jobs[s].reflections);
    lattices.insert(lattices.end(), own.begin(), own.end());
  }
  return lattices;
}

std::vector<DeviceParameter> list_parameters(std::span<const ShoeboxJob> jobs,
                                             const std::vector<std::int32_t>& first_panel) {
  std::vector<DeviceParameter> parameters;
  for (std::size_t s = 0; s < jobs.size(); ++s)
    for (const ParameterDirection& p : jobs[s].shot->parameters)
      parameters.push_back({p.crystal,
                            p.lattice,
                            p.panel < 0 ? -1 : first_panel[s] + p.panel,
                            p.shift,
                            p.turn,
                            p.pivot,
                            {p.wavelength_offset, p.wavelength_scale},
                            p.b_factor});
  return parameters;
}

MomentKind wanted_kind(std::span<const ShoeboxJob> jobs) {
  MomentKind kind = MomentKind::Value;
  for (const ShoeboxJob& job : jobs)
    for (const ParameterDirection& p : job.shot->parameters) {
      kind = std::max(kind, MomentKind::Crystal);
      if (p.shift != Vec3{} || p.turn != Vec3{}) kind = std::max(kind, MomentKind::Place);
      if (p.wavelength_offset != 0 || p.wavelength_scale != 0) kind = MomentKind::Wavelength;
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

/// Peaks looked at in one launch, so that their directions (80 bytes per parameter) take less than 100 MB on
/// the host and 2 GB on a GPU.
std::int64_t jobs_per_launch(std::size_t parameters) {
  const std::int64_t most = on_host ? 1 << 20 : 1 << 24;
  return std::max<std::int64_t>(1024, most / static_cast<std::int64_t>(parameters + 16));
}

Polarisation polarisation_of(const models::Beam& beam) {
  const Vec3 k0 = -unit(beam.direction), n = unit(beam.polarization_normal);
  return {cross(n, k0), n, beam.polarization_fraction};
}

/// Everything of a model on the device, and one set of launches for some of its peaks after another.
class ShoeboxRun {
public:
  ShoeboxRun(std::span<const ShoeboxJob> jobs, const DeviceReflections& reflections,
             const ShoeboxOptions& options);
  ShoeboxImage finish();

private:
  void model_peaks(std::int64_t begin, std::int64_t end);
  ShoeboxInput input() const;
  void add_contributions(std::size_t count);

  const ShoeboxOptions& options_;
  std::size_t parameter_count_;
  BoxWindows windows_;
  MomentKind kind_;
  DeviceArray<DeviceParameter> parameters_;
  DeviceArray<ShotOfBoxes> shots_;
  PeakSupply supply_;
  PeakSources sources_;
  ShoeboxImage image_;
  DeviceArray<double> photons_, derivatives_; ///< on the host, those of the image
  SpotLists spots_;
  TileLists tiles_;
  DeviceArray<PeakDirection> directions_;
  DeviceArray<std::int64_t> first_contribution_;
  DeviceArray<DeviceContribution> contributions_;
};

/// Zeros on the device: on the host, the image's own memory.
DeviceArray<double> zeros_for(std::vector<double>& of_image, std::size_t size) {
  of_image.resize(size);
  start_device();
  if constexpr (on_host) return DeviceArray<double>(of_image.data(), size);
  DeviceArray<double> zeros = device_array<double>(size);
  Kokkos::deep_copy(zeros, 0.0);
  return zeros;
}

ShotChannels channels_of(const ShoeboxShot& shot) {
  return make_channels(shot.shot, shot.wavelength.offset, shot.wavelength.scale);
}

std::vector<ShotChannels> list_channels(std::span<const ShoeboxJob> jobs,
                                        const ReflectionView& list) {
  std::vector<ShotChannels> channels;
  for (const ShoeboxJob& job : jobs) {
    check_shot(*job.shot, jobs[0].shot->parameters.size(), list);
    channels.push_back(channels_of(*job.shot));
  }
  return channels;
}

std::vector<ShotOfBoxes> list_shots(std::span<const ShoeboxJob> jobs,
                                    const std::vector<std::size_t>& first_pixel) {
  std::vector<ShotOfBoxes> shots;
  for (std::size_t s = 0; s < jobs.size(); ++s)
    shots.push_back({jobs[s].shot->wavelength, polarisation_of(*jobs[s].beam),
                     static_cast<std::int64_t>(first_pixel[s]),
                     static_cast<std::int64_t>(first_pixel[s + 1] - first_pixel[s])});
  return shots;
}

ShoeboxRun::ShoeboxRun(std::span<const ShoeboxJob> jobs, const DeviceReflections& reflections,
                       const ShoeboxOptions& options)
    : options_(options)
    , parameter_count_(jobs[0].shot->parameters.size())
    , windows_(make_box_windows(jobs))
    , kind_(wanted_kind(jobs))
    , parameters_(to_device(list_parameters(jobs, windows_.first_panel_of_shot)))
    , shots_(to_device(list_shots(jobs, windows_.first_pixel)))
    , supply_(list_lattices(jobs), list_channels(jobs, reflections.state().list),
              reflections.state(), -2 * std::log(options.tail))
    , sources_(supply_.sources())
    , photons_(zeros_for(image_.photons, windows_.first_pixel.back()))
    , derivatives_(zeros_for(image_.derivatives, windows_.first_pixel.back() * parameter_count_)) {
  set_windows(windows_.set, sources_);
  sources_.first_panel = windows_.first_panel.data();
  sources_.tail = options.tail;
  sources_.floor = 0;
  image_.first_pixel = windows_.first_pixel;
}

ShoeboxImage ShoeboxRun::finish() {
  for (const auto& [begin, end] : supply_.launches(jobs_per_launch(parameter_count_)))
    model_peaks(begin, end);
  if constexpr (on_host) {
    Kokkos::fence();
  } else {
    to_host(photons_, std::span(image_.photons));
    to_host(derivatives_, std::span(image_.derivatives));
  }
  return std::move(image_);
}

void ShoeboxRun::model_peaks(std::int64_t begin, std::int64_t end) {
  find_spots(sources_, begin, end, supply_.channels(), spots_);
  if (spots_.place_count == 0) return;
  weigh_channels(sources_, spots_);
  list_tiles(sources_.windows, windows_.set.tiles, spots_, tiles_);
  if (parameter_count_ > 0)
    find_directions(sources_, parameters_.data(), static_cast<std::int32_t>(parameter_count_),
                    spots_, directions_);
  std::size_t added = 0;
  if (options_.contributions) {
    added = static_cast<std::size_t>(number_contributions(spots_, first_contribution_));
    grow(contributions_, added);
  }
  model(kind_, input(), {photons_.data(), derivatives_.data(), contributions_.data()}, tiles_,
        windows_.set.tile_window);
  add_contributions(added);
}

ShoeboxInput ShoeboxRun::input() const {
  ShoeboxInput in;
  in.lit = make_lit_input(sources_, spots_, tiles_);
  in.window_shot = windows_.shot.data();
  in.shots = shots_.data();
  in.oversample = options_.oversample;
  in.parameters = parameters_.data();
  in.directions = directions_.data();
  in.parameter_count = static_cast<std::int32_t>(parameter_count_);
  if (options_.contributions) in.first_contribution = first_contribution_.data();
  return in;
}

void ShoeboxRun::add_contributions(std::size_t count) {
  std::vector<DeviceContribution> added(count);
  to_host(contributions_, std::span(added));
  for (const DeviceContribution& c : added)
    image_.contributions.push_back({c.pixel, c.reflection, c.photons});
}

} // namespace

std::vector<LitBox> find_lit_boxes(const models::Detector& detector, const ShoeboxShot& shot,
                                   const DeviceReflections& reflections, double tail) {
  const ReflectionView& list = reflections.state().list;
  check_shot(shot, shot.parameters.size(), list);
  const PeakSupply supply(list_lattices(shot, 0, 0, static_cast<std::size_t>(list.count)),
                          {channels_of(shot)}, reflections.state(), -2 * std::log(tail));
  const WindowSet panels = whole_panels(detector);
  PeakSources sources = supply.sources();
  set_windows(panels, sources);
  sources.tail = tail;
  sources.floor = 0;
  SpotLists spots;
  find_spots(sources, 0, supply.jobs(), supply.channels(), spots);
  std::vector<SpotPeak> peaks(static_cast<std::size_t>(spots.peak_count));
  std::vector<SpotPlace> places(static_cast<std::size_t>(spots.place_count));
  to_host(spots.peaks, std::span(peaks));
  to_host(spots.places, std::span(places));
  std::vector<LitBox> boxes;
  boxes.reserve(places.size());
  for (const SpotPlace& place : places)
    boxes.push_back(
        {static_cast<std::uint32_t>(peaks[static_cast<std::size_t>(place.peak)].reflection),
         {place.window, place.box.x0, place.box.x1, place.box.y0, place.box.y1}});
  return boxes;
}

ShoeboxView ShoeboxImage::of_shot(std::size_t shot) const {
  const std::size_t first = first_pixel[shot], count = first_pixel[shot + 1] - first;
  const std::size_t parameters = photons.empty() ? 0 : derivatives.size() / photons.size();
  return {std::span(photons).subspan(first, count),
          std::span(derivatives).subspan(parameters * first, parameters * count)};
}

ShoeboxImage model_shoeboxes(std::span<const ShoeboxJob> jobs, const DeviceReflections& reflections,
                             const ShoeboxOptions& options) {
  core::require(options.oversample >= 1 && options.tail > 0 && options.tail < 1,
                "senseless options of shoeboxes (oversample {}, tail {})", options.oversample,
                options.tail);
  const auto count = static_cast<std::size_t>(reflections.state().list.count);
  for (const ShoeboxJob& job : jobs)
    core::require(job.first_reflection <= count && job.reflections <= count - job.first_reflection,
                  "a shot of reflections {} to {} in a list of {}", job.first_reflection,
                  job.first_reflection + job.reflections, count);
  if (jobs.empty()) return {};
  return ShoeboxRun(jobs, reflections, options).finish();
}

ShoeboxImage model_shoeboxes(const models::Detector& detector, const models::Beam& beam,
                             const ShoeboxShot& shot, const DeviceReflections& reflections,
                             const ShoeboxOptions& options) {
  const ShoeboxJob job{&detector, &beam, &shot, 0,
                       static_cast<std::size_t>(reflections.state().list.count)};
  return model_shoeboxes(std::span<const ShoeboxJob>(&job, 1), reflections, options);
}

} // namespace kilobragg::diffraction
