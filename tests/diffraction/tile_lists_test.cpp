// Every tile lists the places that touch it, in their order, however many threads listed them.
#include "kernels/diffraction/tile_lists.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace kilobragg::diffraction {
namespace {

/// Two windows side by side on one panel, the second not at the panel's corner.
std::vector<Window> make_windows() {
  Window first, second;
  first.box = {0, 61, 0, 40};
  first.tiles_across = tiles_along(61);
  second.box = {5, 30, 7, 70};
  second.first_tile = first.tiles_across * tiles_along(40);
  second.tiles_across = tiles_along(25);
  return {first, second};
}

/// Places in boxes of up to 12 x 12 pixels, many to a tile.
std::vector<SpotPlace> make_places(const std::vector<Window>& windows, int count) {
  std::mt19937 random(5);
  const auto below = [&](int end) {
    return static_cast<int>(random() % static_cast<unsigned>(end));
  };
  std::vector<SpotPlace> places;
  for (int i = 0; i < count; ++i) {
    const int number = below(2);
    const PixelBox& box = windows[static_cast<std::size_t>(number)].box;
    const int x = box.x0 + below(box.x1 - box.x0), y = box.y0 + below(box.y1 - box.y0);
    places.push_back(
        {i, number, common(box, PixelBox{x, x + 1 + below(12), y, y + 1 + below(12)})});
  }
  return places;
}

/// One tile's entries, by looking at all places.
std::vector<std::int32_t> entries_of(const Window& window, std::int32_t number, int tile_x,
                                     int tile_y, const std::vector<SpotPlace>& places) {
  const int x = window.box.x0 + tile_x * tile_edge, y = window.box.y0 + tile_y * tile_edge;
  const PixelBox tile{x, x + tile_edge, y, y + tile_edge};
  std::vector<std::int32_t> entries;
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i].window == number && !common(tile, places[i].box).empty())
      entries.push_back(static_cast<std::int32_t>(i));
  return entries;
}

std::vector<std::int32_t> on_host_of(const DeviceArray<std::int32_t>& array, std::size_t count) {
  std::vector<std::int32_t> result(count);
  to_host(array, std::span(result));
  return result;
}

TEST(TileLists, HoldThePlacesOfEachTileInOrder) {
  const auto windows = make_windows();
  const auto places = make_places(windows, 5000);
  const auto tiles = std::size_t(windows[1].first_tile + 4 * tiles_along(63));
  const auto device_windows = to_device(windows);
  SpotLists spots;
  spots.places = to_device(places);
  spots.place_count = static_cast<std::int32_t>(places.size());
  TileLists lists;
  list_tiles(device_windows.data(), static_cast<std::int32_t>(tiles), spots, lists);
  const auto first = on_host_of(lists.first, tiles), next = on_host_of(lists.next, tiles),
             lit = on_host_of(lists.lit, std::size_t(lists.lit_count)),
             entries = on_host_of(lists.entries, lists.entries.extent(0));
  std::size_t most = 0;
  std::vector<std::int32_t> expected_lit;
  for (std::int32_t w = 0; w < 2; ++w) {
    const Window& window = windows[std::size_t(w)];
    for (int y = 0; y < tiles_along(window.box.y1 - window.box.y0); ++y)
      for (int x = 0; x < window.tiles_across; ++x) {
        const auto expected = entries_of(window, w, x, y, places);
        const std::int32_t tile = window.first_tile + y * window.tiles_across + x;
        const auto from = entries.begin();
        if (!expected.empty()) expected_lit.push_back(tile);
        const std::vector<std::int32_t> listed =
            expected.empty() ? std::vector<std::int32_t>()
                             : std::vector<std::int32_t>(from + first[std::size_t(tile)],
                                                         from + next[std::size_t(tile)]);
        EXPECT_EQ(listed, expected) << "tile " << tile;
        most = std::max(most, expected.size());
      }
  }
  EXPECT_EQ(lit, expected_lit);
  EXPECT_GT(most, 50U) << "short lists would be in order by chance";
}

TEST(TileLists, SortsNumbers) {
  std::mt19937 random(3);
  for (int count = 0; count < 70; ++count) {
    std::vector<std::int32_t> numbers;
    for (int i = 0; i < count; ++i) numbers.push_back(static_cast<std::int32_t>(random() % 40));
    auto expected = numbers;
    std::sort(expected.begin(), expected.end());
    sort_numbers(numbers.data(), count);
    EXPECT_EQ(numbers, expected);
  }
}

} // namespace
} // namespace kilobragg::diffraction
