// Plain, slow versions of what shoeboxes are made of: weighted planes, and whose a shared pixel is.
#pragma once

#include "kilobragg/pixelrefinement/shoeboxes.hpp"

#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace kilobragg::testing {

struct PlainPixel {
  double x, y, value, weight;
};

/// c, a, b of the weighted least-squares plane by Gauss's elimination.
inline Plane plain_plane(const std::vector<PlainPixel>& pixels) {
  std::array<std::array<double, 4>, 3> m{};
  for (const PlainPixel& p : pixels) {
    const std::array<double, 4> row{1, p.x, p.y, p.value};
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 4; ++j) m[i][j] += p.weight * row[i] * row[j];
  }
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t k = 0; k < 3; ++k) {
      if (k == i) continue;
      const double f = m[k][i] / m[i][i];
      for (std::size_t j = 0; j < 4; ++j) m[k][j] -= f * m[i][j];
    }
  return {m[0][3] / m[0][0], m[1][3] / m[1][1], m[2][3] / m[2][2]};
}

/// The box in which pixel (x, y) of a panel counts, of all good boxes that hold it; -1 if none does.
inline int plain_owner(const pixelrefinement::ShotPixels& pixels,
                       const std::vector<pixelrefinement::PredictedSpot>& spots, int panel, int x,
                       int y) {
  int owner = -1;
  double least = INFINITY;
  for (std::size_t i = 0; i < spots.size(); ++i) {
    const auto& [box, hkl, lattice, state, background, first] = pixels.boxes[i];
    if (box.panel != panel || x < box.x0 || x >= box.x1 || y < box.y0 || y >= box.y1) continue;
    if (!pixelrefinement::is_good(state)) continue;
    const double d = std::pow(x + 0.5 - spots[i].px.x, 2) + std::pow(y + 0.5 - spots[i].px.y, 2);
    if (d < least) least = d, owner = static_cast<int>(i);
  }
  return owner;
}

} // namespace kilobragg::testing
