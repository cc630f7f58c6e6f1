// Shares of the channels of a shot's beam, added up.
#include "kilobragg/pixelrefinement/partiality.hpp"

#include "kernels/diffraction/ewald_share.hpp"

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

} // namespace kilobragg::pixelrefinement
