// Finds the peaks near the Ewald spheres of all shots and lights the pixels around them.
#include "lattice_renderers.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

/// Peaks looked at in one launch: enough to fill a device, few enough for the memory of those that light
/// something (300 bytes each, and 170 for each panel and layer).
std::int64_t jobs_per_launch(int layers) { return (on_host ? 1 << 16 : 1 << 20) / layers + 1; }

/// All panels of `count` images.
WindowSet windows_of_images(const PixelTables& tables, std::size_t count) {
  std::vector<Window> windows;
  std::vector<std::int32_t> first_window;
  for (std::size_t image = 0; image < count; ++image)
    for (std::size_t p = 0; p < tables.panels.size(); ++p) {
      first_window.push_back(static_cast<std::int32_t>(windows.size()));
      Window window;
      window.panel = static_cast<std::int32_t>(p);
      window.box = {0, tables.panels[p].grid.width, 0, tables.panels[p].grid.height};
      window.first_pixel = static_cast<std::int64_t>(image * tables.pixels + tables.offsets[p]);
      window.first_factor = static_cast<std::int64_t>(tables.offsets[p]);
      windows.push_back(window);
    }
  first_window.push_back(static_cast<std::int32_t>(windows.size()));
  return make_window_set(tables.panels, windows, first_window);
}

} // namespace

bool peaks_end(const ShotLattice& lattice, double tail) {
  if (lattice.shape == CrystalShape::Square || lattice.shape == CrystalShape::Round) return false;
  const bool tophat = lattice.shape == CrystalShape::Tophat;
  const Mat3 covariance =
      tophat ? tophat_covariance(lattice.size) : lattice_covariance(lattice.size);
  const double chi2_max = tophat ? 1 : -2 * std::log(tail);
  double widest = 0;
  for (int i = 0; i < 3; ++i) widest = std::max(widest, covariance(i, i));
  return chi2_max * widest / lattice.fudge < 0.25;
}

SpotLight::SpotLight(const PixelTables& tables, const DeviceArray<float>& factor,
                     const RenderParams& params)
    : tables_(tables)
    , params_(params)
    , factor_(factor)
    , brightest_(
          static_cast<double>(*std::max_element(tables.factor.begin(), tables.factor.end()))) {}

void SpotLight::set_images(std::size_t count) {
  if (count == images_) return;
  windows_ = windows_of_images(tables_, count);
  images_ = count;
}

RenderCounts SpotLight::light(const std::vector<LatticeOfShot>& lattices,
                              const std::vector<ShotChannels>& channels,
                              const DeviceReflections::State& reflections, bool tophat,
                              float* photons) {
  set_images(channels.size());
  const double chi2_end = tophat ? 1 : -2 * std::log(params_.tail);
  const PeakSupply supply(lattices, channels, reflections, chi2_end);
  PeakSources sources = supply.sources();
  set_windows(windows_, sources);
  sources.tophat = tophat;
  sources.tail = params_.tail;
  sources.floor = params_.floor;
  sources.brightest = brightest_;
  RenderCounts counts;
  for (const auto& [begin, end] : supply.launches(jobs_per_launch(params_.layers))) {
    find_spots(sources, begin, end, supply.channels(), spots_);
    if (spots_.place_count == 0) continue;
    weigh_channels(sources, spots_);
    list_tiles(sources.windows, windows_.tiles, spots_, tiles_);
    LightInput in;
    in.lit = make_lit_input(sources, spots_, tiles_);
    in.points = point_grid(params_);
    in.factor = factor_.data();
    grow(planes_,
         static_cast<std::size_t>(spots_.place_count) * static_cast<std::size_t>(in.points.layers));
    in.planes = planes_.data();
    set_planes(in, spots_.place_count, planes_);
    const auto launch = tophat ? light_tiles<true> : light_tiles<false>;
    launch(in, tiles_, windows_.tile_window, photons);
    counts.peaks += static_cast<std::size_t>(spots_.place_count);
    counts.pixels += count_pixels(spots_);
  }
  return counts;
}

} // namespace kilobragg::diffraction
