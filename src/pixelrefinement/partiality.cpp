// Shares of the channels of a shot's beam, added up.
#include "kilobragg/pixelrefinement/partiality.hpp"

#include "kernels/diffraction/ewald_share.hpp"

#include <cmath>
#include <cstddef>

namespace kilobragg::pixelrefinement {

double partiality(const ShotModel& shot, std::size_t lattice, const models::Miller& hkl) {
  const diffraction::ShotLattice& of = shot.lattices.at(lattice);
  const auto block = diffraction::make_block_shape(of.shape, of.size, of.fudge);
  const auto shape = diffraction::make_lattice_shape(of.crystal.a_matrix, block, of.rotation);
  const auto peak = diffraction::make_peak_shape(shape, of.crystal.q(hkl));
  const Vec3 k0 = -unit(shot.beam.direction);
  const auto share = [&](double wavelength) {
    return diffraction::ewald_share(
        peak, k0, 1 / (shot.wavelength.offset + shot.wavelength.scale * wavelength));
  };
  const models::Spectrum& spectrum = shot.beam.spectrum;
  if (spectrum.empty()) return share(shot.beam.wavelength);
  double sum = 0, weights = 0;
  for (std::size_t s = 0; s < spectrum.weights.size(); ++s) {
    sum += spectrum.weights[s] * share(spectrum.wavelengths[s]);
    weights += spectrum.weights[s];
  }
  return sum / weights;
}

double change_with_size(const ShotModel& shot, std::size_t lattice, const models::Miller& hkl) {
  const diffraction::ShotLattice& of = shot.lattices.at(lattice);
  const auto block = diffraction::make_block_shape(of.shape, of.size, of.fudge);
  const auto shape = diffraction::make_lattice_shape(of.crystal.a_matrix, block, of.rotation);
  const auto peak = diffraction::make_peak_shape(shape, of.crystal.q(hkl));
  const Vec3 k0 = -unit(shot.beam.direction);
  double light = 0, change = 0;
  const auto add = [&](double wavelength, double weight) {
    const double u = 1 / (shot.wavelength.offset + shot.wavelength.scale * wavelength);
    const Vec3 k = u * k0 + peak.centre, n = unit(k);
    const double error = norm(k) - u, variance = diffraction::quadratic_form(peak.covariance, n),
                 share = diffraction::quadratic_form(shape.covariance, n) / variance,
                 chi2 = error * error / variance;
    const double given = weight / std::sqrt(variance) * std::exp(-0.5 * chi2);
    light += given;
    change += given * (3 + share * (1 - chi2));
  };
  const models::Spectrum& spectrum = shot.beam.spectrum;
  for (std::size_t s = 0; s < spectrum.weights.size(); ++s)
    add(spectrum.wavelengths[s], spectrum.weights[s]);
  if (spectrum.empty()) add(shot.beam.wavelength, 1);
  return light > 0 ? change / light : 0; // nothing where there is no light to change
}

} // namespace kilobragg::pixelrefinement
