// The forward model said plainly: every pixel, every channel, every mosaic block, in double precision.
#pragma once

#include "kernels/diffraction/lattice_factor.hpp"
#include "kernels/diffraction/pixel_factors.hpp"

#include "kilobragg/diffraction/renderer.hpp"

#include <cmath>
#include <map>
#include <vector>

namespace kilobragg::reference {

/// A mosaic block: its rotation and its share of the crystal.
struct Block {
  Mat3 rotation = Mat3::identity();
  double weight = 1;
};
using Blocks = std::vector<Block>;

/// Blocks whose rotation vectors lie on a grid of `per_axis`^3 points over +-4 sigma, weighted as a
/// Gaussian with standard deviation `sigma` (rad) about each axis.
inline Blocks gaussian_blocks(int per_axis, double sigma) {
  Blocks blocks;
  double sum = 0;
  const auto point = [&](int i) { return -4 + 8.0 * i / (per_axis - 1); };
  for (int i = 0; i < per_axis; ++i)
    for (int j = 0; j < per_axis; ++j)
      for (int k = 0; k < per_axis; ++k) {
        const Vec3 w{point(i), point(j), point(k)};
        const double angle = norm(w), weight = std::exp(-0.5 * angle * angle);
        blocks.push_back(
            {angle == 0 ? Mat3::identity() : rotation_about(w / angle, sigma * angle), weight});
        sum += weight;
      }
  for (Block& block : blocks) block.weight /= sum;
  return blocks;
}

/// Adds one lattice, averaged over its blocks, to `image`: for each pixel the nearest lattice point
/// alone, I = r_e^2 fluence scale P Omega c sum_s w_s <F(h0)^2 F_latt^2>.
inline void add_lattice(const models::Detector& detector, const diffraction::Shot& shot,
                        const diffraction::ShotLattice& lattice, const Blocks& blocks,
                        const diffraction::ReflectionSphere& reflections, int oversample,
                        std::vector<double>& image) {
  std::map<models::Miller, double> f_squared;
  for (std::size_t i = 0; i < reflections.size(); ++i)
    f_squared[reflections.hkl[i]] = reflections.f_squared[i];
  models::Spectrum spectrum = shot.beam.spectrum;
  if (spectrum.empty()) spectrum = {{shot.beam.wavelength}, {1}};
  double weights = 0;
  for (double weight : spectrum.weights) weights += weight;
  std::vector<Mat3> to_index;
  for (const Block& block : blocks)
    to_index.push_back(inverse(block.rotation * lattice.crystal.a_matrix));
  const Vec3 k0 = -shot.beam.direction, n = shot.beam.polarization_normal, e = cross(n, k0);

  std::size_t index = 0;
  for (const auto& panel : detector.panels)
    for (int y = 0; y < panel.image_size[1]; ++y)
      for (int x = 0; x < panel.image_size[0]; ++x, ++index)
        for (int point = 0; point < oversample * oversample; ++point) {
          const double sub_x = (point % oversample + 0.5) / oversample;
          const double sub_y = (point / oversample + 0.5) / oversample;
          const Vec3 at = panel.pixel_to_lab({x + sub_x, y + sub_y});
          const Vec3 k = unit(at);
          const double pixel =
              diffraction::polarisation_factor(k, e, n, shot.beam.polarization_fraction) *
              diffraction::solid_angle(at, panel.normal(),
                                       panel.pixel_size[0] * panel.pixel_size[1]) *
              diffraction::capture_fraction(k, panel.normal(), panel.mu, panel.thickness);
          for (std::size_t s = 0; s < spectrum.wavelengths.size(); ++s)
            for (std::size_t block = 0; block < blocks.size(); ++block) {
              const Vec3 q = (k - k0) / spectrum.wavelengths[s];
              const Vec3 h = to_index[block] * q;
              const models::Miller h0{static_cast<int>(std::lround(h.x)),
                                      static_cast<int>(std::lround(h.y)),
                                      static_cast<int>(std::lround(h.z))};
              const auto found = f_squared.find(h0);
              if (found == f_squared.end() || h0 == models::Miller{}) continue;
              const Vec3 dh = h - Vec3{double(h0.h), double(h0.k), double(h0.l)};
              image[index] += diffraction::electron_radius_squared * shot.fluence * lattice.scale *
                              pixel * spectrum.weights[s] / weights * found->second *
                              diffraction::gauss_lattice_factor_squared(lattice.size, dh) /
                              (oversample * oversample) * blocks[block].weight;
            }
        }
}

} // namespace kilobragg::reference
