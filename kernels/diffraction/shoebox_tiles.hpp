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
  double b_factor = 0;
};

/// A part of a pixel's intensity that one reflection gives.
struct DeviceContribution {
  std::uint32_t pixel = 0, reflection = 0;
  float photons = 0;
};

/// What is the same for all pixels of a shot.
struct ShotOfBoxes {
  WavelengthShift shift;
  Polarisation polarisation;
  std::int64_t first_pixel = 0, pixels = 0; ///< in the output
};

/// What a launch over shoeboxes reads, arrays on the device.
struct ShoeboxInput {
  LitInput lit;
  const std::int32_t* window_shot = nullptr;
  const ShotOfBoxes* shots = nullptr;
  int oversample = 1;
  const DeviceParameter* parameters = nullptr; ///< [shot][parameter]
  const PeakDirection* directions = nullptr;   ///< [peak][parameter]
  std::int32_t parameter_count = 0;
  const std::int64_t* first_contribution = nullptr; ///< of each place, or null
};

/// What it writes.
struct ShoeboxOutput {
  double* photons = nullptr;
  double* derivatives = nullptr; ///< [parameter][pixel] of each shot
  DeviceContribution* contributions = nullptr;
};

KOKKOS_FUNCTION inline MomentPeak moment_peak(const ShoeboxInput& in, std::int32_t number) {
  const SpotPeak& peak = in.lit.peaks[number];
  MomentPeak result;
  result.m = peak.shape.inverse_covariance;
  result.k0 = peak.k0;
  result.q0 = peak.shape.centre;
  result.photons = peak.photons / (in.oversample * in.oversample);
  result.chi2_max = peak.chi2_max;
  result.spectrum = in.lit.spectra[peak.shot].view;
  result.weight = in.lit.weight_of(number);
  result.channels = peak.channels;
  result.shift = in.shots[peak.shot].shift;
  return result;
}

/// Pixels of a shoebox in the lanes: their places, and where they stand in the output.
template <typename T>
struct BoxPixels {
  const ShotOfBoxes* shot;
  const Window* window;
  const PanelGrid* grid;
  int x, y, count; ///< count <= lanes are within the box
  std::int64_t first;

  KOKKOS_FUNCTION Triple<T> at(double dx, double dy) const {
    const Vec3 row = grid->origin + window->depth * grid->normal + (y + dy) * grid->slow;
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

/// Adds what one peak gives the derivatives of the pixels.
template <MomentKind kind, typename T>
KOKKOS_FUNCTION inline void
add_derivatives(const ShoeboxInput& in, const ShoeboxOutput& out, std::int32_t peak,
                const DeviceParameter* parameters, const BoxPixels<T>& pixels,
                const PixelFactor<T>& factor, const PixelMoments<T>& sums) {
  for (std::int32_t p = 0; p < in.parameter_count; ++p) {
    T change = along(sums, in.directions[peak * in.parameter_count + p]);
    if constexpr (kind >= MomentKind::Place)
      change = change + change_by_place(parameters[p], sums, pixels, factor);
    if constexpr (kind >= MomentKind::Wavelength)
      change = change + parameters[p].wavelength.offset * sums.wavelength +
               parameters[p].wavelength.scale * sums.wavelength_scale;
    change = factor.value * change;
    const ShotOfBoxes& shot = *pixels.shot;
    double* derivative = out.derivatives + (in.parameter_count - 1) * shot.first_pixel +
                         p * shot.pixels + pixels.first;
    for (int i = 0; i < pixels.count; ++i) derivative[i] += lane(change, i);
  }
}

/// Writes what one place gives the pixels within its box.
template <typename T>
KOKKOS_FUNCTION inline void write_contributions(const ShoeboxInput& in, const ShoeboxOutput& out,
                                                std::int32_t entry, const BoxPixels<T>& pixels,
                                                const T& photons) {
  const SpotPlace& place = in.lit.places[entry];
  const PixelBox& box = place.box;
  DeviceContribution* row = out.contributions + in.first_contribution[entry] +
                            static_cast<std::int64_t>(pixels.y - box.y0) * (box.x1 - box.x0);
  const auto reflection = static_cast<std::uint32_t>(in.lit.peaks[place.peak].reflection);
  for (int i = 0; i < lanes<T>; ++i)
    if (const int x = pixels.x + i; x >= box.x0 && x < box.x1)
      row[x - box.x0] = {static_cast<std::uint32_t>(pixels.first + i), reflection,
                         static_cast<float>(lane(photons, i))};
}

/// Pixels of one group of a tile; none (count <= 0) beyond the window.
template <typename T>
KOKKOS_FUNCTION inline BoxPixels<T> pixels_of_group(const ShoeboxInput& in, std::int32_t number,
                                                    std::int32_t tile, int group) {
  const Window& window = in.lit.windows[number];
  const auto [x, y] = pixel_of_group(window, tile, group);
  const int width = window.box.x1 - window.box.x0, left = window.box.x1 - x;
  const std::int64_t first = window.first_pixel +
                             static_cast<std::int64_t>(y - window.box.y0) * width +
                             (x - window.box.x0);
  const int count = y < window.box.y1 ? (left < lanes<T> ? left : lanes<T>) : 0;
  return {&in.shots[in.window_shot[number]],
          &window,
          &in.lit.panels[window.panel].grid,
          x,
          y,
          count,
          first};
}

/// One group of pixels of a tile: all places that touch it, all parameters.
template <MomentKind kind, typename T>
KOKKOS_FUNCTION inline void model_group(const ShoeboxInput& in, const ShoeboxOutput& out,
                                        std::int32_t window, std::int32_t tile, int group) {
  const BoxPixels<T> pixels = pixels_of_group<T>(in, window, tile, group);
  if (pixels.count <= 0) return;
  const PanelGrid& grid = *pixels.grid;
  const PixelFactor<T> factor =
      pixel_factor(pixels.shot->polarisation, pixels.at(0.5, 0.5), grid.normal,
                   norm(grid.fast) * norm(grid.slow), grid.mu, grid.layer_step);
  const DeviceParameter* parameters = in.parameters + in.window_shot[window] * in.parameter_count;
  T photons{};
  for (std::int32_t e = in.lit.first[tile]; e < in.lit.next[tile]; ++e) {
    const std::int32_t entry = in.lit.entries[e], peak = in.lit.places[entry].peak;
    if (!reaches<T>(in.lit.places[entry].box, pixels.x, pixels.y)) continue;
    const PixelMoments<T> sums = sum_points<kind>(in, pixels, peak);
    const T given = factor.value * sums.value;
    photons = photons + given;
    if constexpr (kind != MomentKind::Value)
      add_derivatives<kind>(in, out, peak, parameters, pixels, factor, sums);
    if (in.first_contribution != nullptr) write_contributions(in, out, entry, pixels, given);
  }
  for (int i = 0; i < pixels.count; ++i) out.photons[pixels.first + i] += lane(photons, i);
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
        PeakDirection direction;
        if (p.lattice == lattice.number) {
          CrystalDirection d = p.crystal;
          d.a_matrix = block.turn * d.a_matrix;
          const MillerIndex& hkl = from.reflections.hkl[peak.reflection];
          direction =
              peak_direction({block.a_matrix, lattice.size, lattice.rotation, lattice.fudge},
                             peak.shape, {double(hkl.h), double(hkl.k), double(hkl.l)}, d);
        }
        if (p.b_factor != 0)
          direction.log_height -=
              0.5 * p.b_factor * static_cast<double>(from.reflections.inv_d2[peak.reflection]);
        result(i) = direction;
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
      "model tiles", DeviceRange(0, std::int64_t(tiles.lit_count) * tile_groups),
      KOKKOS_LAMBDA(const std::int64_t i) {
        const std::int32_t tile = lit(i / tile_groups);
        model_group<kind, DeviceLane>(in, out, tile_window(tile), tile, int(i % tile_groups));
      });
}

} // namespace kilobragg::diffraction
