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

} // namespace

PeakSupply::PeakSupply(const std::vector<LatticeOfShot>& lattices,
                       const std::vector<ShotChannels>& channels,
                       const DeviceReflections::State& reflections, double chi2_end) {
  sources_.reflections = reflections.list;
  add_spectra(channels, reflections);
  add_lattices(lattices, channels, search(lattices, channels, reflections.list, chi2_end));
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

std::vector<std::int32_t> PeakSupply::search(const std::vector<LatticeOfShot>& lattices,
                                             const std::vector<ShotChannels>& channels,
                                             const ReflectionView& reflections, double chi2_end) {
  std::vector<CandidateSearch> searches;
  std::vector<std::size_t> lattice_of_search;
  std::int64_t groups = 0;
  for (std::size_t i = 0; i < lattices.size(); ++i) {
    const LatticeOfShot& of = lattices[i];
    const Mat3& a = of.lattice->crystal.a_matrix;
    CandidateSearch search;
    search.a_matrix = a;
    search.test =
        make_quick_test(channels[static_cast<std::size_t>(of.shot)],
                        make_lattice_shape(a, shape_of(*of.lattice), of.lattice->rotation),
                        of.lattice->blocks, chi2_end);
    search.first = of.first_reflection;
    search.end = of.reflections < 0 ? reflections.count : search.first + of.reflections;
    search.first_group = groups;
    if (search.first == search.end) continue;
    groups += groups_of(search);
    searches.push_back(search);
    lattice_of_search.push_back(i);
  }
  std::vector<std::int32_t> counts(lattices.size());
  if (searches.empty()) return counts;
  constexpr std::int64_t enough_for_most = 1 << 18;
  grow(candidates_.numbers,
       static_cast<std::size_t>(std::min(enough_for_most, groups * lanes<DeviceLane>)));
  const std::int64_t found = find_candidates(reflections, to_device(searches), groups, candidates_);
  core::require(found < (std::int64_t(1) << 31),
                "{} candidates of the lattices of one launch (want less than 2^31) fewer shots at "
                "once?",
                found);
  std::vector<std::int32_t> of_search(searches.size());
  to_host(candidates_.counts, std::span(of_search));
  for (std::size_t i = 0; i < searches.size(); ++i) counts[lattice_of_search[i]] = of_search[i];
  return counts;
}

void PeakSupply::add_lattices(const std::vector<LatticeOfShot>& lattices,
                              const std::vector<ShotChannels>& channels,
                              const std::vector<std::int32_t>& candidates) {
  std::vector<LatticeJob> jobs;
  std::vector<BlockPeaks> blocks;
  std::vector<DirectionPart> directions;
  std::int64_t next_job = 0;
  std::int32_t next_candidate = 0;
  shot_end_.assign(channels.size(), 0);
  for (std::size_t i = 0; i < lattices.size(); ++i) {
    const LatticeOfShot& of = lattices[i];
    const ShotLattice& lattice = *of.lattice;
    const ShotChannels& shot = channels[static_cast<std::size_t>(of.shot)];
    std::vector<Mat3> turns = lattice.blocks;
    if (turns.empty()) turns.push_back(Mat3::identity());
    LatticeJob job;
    job.first_job = next_job;
    job.shot = of.shot;
    job.first_block = static_cast<std::int32_t>(blocks.size());
    job.first_direction = static_cast<std::int32_t>(directions.size());
    job.directions = static_cast<std::int32_t>(shot.directions.size());
    job.first_candidate = next_candidate;
    job.candidates = candidates[i];
    job.photons = of.per_f / static_cast<double>(turns.size());
    job.number = of.number;
    job.size = lattice.size;
    job.rotation = lattice.rotation;
    job.fudge = lattice.fudge;
    if (job.candidates == 0) continue;
    next_candidate += job.candidates;
    for (const Mat3& turn : turns) {
      const Mat3 a = turn * lattice.crystal.a_matrix;
      blocks.push_back({turn, a, make_lattice_shape(a, shape_of(lattice), lattice.rotation)});
    }
    for (const BeamPart& from : shot.directions) directions.push_back({from.k0, from.part});
    next_job += static_cast<std::int64_t>(turns.size()) * job.candidates * job.directions;
    shot_end_[static_cast<std::size_t>(of.shot)] = next_job;
    jobs.push_back(job);
  }
  for (std::size_t s = 1; s < shot_end_.size();
       ++s) // shots without candidates end where they begin
    shot_end_[s] = std::max(shot_end_[s], shot_end_[s - 1]);
  lattices_ = to_device(jobs);
  blocks_ = to_device(blocks);
  directions_ = to_device(directions);
  sources_.lattices = lattices_.data();
  sources_.lattice_count = static_cast<std::int32_t>(jobs.size());
  sources_.blocks = blocks_.data();
  sources_.directions = directions_.data();
  sources_.candidates = candidates_.numbers.data();
}

std::vector<std::pair<std::int64_t, std::int64_t>> PeakSupply::launches(std::int64_t most) const {
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  std::int64_t begin = 0, shot_begin = 0;
  const auto launch_to = [&](std::int64_t end) {
    if (end > begin) ranges.emplace_back(begin, end);
    begin = end;
  };
  for (const std::int64_t end : shot_end_) {
    if (end - begin > most) launch_to(shot_begin);
    while (end - begin > most) launch_to(begin + most);
    shot_begin = end;
  }
  launch_to(shot_begin);
  return ranges;
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
