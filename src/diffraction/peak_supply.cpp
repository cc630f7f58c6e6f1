// Lists lattices, blocks, directions, channels and candidates of several shots on the device.
#include "lattice_renderers.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace kilobragg::diffraction {
namespace {

/// Angle of a rotation (rad): |R - 1|^2 = 4 (1 - cos).
double angle_of(const Mat3& rotation) {
  return std::acos(std::clamp((trace(rotation) - 1) / 2, -1.0, 1.0));
}

QuickTest make_quick_test(const ShotChannels& channels, const LatticeShape& shape,
                          const std::vector<Mat3>& blocks, double chi2_max) {
  QuickTest test{channels.directions.front().k0,
                 0,
                 1 / channels.wave_number.back(),
                 1 / channels.wave_number.front(),
                 std::sqrt(chi2_max * trace(shape.covariance)),
                 std::sqrt(chi2_max * trace(shape.rotation))};
  double largest = 0;
  for (const Mat3& block : blocks) largest = std::max(largest, angle_of(block));
  test.turn += largest;
  for (const BeamPart& from : channels.directions)
    test.divergence = std::max(test.divergence, norm(from.k0 - test.k0));
  return test;
}

BlockShape shape_of(const ShotLattice& lattice) {
  return make_block_shape(lattice.shape, lattice.size, lattice.fudge);
}

/// Adds the first `count` numbers to a list of `before`, which keeps what it has and grows. Returns how
/// many there are then.
std::int32_t append(const DeviceArray<std::int32_t>& numbers, std::int32_t count,
                    DeviceArray<std::int32_t>& list, std::int32_t before) {
  const std::int64_t after = std::int64_t(before) + count;
  core::require(after < (std::int64_t(1) << 31),
                "{} candidates of the lattices of one launch (want less than 2^31) fewer shots at "
                "once?",
                after);
  if (static_cast<std::int64_t>(list.extent(0)) < after)
    Kokkos::resize(list, static_cast<std::size_t>(2 * after));
  const auto first = static_cast<std::size_t>(before), some = static_cast<std::size_t>(count);
  Kokkos::deep_copy(Kokkos::subview(list, std::make_pair(first, first + some)),
                    Kokkos::subview(numbers, std::make_pair(std::size_t(0), some)));
  return static_cast<std::int32_t>(after);
}

} // namespace

PeakSupply::PeakSupply(const std::vector<LatticeOfShot>& lattices,
                       const std::vector<ShotChannels>& channels,
                       const DeviceReflections::State& reflections, double chi2_end) {
  sources_.reflections = reflections.list;
  add_spectra(channels, reflections);
  add_lattices(lattices, channels, reflections, chi2_end);
}

void PeakSupply::add_spectra(const std::vector<ShotChannels>& channels,
                             const DeviceReflections::State& reflections) {
  std::vector<double> wave_numbers, weights;
  std::vector<LayerMix> mixes;
  for (const ShotChannels& shot : channels) {
    wave_numbers.insert(wave_numbers.end(), shot.wave_number.begin(), shot.wave_number.end());
    weights.insert(weights.end(), shot.weight.begin(), shot.weight.end());
    const auto mixed = mix_layers(reflections, shot);
    mixes.insert(mixes.end(), mixed.begin(), mixed.end());
  }
  wave_numbers_ = to_device(wave_numbers);
  weights_ = to_device(weights);
  mixes_ = to_device(mixes);
  std::vector<ShotSpectrum> spectra;
  std::size_t first = 0;
  for (const ShotChannels& shot : channels) {
    const auto count = static_cast<std::int32_t>(shot.wave_number.size());
    spectra.push_back({{wave_numbers_.data() + first, count, shot.step},
                       weights_.data() + first,
                       mixes.empty() ? nullptr : mixes_.data() + first});
    most_channels_ = std::max(most_channels_, count);
    first += shot.wave_number.size();
  }
  spectra_ = to_device(spectra);
  sources_.spectra = spectra_.data();
}

void PeakSupply::add_lattices(const std::vector<LatticeOfShot>& lattices,
                              const std::vector<ShotChannels>& channels,
                              const DeviceReflections::State& reflections, double chi2_end) {
  std::vector<LatticeJob> jobs;
  std::vector<BlockPeaks> blocks;
  std::vector<DirectionPart> directions;
  const auto of_lattice =
      device_array<std::int32_t>(static_cast<std::size_t>(reflections.list.count));
  std::int32_t found = 0;
  for (const LatticeOfShot& of : lattices) {
    const ShotLattice& lattice = *of.lattice;
    const ShotChannels& shot = channels[static_cast<std::size_t>(of.shot)];
    const Mat3& a = lattice.crystal.a_matrix;
    std::vector<Mat3> turns = lattice.blocks;
    if (turns.empty()) turns.push_back(Mat3::identity());
    LatticeJob job;
    job.first_job = jobs_;
    job.shot = of.shot;
    job.first_block = static_cast<std::int32_t>(blocks.size());
    job.first_direction = static_cast<std::int32_t>(directions.size());
    job.directions = static_cast<std::int32_t>(shot.directions.size());
    job.first_candidate = found;
    job.photons = of.per_f / static_cast<double>(turns.size());
    job.number = of.number;
    job.size = lattice.size;
    job.rotation = lattice.rotation;
    job.fudge = lattice.fudge;
    const BlockShape shape = shape_of(lattice);
    const QuickTest test =
        make_quick_test(shot, make_lattice_shape(a, shape, lattice.rotation), turns, chi2_end);
    job.candidates = find_candidates(reflections.list, a, test, of_lattice);
    if (job.candidates == 0) continue;
    found = append(of_lattice, job.candidates, candidates_, found);
    for (const Mat3& turn : turns)
      blocks.push_back({turn, turn * a, make_lattice_shape(turn * a, shape, lattice.rotation)});
    for (const BeamPart& from : shot.directions) directions.push_back({from.k0, from.part});
    jobs_ += static_cast<std::int64_t>(turns.size()) * job.candidates * job.directions;
    jobs.push_back(job);
  }
  lattices_ = to_device(jobs);
  blocks_ = to_device(blocks);
  directions_ = to_device(directions);
  sources_.lattices = lattices_.data();
  sources_.lattice_count = static_cast<std::int32_t>(jobs.size());
  sources_.blocks = blocks_.data();
  sources_.directions = directions_.data();
  sources_.candidates = candidates_.data();
}

WindowSet make_window_set(const std::vector<PanelCone>& panels, std::vector<Window> windows,
                          const std::vector<std::int32_t>& first_window) {
  WindowSet set;
  for (std::size_t i = 0; i + 1 < first_window.size(); ++i) {
    const auto begin = windows.begin() + first_window[i],
               end = windows.begin() + first_window[i + 1];
    std::stable_sort(begin, end,
                     [](const Window& a, const Window& b) { return a.box.y0 < b.box.y0; });
    std::int32_t rows_end = 0;
    for (auto window = begin; window != end; ++window)
      window->rows_end = rows_end = std::max<std::int32_t>(rows_end, window->box.y1);
  }
  std::vector<std::int32_t> tile_window;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    Window& window = windows[i];
    window.first_tile = static_cast<std::int32_t>(tile_window.size());
    window.tiles_across = tiles_along(window.box.x1 - window.box.x0);
    const int tiles = window.tiles_across * tiles_along(window.box.y1 - window.box.y0);
    tile_window.insert(tile_window.end(), static_cast<std::size_t>(tiles),
                       static_cast<std::int32_t>(i));
  }
  set.panels = to_device(panels);
  set.windows = to_device(windows);
  set.first_window = to_device(first_window);
  set.tile_window = to_device(tile_window);
  set.panel_count = static_cast<std::int32_t>(panels.size());
  set.tiles = static_cast<std::int32_t>(tile_window.size());
  return set;
}

void set_windows(const WindowSet& set, PeakSources& sources) {
  sources.panels = set.panels.data();
  sources.panel_count = set.panel_count;
  sources.windows = set.windows.data();
  sources.first_window = set.first_window.data();
}

} // namespace kilobragg::diffraction
