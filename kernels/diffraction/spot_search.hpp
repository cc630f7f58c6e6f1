// From crystals and beams to the list of peaks that light pixels, and where: two launches.
#pragma once

#include "kernels/diffraction/amplitude_grid.hpp"
#include "kernels/diffraction/device_lane.hpp"
#include "kernels/diffraction/spot_kernel.hpp"
#include "kernels/diffraction/triple.hpp"

#include <cstdint>

namespace kilobragg::diffraction {

/// Indices as kernels see them.
struct MillerIndex {
  std::int32_t h, k, l;
};

/// Bounds that spare most reflections the full calculation: the peak can reach a sphere of one of the
/// channels only if the excitation error, lambda q^2 / 2 + k0 q to first order, comes nearer to zero
/// than the peak reaches.
struct QuickTest {
  Vec3 k0;                  ///< unit, of the middle of the beam
  double divergence = 0;    ///< largest distance of another direction from it (rad)
  double shortest, longest; ///< wavelengths (angstrom)
  double radius;            ///< of the peak without mosaic spread, where it ends (1/angstrom)
  double turn;              ///< largest misorientation, closed form and explicit blocks (rad)

  /// Negative where a peak at q may be met.
  template <typename T>
  KOKKOS_FUNCTION T distance(const Triple<T>& q) const {
    const T q2 = dot(q, q), along = dot(q, k0);
    const T tolerance = 1.1 * (radius + (turn + divergence) * root(q2));
    const T low = 0.5 * shortest * q2 + along, high = -0.5 * longest * q2 - along;
    return larger(low, high) - tolerance;
  }
};

/// One direction of the beam, and its part of the photons.
struct DirectionPart {
  Vec3 k0; ///< unit
  double part = 1;
};

/// A mosaic block.
struct BlockPeaks {
  Mat3 turn;          ///< rotation from the mean lattice
  Mat3 a_matrix;      ///< turn times the lattice's A
  LatticeShape shape; ///< with that A
};

/// A lattice of a shot: its blocks, directions and candidates are ranges of lists that all share.
/// Numbered block by block, then candidate, then direction, its peaks begin at `first_job`.
struct LatticeJob {
  std::int64_t first_job = 0;
  std::int32_t shot = 0, first_block = 0, first_direction = 0, directions = 1;
  std::int32_t first_candidate = 0, candidates = 1;
  double photons = 0;      ///< r_e^2 fluence scale / blocks
  std::int32_t number = 0; ///< among the lattices of its shot
  Mat3 size, rotation;     ///< N, covariance of misorientation (rad^2)
  double fudge = 1;
};

/// A rectangle of pixels that is computed: a panel of an image, or a shoebox.
struct Window {
  std::int32_t panel = 0;
  PixelBox box;
  std::int64_t first_pixel = 0;  ///< in the output
  std::int64_t first_factor = 0; ///< in the table of factors
  std::int32_t first_tile = 0, tiles_across = 0;
  std::int32_t rows_end = 0; ///< largest box.y1 of the windows of its panel up to it
  double depth = 0;          ///< of its pixels behind the panel's plane, along the normal (mm)
};

/// Of the windows [first, end) of a panel, sorted by box.y0, those that may have rows y0 <= y < y1.
KOKKOS_FUNCTION inline void narrow_windows(const Window* windows, int y0, int y1,
                                           std::int32_t& first, std::int32_t& end) {
  std::int32_t from = first, to = end;
  for (std::int32_t count = to - from; count > 0;) { // the first that reaches beyond y0
    const std::int32_t half = count / 2;
    if (windows[from + half].rows_end <= y0) {
      from += half + 1;
      count -= half + 1;
    } else
      count = half;
  }
  first = from;
  for (std::int32_t count = to - from; count > 0;) { // the first that begins at y1 or later
    const std::int32_t half = count / 2;
    if (windows[from + half].box.y0 < y1) {
      from += half + 1;
      count -= half + 1;
    } else
      count = half;
  }
  end = from;
}

/// A panel and the cone of rays that hit it.
struct PanelCone {
  PanelGrid grid;
  Vec3 middle;           ///< unit
  double cos_radius = 0; ///< of the cone about `middle`
  int margin = 0;        ///< pixels by which windows, with their depth, may be beside the plane
};

/// The spectrum of a shot.
struct ShotSpectrum {
  SpectrumView view;
  const double* weight = nullptr; ///< sum 1
  const LayerMix* mix = nullptr;  ///< of each channel, if |F|^2 has layers
};

/// |F|^2 (electrons^2) of a list of reflections, layer by layer.
struct ReflectionView {
  const MillerIndex* hkl = nullptr; ///< some more behind the last
  const double* f_squared = nullptr;
  const float* inv_d2 = nullptr; ///< 1/angstrom^2, or null
  std::int32_t count = 0, layers = 1;

  KOKKOS_FUNCTION double value(std::int32_t reflection, const LayerMix& mix) const {
    const double* at = f_squared + static_cast<std::int64_t>(mix.lower) * count + reflection;
    return mix.part > 0 ? at[0] + static_cast<double>(mix.part) * (at[count] - at[0]) : at[0];
  }
};

/// Everything that peaks come from; arrays on the device.
struct PeakSources {
  const LatticeJob* lattices = nullptr;
  std::int32_t lattice_count = 0;
  const BlockPeaks* blocks = nullptr;
  const DirectionPart* directions = nullptr;
  const std::int32_t* candidates = nullptr; ///< numbers of reflections
  ReflectionView reflections;
  const ShotSpectrum* spectra = nullptr; ///< of each shot
  const PanelCone* panels = nullptr;
  std::int32_t panel_count = 0;              ///< of a shot, at most
  const std::int32_t* first_panel = nullptr; ///< of each shot; null = all have the same
  const Window* windows = nullptr;
  const std::int32_t* first_window = nullptr; ///< [shot][panel], and the end; each sorted by box.y0
  bool tophat = false;
  double tail = 1e-6, floor = 1e-4; ///< RenderParams
  double brightest = 1;             ///< largest factor of a pixel
};

/// A reflection of one block in one direction of the beam.
struct SpotPeak {
  PeakShape shape;
  Vec3 k0;
  double photons = 0; ///< at its height, of a channel with weight 1, before the pixel's factor
  double chi2_max = 0;
  ChannelRange channels;
  std::int32_t shot = 0, reflection = 0, block = 0, lattice = 0;
};

/// Where a peak lights a window.
struct SpotPlace {
  std::int32_t peak = 0, window = 0;
  PixelBox box; ///< in pixels of the panel
};

/// The lattice that a job belongs to.
KOKKOS_FUNCTION inline std::int32_t lattice_of(const PeakSources& from, std::int64_t job) {
  std::int32_t low = 0, high = from.lattice_count;
  while (high - low > 1) {
    const std::int32_t middle = (low + high) / 2;
    (from.lattices[middle].first_job <= job ? low : high) = middle;
  }
  return low;
}

/// The largest |F|^2 of a reflection in a shot.
KOKKOS_FUNCTION inline double largest_f_squared(const PeakSources& from, const ShotSpectrum& shot,
                                                std::int32_t reflection) {
  if (from.reflections.layers == 1) return from.reflections.value(reflection, {});
  double largest = 0;
  for (int j = 0; j < shot.view.count; ++j)
    largest = std::fmax(largest, from.reflections.value(reflection, shot.mix[j]));
  return largest;
}

/// Peak number `job`, without channels if no sphere meets it.
KOKKOS_FUNCTION inline SpotPeak make_spot_peak(const PeakSources& from, std::int64_t job) {
  SpotPeak peak;
  peak.lattice = lattice_of(from, job);
  const LatticeJob& lattice = from.lattices[peak.lattice];
  const std::int64_t local = job - lattice.first_job;
  const DirectionPart& direction =
      from.directions[lattice.first_direction + local % lattice.directions];
  const std::int64_t of_block = local / lattice.directions;
  peak.block = lattice.first_block + static_cast<std::int32_t>(of_block / lattice.candidates);
  peak.reflection = from.candidates[lattice.first_candidate + of_block % lattice.candidates];
  peak.shot = lattice.shot;
  peak.k0 = direction.k0;
  const MillerIndex& hkl = from.reflections.hkl[peak.reflection];
  const BlockPeaks& block = from.blocks[peak.block];
  peak.shape = make_peak_shape(block.shape,
                               block.a_matrix * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)});
  const ShotSpectrum& spectrum = from.spectra[peak.shot];
  const double f_squared = largest_f_squared(from, spectrum, peak.reflection);
  const double brightest = lattice.photons * direction.part * f_squared * peak.shape.height;
  const double tail = std::fmax(from.tail, from.floor / (brightest * from.brightest));
  if (!(tail < 1)) return peak;
  peak.chi2_max = from.tophat ? 1 : -2 * std::log(tail);
  peak.channels = channels_that_meet(peak.shape, peak.k0, spectrum.view, peak.chi2_max);
  peak.photons = from.reflections.layers == 1
                     ? brightest
                     : lattice.photons * direction.part * peak.shape.height;
  return peak;
}

/// Calls visit(window, box) wherever a peak lights a window of its shot.
template <typename Visit>
KOKKOS_FUNCTION void for_each_place(const PeakSources& from, const SpotPeak& peak,
                                    const Visit& visit) {
  const SpectrumView& spectrum = from.spectra[peak.shot].view;
  const auto ray = [&](int j) {
    return unit(cut_by_ewald_sphere(peak.shape, peak.k0, spectrum.wave_number[j]).ray);
  };
  const Vec3 one = ray(peak.channels.first);
  const bool streak = peak.channels.last - peak.channels.first > 1;
  const Vec3 middle = streak ? unit(one + ray(peak.channels.last - 1)) : one;
  const double reach = std::sqrt(peak.chi2_max * trace(peak.shape.covariance)) /
                       spectrum.wave_number[peak.channels.first];
  const double radius = reach + norm(one - middle);
  const std::int32_t first_panel = from.first_panel == nullptr ? 0 : from.first_panel[peak.shot];
  for (std::int32_t p = 0; p < from.panel_count; ++p) {
    const std::int32_t* range = from.first_window + peak.shot * from.panel_count + p;
    if (range[0] == range[1]) continue;
    const PanelCone& panel = from.panels[first_panel + p];
    // cos(r + m) > cos r - m
    if (dot(middle, panel.middle) < panel.cos_radius - radius) continue;
    PixelBox box =
        streak_box(peak.shape, peak.k0, spectrum, peak.channels, peak.chi2_max, panel.grid);
    if (box.empty()) continue;
    box = {box.x0 - panel.margin, box.x1 + panel.margin, box.y0 - panel.margin,
           box.y1 + panel.margin};
    std::int32_t first = range[0], end = range[1];
    narrow_windows(from.windows, box.y0, box.y1, first, end);
    for (std::int32_t w = first; w < end; ++w)
      if (const PixelBox part = common(box, from.windows[w].box); !part.empty()) visit(w, part);
  }
}

/// Peaks that light something; memory is reused from one search to the next.
struct SpotLists {
  DeviceArray<SpotPeak> peaks;
  DeviceArray<SpotPlace> places;
  DeviceArray<double> weights; ///< of each peak's channels times |F|^2, if that has layers
  std::int32_t peak_count = 0, place_count = 0;
  std::int32_t channels = 0; ///< length of a row of `weights`
};

/// Indices first, first + 1, ... of a list, which is padded to whole lanes.
template <typename T>
KOKKOS_FUNCTION inline Triple<T> indices_from(const ReflectionView& list, std::int32_t first) {
  Triple<T> hkl;
  for (int i = 0; i < lanes<T>; ++i) {
    const MillerIndex& index = list.hkl[first + i];
    set_lane(hkl.x, i, index.h);
    set_lane(hkl.y, i, index.k);
    set_lane(hkl.z, i, index.l);
  }
  return hkl;
}

/// Where a lattice looks for the reflections that may touch a sphere; some of those it finds do not.
struct CandidateSearch {
  Mat3 a_matrix; ///< without a block's turn
  QuickTest test;
  std::int32_t first = 0, end = 0; ///< of the list of reflections
  std::int64_t first_group = 0;    ///< groups of all searches are numbered one after another
};

/// Groups of reflections of a search, those that go through one instruction together.
KOKKOS_FUNCTION constexpr std::int64_t groups_of(const CandidateSearch& search) {
  return (search.end - search.first + lanes<DeviceLane> - 1) / lanes<DeviceLane>;
}

/// Numbers of the reflections that all searches find, search after search.
struct Candidates {
  DeviceArray<std::int32_t> numbers;
  DeviceArray<std::int32_t> counts; ///< of each search
};

/// One launch for all searches, none of them empty; tried again with more memory if more are found than it
/// holds. Returns how many there are.
inline std::int64_t find_candidates(const ReflectionView& reflections,
                                    const DeviceArray<CandidateSearch>& searches,
                                    std::int64_t groups, Candidates& found) {
  using T = DeviceLane;
  const auto last = static_cast<std::int32_t>(searches.extent(0)) - 1;
  grow(found.counts, searches.extent(0));
  for (;;) {
    const auto numbers = found.numbers, counts = found.counts;
    const auto room = static_cast<std::int64_t>(numbers.extent(0));
    std::int64_t total = 0;
    Kokkos::deep_copy(counts, 0);
    Kokkos::parallel_scan(
        "find candidates", DeviceRange(0, groups),
        KOKKOS_LAMBDA(const std::int64_t group, std::int64_t& at, const bool final) {
          std::int32_t low = 0, high = last + 1;
          while (high - low > 1) {
            const std::int32_t middle = (low + high) / 2;
            (searches(middle).first_group <= group ? low : high) = middle;
          }
          const CandidateSearch& search = searches(low);
          const auto offset = static_cast<std::int32_t>(group - search.first_group) * lanes<T>;
          const std::int32_t first = search.first + offset;
          const T distance =
              search.test.distance(product(search.a_matrix, indices_from<T>(reflections, first)));
          if (!(least(distance) < 0)) return;
          std::int32_t some = 0;
          for (int i = 0; i < lanes<T> && first + i < search.end; ++i) {
            if (!(lane(distance, i) < 0)) continue;
            if (final && at + some < room) numbers(at + some) = first + i;
            ++some;
          }
          if (final) Kokkos::atomic_add(&counts(low), some);
          at += some;
        },
        total);
    if (total <= room) return total;
    grow(found.numbers, static_cast<std::size_t>(total));
  }
}

/// Peaks and places of the jobs begin <= i < end, in order. Tried again with more memory if there are
/// more than it holds.
inline void find_spots(const PeakSources& from, std::int64_t begin, std::int64_t end,
                       std::int32_t channels, SpotLists& lists) {
  lists.channels = from.reflections.layers > 1 ? channels : 0;
  for (;;) {
    const auto peaks = lists.peaks;
    const auto places = lists.places;
    const auto weights = lists.weights;
    const auto room_for_peaks = static_cast<std::int64_t>(peaks.extent(0));
    const auto room_for_places = static_cast<std::int64_t>(places.extent(0));
    // Both counts in one number: peaks in the upper half, places in the lower.
    constexpr std::int64_t one_peak = std::int64_t(1) << 32, lower_half = one_peak - 1;
    std::int64_t total = 0;
    Kokkos::parallel_scan(
        "find spots", DeviceRange(begin, end),
        KOKKOS_LAMBDA(const std::int64_t job, std::int64_t& at, const bool final) {
          const SpotPeak peak = make_spot_peak(from, job);
          if (peak.channels.empty()) return;
          const std::int64_t number = at >> 32, first = at & lower_half;
          std::int64_t hits = 0;
          for_each_place(from, peak, [&](std::int32_t window, const PixelBox& box) {
            if (final && first + hits < room_for_places)
              places(first + hits) = {static_cast<std::int32_t>(number), window, box};
            ++hits;
          });
          if (hits == 0) return;
          if (final && number < room_for_peaks) peaks(number) = peak;
          at += one_peak + hits;
        },
        total);
    lists.peak_count = static_cast<std::int32_t>(total >> 32);
    lists.place_count = static_cast<std::int32_t>(total & lower_half);
    if (lists.peak_count <= room_for_peaks && lists.place_count <= room_for_places) return;
    grow(lists.peaks, static_cast<std::size_t>(lists.peak_count));
    grow(lists.places, static_cast<std::size_t>(lists.place_count));
  }
}

/// Pixels of all places together.
inline std::size_t count_pixels(const SpotLists& lists) {
  const auto places = lists.places;
  std::int64_t pixels = 0;
  Kokkos::parallel_reduce(
      "count pixels", Kokkos::RangePolicy<Device>(0, lists.place_count),
      KOKKOS_LAMBDA(const std::int32_t i, std::int64_t& sum) { sum += places(i).box.size(); },
      pixels);
  return static_cast<std::size_t>(pixels);
}

/// Weights of channels times |F|^2 where that depends on energy.
inline void weigh_channels(const PeakSources& from, SpotLists& lists) {
  if (lists.channels == 0) return;
  const std::int32_t channels = lists.channels;
  grow(lists.weights, static_cast<std::size_t>(lists.peak_count) * std::size_t(channels));
  const auto peaks = lists.peaks;
  const auto weights = lists.weights;
  Kokkos::parallel_for(
      "weigh channels", Kokkos::RangePolicy<Device>(0, lists.peak_count),
      KOKKOS_LAMBDA(const std::int32_t i) {
        const ShotSpectrum& shot = from.spectra[peaks(i).shot];
        for (int j = 0; j < shot.view.count; ++j)
          weights(std::int64_t(i) * channels + j) =
              shot.weight[j] * from.reflections.value(peaks(i).reflection, shot.mix[j]);
      });
}

} // namespace kilobragg::diffraction
