// Which peaks light which tile of 8 x 8 pixels.
#pragma once

#include "kernels/diffraction/spot_search.hpp"

namespace kilobragg::diffraction {

inline constexpr int tile_edge = 8;

/// Tiles along `pixels` pixels.
KOKKOS_FUNCTION constexpr int tiles_along(int pixels) {
  return (pixels + tile_edge - 1) / tile_edge;
}

/// Of each tile the places that touch it: entries first[t] .. next[t] - 1. Only `lit` tiles have any.
/// The entries of a tile keep the order of the places, so that sums do not depend on chance.
struct TileLists {
  DeviceArray<std::int32_t> first, next, entries, lit;
  std::int32_t lit_count = 0;
};

template <typename Visit>
KOKKOS_FUNCTION void for_each_tile(const Window& window, const PixelBox& box, const Visit& visit) {
  const int x0 = (box.x0 - window.box.x0) / tile_edge,
            x1 = (box.x1 - 1 - window.box.x0) / tile_edge;
  const int y0 = (box.y0 - window.box.y0) / tile_edge,
            y1 = (box.y1 - 1 - window.box.y0) / tile_edge;
  for (int y = y0; y <= y1; ++y)
    for (int x = x0; x <= x1; ++x) visit(window.first_tile + y * window.tiles_across + x);
}

/// Puts numbers in ascending order, in their place: heap sort.
KOKKOS_FUNCTION inline void sort_numbers(std::int32_t* numbers, std::int32_t count) {
  const auto sink = [numbers](std::int32_t at, std::int32_t end) {
    const std::int32_t number = numbers[at];
    for (std::int32_t child = 2 * at + 1; child < end; child = 2 * at + 1) {
      if (child + 1 < end && numbers[child] < numbers[child + 1]) ++child;
      if (numbers[child] <= number) break;
      numbers[at] = numbers[child];
      at = child;
    }
    numbers[at] = number;
  };
  for (std::int32_t i = count / 2; i > 0; --i) sink(i - 1, count);
  for (std::int32_t last = count - 1; last > 0; --last) {
    const std::int32_t largest = numbers[0];
    numbers[0] = numbers[last];
    numbers[last] = largest;
    sink(0, last);
  }
}

/// Brings the entries of each lit tile in order.
inline void sort_entries(const TileLists& lists) {
  const auto first = lists.first, next = lists.next, lit = lists.lit, entries = lists.entries;
  Kokkos::parallel_for(
      "sort entries", Kokkos::RangePolicy<Device>(0, lists.lit_count),
      KOKKOS_LAMBDA(const std::int32_t i) {
        const std::int32_t tile = lit(i);
        sort_numbers(&entries(first(tile)), next(tile) - first(tile));
      });
}

/// Counts, sums up and fills; `tiles` is the number of tiles of all windows.
inline void list_tiles(const Window* windows, std::int32_t tiles, const SpotLists& spots,
                       TileLists& lists) {
  grow(lists.first, static_cast<std::size_t>(tiles));
  grow(lists.next, static_cast<std::size_t>(tiles));
  grow(lists.lit, static_cast<std::size_t>(tiles));
  const auto places = spots.places;
  const auto first = lists.first, next = lists.next, lit = lists.lit;
  Kokkos::deep_copy(next, 0);
  const Kokkos::RangePolicy<Device> each_place(0, spots.place_count);
  Kokkos::parallel_for(
      "count tiles", each_place, KOKKOS_LAMBDA(const std::int32_t i) {
        for_each_tile(windows[places(i).window], places(i).box,
                      [&](std::int32_t tile) { Kokkos::atomic_add(&next(tile), 1); });
      });
  // Lit tiles in the upper half, entries in the lower.
  std::int64_t total = 0;
  Kokkos::parallel_scan(
      "number tiles", Kokkos::RangePolicy<Device>(0, tiles),
      KOKKOS_LAMBDA(const std::int32_t tile, std::int64_t& at, const bool final) {
        const std::int32_t count = next(tile);
        if (count == 0) return;
        if (final) {
          lit(at >> 32) = tile;
          first(tile) = next(tile) = static_cast<std::int32_t>(at & 0xffffffff);
        }
        at += (std::int64_t(1) << 32) + count;
      },
      total);
  lists.lit_count = static_cast<std::int32_t>(total >> 32);
  grow(lists.entries, static_cast<std::size_t>(total & 0xffffffff));
  const auto entries = lists.entries;
  Kokkos::parallel_for(
      "fill tiles", each_place, KOKKOS_LAMBDA(const std::int32_t i) {
        for_each_tile(windows[places(i).window], places(i).box, [&](std::int32_t tile) {
          entries(Kokkos::atomic_fetch_add(&next(tile), 1)) = i;
        });
      });
  if (Device().concurrency() > 1) sort_entries(lists); // threads came as they liked
}

/// The lists as kernels over tiles read them.
struct LitInput {
  const SpotPeak* peaks = nullptr;
  const SpotPlace* places = nullptr;
  const double* weights = nullptr; ///< [peak][channel], or null: those of the shot
  std::int32_t channels = 0;       ///< length of a row of `weights`
  const std::int32_t *first = nullptr, *next = nullptr, *entries = nullptr;
  const Window* windows = nullptr;
  const PanelCone* panels = nullptr;
  const ShotSpectrum* spectra = nullptr;

  KOKKOS_FUNCTION const double* weight_of(std::int32_t peak) const {
    return weights == nullptr ? spectra[peaks[peak].shot].weight
                              : weights + static_cast<std::int64_t>(peak) * channels;
  }
};

/// Valid until one of them changes.
inline LitInput make_lit_input(const PeakSources& sources, const SpotLists& spots,
                               const TileLists& tiles) {
  LitInput in;
  in.peaks = spots.peaks.data();
  in.places = spots.places.data();
  in.weights = spots.channels > 0 ? spots.weights.data() : nullptr;
  in.channels = spots.channels;
  in.first = tiles.first.data();
  in.next = tiles.next.data();
  in.entries = tiles.entries.data();
  in.windows = sources.windows;
  in.panels = sources.panels;
  in.spectra = sources.spectra;
  return in;
}

/// How the pixels of a tile are dealt out.
inline constexpr int tile_groups = tile_edge * tile_edge / lanes<DeviceLane>;

/// First pixel (of the panel) of a group of a tile.
struct PixelOfPanel {
  int x, y;
};
KOKKOS_FUNCTION inline PixelOfPanel pixel_of_group(const Window& window, std::int32_t tile,
                                                   int group) {
  const int local = tile - window.first_tile;
  const int x = window.box.x0 + local % window.tiles_across * tile_edge,
            y = window.box.y0 + local / window.tiles_across * tile_edge;
  constexpr int per_row = tile_edge / lanes<DeviceLane>;
  return {x + group % per_row, y + group / per_row};
}

/// Whether a box has any of the lanes from pixel x of row y on.
template <typename T>
KOKKOS_FUNCTION constexpr bool reaches(const PixelBox& box, int x, int y) {
  return y >= box.y0 && y < box.y1 && x + lanes<T> > box.x0 && x < box.x1;
}

} // namespace kilobragg::diffraction
