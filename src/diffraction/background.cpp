// Liquid water as the background of an image.
#include "water.hpp"

#include <array>
#include <cstddef>

namespace kilobragg::diffraction {
namespace {

constexpr std::array<WaterPoint, 14> water{{{0, 2.57},
                                            {0.0365, 2.58},
                                            {0.07, 2.8},
                                            {0.12, 5.0},
                                            {0.162, 8.0},
                                            {0.18, 7.32},
                                            {0.2, 6.75},
                                            {0.216, 6.75},
                                            {0.236, 6.5},
                                            {0.28, 4.5},
                                            {0.3, 4.3},
                                            {0.345, 4.36},
                                            {0.436, 3.77},
                                            {0.5, 3.17}}};

} // namespace

std::span<const WaterPoint> water_points() { return water; }

double water_f_squared(double stol) {
  double f = water.back().f;
  for (std::size_t i = 1; i < water.size(); ++i) {
    if (stol > water[i].stol) continue;
    const WaterPoint &low = water[i - 1], &high = water[i];
    f = low.f + (high.f - low.f) * (stol - low.stol) / (high.stol - low.stol);
    break;
  }
  return f * f;
}

} // namespace kilobragg::diffraction
