// Structure factors of a simulation: |F|^2 of every index of the whole sphere.
#pragma once

#include "kilobragg/models/symmetry.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <vector>

namespace kilobragg::diffraction {

/// |F|^2 of all indices with d >= d_min (group and Friedel mates expanded), sorted by index.
struct ReflectionSphere {
  std::vector<models::Miller> hkl;
  std::vector<double> f_squared; ///< electrons^2, layer by layer
  std::vector<double> energies; ///< of the layers (eV, ascending); empty = one layer for any energy
  std::vector<float> inv_d2 = {}; ///< 1/d^2 (1/angstrom^2); only derivatives to B need it
  std::size_t size() const { return hkl.size(); }
};

/// Expands amplitudes of the asymmetric unit, leaving out what lies beyond `d_min` in the amplitudes'
/// own cell. Throws core::Error if nothing is left.
ReflectionSphere expand_to_sphere(const structure_factors::Amplitudes& amplitudes, double d_min);

/// The same of amplitudes that may tell Bijvoet mates apart, with |F|^2 at a photon energy (eV) linear
/// between their layers. d_min 0 takes all.
ReflectionSphere expand_to_sphere(const structure_factors::SpectralAmplitudes& amplitudes,
                                  double d_min, double energy);

/// All layers: each channel of a beam takes the |F|^2 of its own energy. d_min 0 takes all.
ReflectionSphere expand_layers(const structure_factors::SpectralAmplitudes& amplitudes,
                               double d_min);

} // namespace kilobragg::diffraction
