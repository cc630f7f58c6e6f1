// Plane fits around spots and two-dimensional histograms of spot positions.
#include "kilobragg/spotfinding/spot_filters.hpp"

#include "kernels/geometry/mat3.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace kilobragg::spotfinding {
namespace {

/// Slope of the cumulative histogram below which it counts as level.
constexpr double level_slope = 0.002;

/// Evenly spaced bins over the range of some values.
struct Bins {
  double low = 0, high = 1;
  int count = 1;

  Bins(const std::vector<double>& values, int n)
      : count(n) {
    const auto [min, max] = std::minmax_element(values.begin(), values.end());
    low = *min, high = *max;
    if (low == high) low -= 0.5, high += 0.5;
  }
  double edge(int i) const { return low + (high - low) * i / count; }
  int bin(double value) const {
    const int i = static_cast<int>((value - low) / (high - low) * count);
    return std::clamp(i, 0, count - 1);
  }
};

/// Contents above which a bin is crowded, or infinity.
double crowding_limit(const std::vector<double>& contents) {
  const double fullest = *std::max_element(contents.begin(), contents.end());
  const Bins slots(contents, std::clamp(static_cast<int>(fullest), 1, 30));
  std::vector<double> cumulative(slots.count, 0);
  for (const double c : contents) cumulative[slots.bin(c)] += 1;
  for (int i = 1; i < slots.count; ++i) cumulative[i] += cumulative[i - 1];
  const double width = (slots.high - slots.low) / slots.count;
  const auto slope = [&](int i) {
    return (cumulative[i + 1] - cumulative[i]) / cumulative.back() / width;
  };
  for (int i = 1; i + 1 < slots.count; ++i)
    if (slope(i) < level_slope && slope(i - 1) < level_slope) return slots.edge(i - 1);
  return HUGE_VAL;
}

} // namespace

models::PanelPoint background_slope(const models::Image& image, const models::Panel& panel,
                                    const models::Spot& spot, int background_size) {
  const models::PanelWindow& window = image.layout->panels[spot.panel];
  const int grow = background_size + 1;
  const models::PixelBox box{
      std::max(0, spot.box.x0 - grow), std::min(window.width, spot.box.x1 + grow),
      std::max(0, spot.box.y0 - grow), std::min(window.height, spot.box.y1 + grow)};
  Mat3 normal;
  Vec3 right;
  for (int y = box.y0; y < box.y1; ++y)
    for (int x = box.x0; x < box.x1; ++x) {
      if (x > box.x0 && x < box.x1 - 1 && y > box.y0 && y < box.y1 - 1) continue;
      const std::size_t index = window.offset + static_cast<std::size_t>(y) * window.stride + x;
      const double raw = image.value(index);
      if (!image.usable(index) || !(raw >= panel.trusted_range[0] && raw <= panel.trusted_range[1]))
        continue;
      const Vec3 row{1, double(x - box.x0), double(y - box.y0)};
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) normal(i, j) += row[i] * row[j];
      right += ((raw - panel.pedestal) / panel.gain) * row;
    }
  if (std::abs(determinant(normal)) < 1e-6) return {};
  const Vec3 plane = inverse(normal) * right;
  return {plane.y, plane.z};
}

std::vector<bool> density_filter(const models::SpotList& list, int nbins) {
  std::vector<bool> keep(list.size(), true);
  if (list.size() < 2) return keep;
  std::vector<double> x, y;
  for (const models::Spot& spot : list.spots) x.push_back(spot.px.x), y.push_back(spot.px.y);
  const Bins along_x(x, nbins), along_y(y, nbins);
  std::vector<double> contents(static_cast<std::size_t>(nbins) * nbins, 0);
  const auto cell = [&](std::size_t i) {
    return static_cast<std::size_t>(along_x.bin(x[i])) * nbins + along_y.bin(y[i]);
  };
  for (std::size_t i = 0; i < list.size(); ++i) contents[cell(i)] += 1;
  const double limit = crowding_limit(contents);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const int bx = along_x.bin(x[i]), by = along_y.bin(y[i]);
    // Spots exactly on an edge of the bin stay.
    const bool inside = x[i] > along_x.edge(bx) && x[i] < along_x.edge(bx + 1) &&
                        y[i] > along_y.edge(by) && y[i] < along_y.edge(by + 1);
    keep[i] = !(inside && contents[cell(i)] > limit);
  }
  return keep;
}

} // namespace kilobragg::spotfinding
