// Intensities of shoeboxes and their derivatives to every parameter, tile by tile.
#pragma once

#include "kernels/diffraction/pixel_factors.hpp"
#include "kernels/diffraction/pixel_moments.hpp"
#include "kernels/diffraction/tile_lists.hpp"

namespace kilobragg::diffraction {

/// A parameter as kernels see it: see ParameterDirection.
struct DeviceParameter {
  CrystalDirection crystal;
  std::int32_t lattice = 0; ///< LatticeJob::number; of the parameter's shot
  std::int32_t panel = -1;
  Vec3 shift, turn, pivot;
  WavelengthShift wavelength; ///< change of offset and scale
};

/// A part of a pixel's intensity that one reflection gives.
struct DeviceContribution {
  std::uint32_t pixel = 0, reflection = 0;
  float photons = 0;
};

/// What a launch over shoeboxes reads, arrays on the device.
struct ShoeboxInput {
  const SpotPeak* peaks = nullptr;
  const SpotPlace* places = nullptr;
  const double* weights = nullptr; ///< [peak][channel], or null: those of the shot
  std::int32_t channels = 0;       ///< length of a row of `weights`
  const std::int32_t *first = nullptr, *next = nullptr, *entries = nullptr;
  const Window* windows = nullptr;
  const std::int32_t* window_shot = nullptr;
  const PanelCone* panels = nullptr;
  const ShotSpectrum* spectra = nullptr;
  const WavelengthShift* shifts = nullptr; ///< of each shot
  Polarisation polarisation;
  int oversample = 1;
  const DeviceParameter* parameters = nullptr; ///< [shot][parameter]
  const PeakDirection* directions = nullptr;   ///< [peak][parameter]
  std::int32_t parameter_count = 0;
  std::int64_t pixels = 0;
  const std::int64_t* first_contribution = nullptr; ///< of each place, or null
};

/// What it writes.
struct ShoeboxOutput {
  double* photons = nullptr;
  double* derivatives = nullptr; ///< [parameter][pixel]
  DeviceContribution* contributions = nullptr;
};

KOKKOS_FUNCTION inline MomentPeak moment_peak(const ShoeboxInput& in, std::int32_t number) {
  const SpotPeak& peak = in.peaks[number];
  const ShotSpectrum& shot = in.spectra[peak.shot];
  MomentPeak result;
  result.m = peak.shape.inverse_covariance;
  result.k0 = peak.k0;
  result.q0 = peak.shape.centre;
  result.photons = peak.photons / (in.oversample * in.oversample);
  result.chi2_max = peak.chi2_max;
  result.spectrum = shot.view;
  result.weight = in.weights == nullptr
                      ? shot.weight
                      : in.weights + static_cast<std::int64_t>(number) * in.channels;
  result.channels = peak.channels;
  result.shift = in.shifts[peak.shot];
  return result;
}

/// Pixels of a shoebox in the lanes: their places, and where they stand in the output.
template <typename T>
struct BoxPixels {
  const Window* window;
  const PanelGrid* grid;
  int x, y, count; ///< count <= lanes are within the box
  std::int64_t first;

  KOKKOS_FUNCTION Triple<T> at(double dx, double dy) const {
    const Vec3 row = grid->origin + (y + dy) * grid->slow;
    const T column = counted_from<T>(x + dx);
    return {row.x + column * grid->fast.x, row.y + column * grid->fast.y,
            row.z + column * grid->fast.z};
  }
};

/// Sums of one peak over the points of the pixels.
template <MomentKind kind, typename T>
KOKKOS_FUNCTION inline PixelMoments<T> sum_points(const ShoeboxInput& in,
                                                  const BoxPixels<T>& pixels, std::int32_t peak) {
  const MomentPeak moment = moment_peak(in, peak);
  PixelMoments<T> sums;
  const int n = in.oversample;
  for (int p = 0; p < n * n; ++p)
    add_point<kind>(moment, pixels.at(point_offset(p % n, n), point_offset(p / n, n)), sums);
  return sums;
}

/// What moves with the panel, per factor: the points on the peak, and the pixel's factor.
template <typename T>
KOKKOS_FUNCTION inline T change_by_place(const DeviceParameter& p, const PixelMoments<T>& sums,
                                         const BoxPixels<T>& pixels, const PixelFactor<T>& factor) {
  if (p.panel >= 0 && p.panel != pixels.window->panel) return T{};
  const Triple<T> place{sums.place[0], sums.place[1], sums.place[2]},
      torque{sums.torque[0], sums.torque[1], sums.torque[2]};
  // turn (x - pivot) x t = turn (x x t) - (turn x pivot) t, and the same for the pixel's middle
  const Vec3 about = p.shift - cross(p.turn, p.pivot);
  const Triple<T> middle = pixels.at(0.5, 0.5);
  const T of_points = dot(place, about) + dot(torque, p.turn);
  const Triple<T>& f = factor.by_place;
  const Triple<T> lever{middle.y * f.z - middle.z * f.y, middle.z * f.x - middle.x * f.z,
                        middle.x * f.y - middle.y * f.x};
  const T of_factor = dot(f, about) + dot(lever, p.turn) +
                      dot(factor.by_normal, cross(p.turn, pixels.grid->normal));
  return of_points + sums.value * of_factor;
}

/// One group of pixels of a tile: all places that touch it, all parameters.
template <MomentKind kind, typename T>
KOKKOS_FUNCTION inline void model_group(const ShoeboxInput& in, const ShoeboxOutput& out,
                                        std::int32_t window_number, std::int32_t tile, int group) {
  const Window& window = in.windows[window_number];
  const auto [x, y] = pixel_of_group(window, tile, group);
  if (x >= window.box.x1 || y >= window.box.y1) return;
  const PanelGrid& grid = in.panels[window.panel].grid;
  const int width = window.box.x1 - window.box.x0, left = window.box.x1 - x;
  const std::int64_t first = window.first_pixel +
                             static_cast<std::int64_t>(y - window.box.y0) * width +
                             (x - window.box.x0);
  const BoxPixels<T> pixels{&window, &grid, x, y, left < lanes<T> ? left : lanes<T>, first};
  const PixelFactor<T> factor =
      pixel_factor(in.polarisation, pixels.at(0.5, 0.5), grid.normal,
                   norm(grid.fast) * norm(grid.slow), grid.mu, grid.layer_step);
  const DeviceParameter* parameters =
      in.parameters + in.window_shot[window_number] * in.parameter_count;
  T photons{};
  for (std::int32_t e = in.first[tile]; e < in.next[tile]; ++e) {
    const std::int32_t entry = in.entries[e];
    const SpotPlace& place = in.places[entry];
    const PixelBox& box = place.box;
    if (y < box.y0 || y >= box.y1 || x + lanes<T> <= box.x0 || x >= box.x1) continue;
    const PixelMoments<T> sums = sum_points<kind>(in, pixels, place.peak);
    const T given = factor.value * sums.value;
    photons = photons + given;
    if constexpr (kind != MomentKind::Value)
      for (std::int32_t p = 0; p < in.parameter_count; ++p) {
        T change = along(sums, in.directions[place.peak * in.parameter_count + p]);
        if constexpr (kind >= MomentKind::Place)
          change = change + change_by_place(parameters[p], sums, pixels, factor);
        if constexpr (kind >= MomentKind::Wavelength)
          change = change + parameters[p].wavelength.offset * sums.wavelength +
                   parameters[p].wavelength.scale * sums.wavelength_scale;
        change = factor.value * change;
        double* derivative = out.derivatives + p * in.pixels + first;
        for (int i = 0; i < pixels.count; ++i) derivative[i] += lane(change, i);
      }
    if (in.first_contribution == nullptr) continue;
    const std::int64_t row = in.first_contribution[entry] +
                             static_cast<std::int64_t>(y - box.y0) * (box.x1 - box.x0) - box.x0;
    for (int i = 0; i < lanes<T>; ++i)
      if (x + i >= box.x0 && x + i < box.x1)
        out.contributions[row + x + i] = {
            static_cast<std::uint32_t>(first + i),
            static_cast<std::uint32_t>(in.peaks[place.peak].reflection),
            static_cast<float>(lane(given, i))};
  }
  for (int i = 0; i < pixels.count; ++i) out.photons[first + i] += lane(photons, i);
}

/// How all parameters move all peaks; blocks turn with their crystal.
inline void find_directions(const PeakSources& from, const DeviceParameter* parameters,
                            std::int32_t parameter_count, const SpotLists& spots,
                            DeviceArray<PeakDirection>& directions) {
  grow(directions,
       static_cast<std::size_t>(spots.peak_count) * static_cast<std::size_t>(parameter_count));
  const auto peaks = spots.peaks;
  const auto result = directions;
  Kokkos::parallel_for(
      "find directions", Kokkos::RangePolicy<Device>(0, spots.peak_count * parameter_count),
      KOKKOS_LAMBDA(const std::int32_t i) {
        const SpotPeak& peak = peaks(i / parameter_count);
        const LatticeJob& lattice = from.lattices[peak.lattice];
        const BlockPeaks& block = from.blocks[peak.block];
        const DeviceParameter& p = parameters[peak.shot * parameter_count + i % parameter_count];
        if (p.lattice != lattice.number) {
          result(i) = PeakDirection{};
          return;
        }
        CrystalDirection d = p.crystal;
        d.a_matrix = block.turn * d.a_matrix;
        const MillerIndex& hkl = from.reflections.hkl[peak.reflection];
        result(i) = peak_direction({block.a_matrix, lattice.size, lattice.rotation, lattice.fudge},
                                   peak.shape, {double(hkl.h), double(hkl.k), double(hkl.l)}, d);
      });
}

/// First contribution of each place; returns the number of all.
inline std::int64_t number_contributions(const SpotLists& spots, DeviceArray<std::int64_t>& first) {
  grow(first, static_cast<std::size_t>(spots.place_count));
  const auto places = spots.places;
  const auto result = first;
  std::int64_t total = 0;
  Kokkos::parallel_scan(
      "number contributions", Kokkos::RangePolicy<Device>(0, spots.place_count),
      KOKKOS_LAMBDA(const std::int32_t i, std::int64_t& at, const bool final) {
        if (final) result(i) = at;
        at += places(i).box.size();
      },
      total);
  return total;
}

/// One launch over the lit tiles of all shoeboxes; the output holds zeros, or what to add to.
template <MomentKind kind>
void model_tiles(const ShoeboxInput& in, const ShoeboxOutput& out, const TileLists& tiles,
                 const DeviceArray<std::int32_t>& tile_window) {
  const auto lit = tiles.lit;
  Kokkos::parallel_for(
      "model tiles", Kokkos::RangePolicy<Device>(0, tiles.lit_count * tile_groups),
      KOKKOS_LAMBDA(const std::int32_t i) {
        const std::int32_t tile = lit(i / tile_groups);
        model_group<kind, DeviceLane>(in, out, tile_window(tile), tile, i % tile_groups);
      });
}

} // namespace kilobragg::diffraction
