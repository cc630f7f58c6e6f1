// Point spread said plainly: every weight of the square kernel for every pixel.
#pragma once

#include "kilobragg/diffraction/point_spread.hpp"

#include <cstdlib>
#include <vector>

namespace kilobragg::reference {

/// The image spread with the exact weights; what the kernel does not hold goes evenly to all pixels.
inline std::vector<double> spread_points(const std::vector<float>& image, int width, int height,
                                         const diffraction::PointSpreadParams& params,
                                         const std::array<double, 2>& pixel_size, int radius) {
  const auto weights = diffraction::point_spread_weights(params, pixel_size, radius);
  const auto weight = [&](int dx, int dy) {
    return weights[static_cast<std::size_t>(std::abs(dy) * (radius + 1) + std::abs(dx))];
  };
  double inside = 0, sum = 0;
  for (int dy = -radius; dy <= radius; ++dy)
    for (int dx = -radius; dx <= radius; ++dx) inside += weight(dx, dy);
  for (float value : image) sum += static_cast<double>(value);
  std::vector<double> result(image.size(), (1 - inside) * sum / double(image.size()));
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int dy = -radius; dy <= radius; ++dy)
        for (int dx = -radius; dx <= radius; ++dx) {
          if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
          result[static_cast<std::size_t>((y + dy) * width + x + dx)] +=
              weight(dx, dy) * static_cast<double>(image[static_cast<std::size_t>(y * width + x)]);
        }
  return result;
}

} // namespace kilobragg::reference
