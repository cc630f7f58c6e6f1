// Shares of the channels of a shot's beam, added up.
#include "kilobragg/pixelrefinement/partiality.hpp"

#include "kernels/diffraction/ewald_share.hpp"

#include <cmath>
#include <cstddef>

namespace kilobragg::pixelrefinement {
namespace {

/// A reflection of a lattice as the beam meets it.
struct MetPeak {
  diffraction::LatticeShape shape; ///< of the blocks alone
  diffraction::PeakShape peak;
  Vec3 k0; ///< unit
};

MetPeak met_peak(const ShotModel& shot, std::size_t lattice, const models::Miller& hkl) {
  const diffraction::ShotLattice& of = shot.lattices.at(lattice);
  const auto block = diffraction::make_block_shape(of.shape, of.size, of.fudge);
  const auto shape = diffraction::make_lattice_shape(of.crystal.a_matrix, block, of.rotation);
  return {shape, diffraction::make_peak_shape(shape, of.crystal.q(hkl)),
          -unit(shot.beam.direction)};
}

/// Calls visit(u, weight) for the wave number (1/angstrom) of each channel.
template <typename Visit>
void for_each_channel(const ShotModel& shot, const Visit& visit) {
  const auto wave_number = [&](double wavelength) {
    return 1 / (shot.wavelength.offset + shot.wavelength.scale * wavelength);
  };
  const models::Spectrum& spectrum = shot.beam.spectrum;
  for (std::size_t s = 0; s < spectrum.weights.size(); ++s)
    visit(wave_number(spectrum.wavelengths[s]), spectrum.weights[s]);
  if (spectrum.empty()) visit(wave_number(shot.beam.wavelength), 1.0);
}

} // namespace

double partiality(const ShotModel& shot, std::size_t lattice, const models::Miller& hkl) {
  const MetPeak met = met_peak(shot, lattice, hkl);
  double sum = 0, weights = 0;
  for_each_channel(shot, [&](double u, double weight) {
    sum += weight * diffraction::ewald_share(met.peak, met.k0, u);
    weights += weight;
  });
  return sum / weights;
}

double change_with_size(const ShotModel& shot, std::size_t lattice, const models::Miller& hkl) {
  const MetPeak met = met_peak(shot, lattice, hkl);
  double light = 0, change = 0;
  for_each_channel(shot, [&](double u, double weight) {
    const Vec3 k = u * met.k0 + met.peak.centre, n = unit(k);
    const double error = norm(k) - u,
                 variance = diffraction::quadratic_form(met.peak.covariance, n),
                 share = diffraction::quadratic_form(met.shape.covariance, n) / variance,
                 chi2 = error * error / variance;
    const double given = weight / std::sqrt(variance) * std::exp(-0.5 * chi2);
    light += given;
    change += given * (3 + share * (1 - chi2));
  });
  return light > 0 ? change / light : 0; // nothing where there is no light to change
}

} // namespace kilobragg::pixelrefinement
