// The complete P1 array of structure factors that images are calculated from, and its unique indices.
#pragma once

#include "kernels/diffraction/amplitude_grid.hpp"

#include "kilobragg/diffraction/reflections.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace kilobragg::diffraction {

/// How a photon energy between two layers gets its |F|^2.
enum class LayerChoice {
  Nearest, ///< that of the nearest layer
  Linear   ///< linear between the two in energy; beyond the ends, that of the end
};

struct AmplitudeGridParams {
  double d_min =
      0; ///< angstrom, in the amplitudes' own cell; 0 = of the finest index in their list
  /// Give Bijvoet mates numbers of their own. Empty = where the amplitudes have them apart. Together,
  /// both get the mean of their |F|^2; apart without differences, both start at the same value.
  std::optional<bool> bijvoet_apart;
  double missing_f = 0; ///< |F| of indices within d_min that the list lacks (electrons)
};

/// Every index of the sphere with d >= d_min: group operations applied, and inversion where mates are
/// together. Memory is 4 bytes times the points of the box (twice the sphere's) plus 4 bytes per
/// unique index and layer: lysozyme (P43212, 77 77 37) to 1.6 angstrom has 442 223 points, 1.8 MB, and
/// 28 026 unique indices with mates apart, 0.11 MB a layer.
struct AmplitudeGrid {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  double d_min = 0; ///< angstrom
  bool bijvoet_apart = false;
  std::vector<models::Miller> hkl; ///< of each unique index: of F(-) mates, the inverse of F(+)'s
  std::vector<double> energies;    ///< eV, one per layer, ascending; 0 alone = any
  std::size_t missing = 0;         ///< unique indices that the list lacked
  int h_max = -1, k_max = -1, l_max = -1;
  std::vector<std::int32_t> unique; ///< of every point of the box, see AmplitudeGridView
  std::vector<float> f_squared;     ///< electrons^2, layer by layer

  /// As kernels on the host see it; valid while this object is neither changed nor moved.
  AmplitudeGridView view() const;
  /// Layers for a photon energy (eV).
  LayerMix mix(double energy, LayerChoice choice = LayerChoice::Linear) const;
  /// Of the arrays.
  std::size_t bytes() const;
};

/// Throws core::Error if no index is left or the box has 2^31 points or more.
AmplitudeGrid make_amplitude_grid(const structure_factors::SpectralAmplitudes& amplitudes,
                                  const AmplitudeGridParams& params = {});

/// The same indices as a list, sorted, with the |F|^2 of one photon energy; zeros are left out.
ReflectionSphere list_sphere(const AmplitudeGrid& grid, const LayerMix& mix = {});

} // namespace kilobragg::diffraction
