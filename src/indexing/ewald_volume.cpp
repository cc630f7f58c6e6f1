// Numerical integral of the volume between two nearly spherical surfaces.
#include "ewald_volume.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::indexing {

double ewald_proximal_volume(const models::Mosaicity& mosaicity, double wavelength, double d_min) {
  constexpr int terms = 100;
  const double radius = 1 / wavelength;
  const double outer = radius + 1 / mosaicity.domain_size_angstrom;
  const double eta = 2 * mosaicity.half_mosaicity_deg * core::degree;
  const double two_theta = 2 * std::asin(std::min(1.0, wavelength / (2 * d_min)));
  const auto cube = [](double r) { return r * r * r; };
  double volume = (1 - std::cos(two_theta)) * (cube(outer) - cube(radius));
  const double step = two_theta / terms;
  for (int i = 0; i < terms; ++i) {
    const double sine = std::sin((i + 0.5) * step);
    volume += (cube(outer + 0.5 * eta * radius * sine) - cube(outer)) * sine * step;
  }
  return 2.0 / 3.0 * core::pi * volume;
}

} // namespace kilobragg::indexing
