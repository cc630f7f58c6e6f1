// |F| of both Bijvoet mates at one or several photon energies, and how it follows from f' and f''.
#pragma once

#include "kilobragg/models/symmetry.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"
#include "kilobragg/structure_factors/dispersion.hpp"

#include <complex>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::structure_factors {

/// Amplitudes at one photon energy.
struct AmplitudeLayer {
  double energy = 0;         ///< eV; 0 = whatever the beam has
  std::vector<double> plus;  ///< |F(h)| of SpectralAmplitudes::hkl
  std::vector<double> minus; ///< |F(-h)|; empty where Friedel's law holds
};

/// |F| of every index of the asymmetric unit and of its Bijvoet mate, systematic absences left out, in
/// layers of ascending energy.
struct SpectralAmplitudes {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  std::vector<models::Miller> hkl; ///< in SpaceGroup::to_asu's asymmetric unit, sorted
  std::vector<AmplitudeLayer> layers;

  bool bijvoet() const { return !layers.empty() && !layers.front().minus.empty(); }
  /// |F| of any index, Bijvoet mates told apart; empty if absent or not in the list.
  std::optional<double> find(const models::Miller& hkl, std::size_t layer = 0) const;
  /// Amplitudes at any energy: |F|^2 linear between the layers, beyond them that of the end.
  AmplitudeLayer at(double energy) const;
  /// Mates made one in a layer: root of their mean square.
  Amplitudes merged(std::size_t layer = 0) const;
};

/// An energy among ascending ones: (1 - part) of `lower` and part of the next. Beyond the ends it is at
/// the end.
struct EnergyPlace {
  std::size_t lower = 0;
  double part = 0;
};
EnergyPlace place_of(double energy, const std::vector<double>& energies);

/// One layer in which Friedel's law holds.
SpectralAmplitudes with_friedel(const Amplitudes& amplitudes);

/// Complex structure factors as a function of photon energy: with A_e the sum over the atoms of
/// element e of occupancy * exp(-B s^2 / 4) * exp(2 pi i h x),
///   F(h, E) = normal(h) + sum_e (f'_e(E) + i f''_e(E)) A_e(h).
/// As normal(-h) and A_e(-h) are the conjugates, |F(-h)| = |normal(h) + sum_e (f'_e - i f''_e) A_e(h)|.
/// Any number of energies costs one such sum each (Hendrickson 1991 for one kind of scatterer).
struct ScatteringParts {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  std::vector<models::Miller> hkl;
  std::vector<std::complex<double>> normal; ///< atoms without resonance, and solvent (electrons)
  struct Element {
    std::string symbol;
    std::vector<std::complex<double>> sum; ///< A_e, one per hkl
  };
  std::vector<Element> elements;
};

/// Amplitudes at the given energies (eV, made ascending). Centric mates come out equal. Throws
/// core::Error if there are none, if two are the same, or for a table of an element without A_e.
SpectralAmplitudes amplitudes_at(const ScatteringParts& parts, std::vector<double> energies,
                                 const DispersionSource& dispersion = {});

/// Parts from coordinates (see from_coordinates), with A_e of the elements named, or of all but
/// hydrogen if none is. Throws core::Error naming the file, or an element that it lacks.
ScatteringParts parts_from_coordinates(const std::string& path, const CoordinateParams& params,
                                       const std::vector<std::string>& elements = {});

/// Heavy atoms at random places of the asymmetric unit.
struct HeavyAtoms {
  std::string element = "Se";
  int count = 0;        ///< per asymmetric unit; 0 = one per 60 residues, at least one
  double b_factor = 20; ///< square angstrom
  double occupancy = 1;
};

/// Random parts: `normal` has the moduli of random_wilson of the same seed, random phases, and those
/// phases for centric indices that symmetry allows; A_e is the exact sum over the heavy atoms. With
/// f' = f'' = 0 the amplitudes are those of random_wilson. `normal` and the heavy atoms are drawn
/// independently, as if their normal scattering were lost among that of the other atoms.
ScatteringParts random_parts(const models::UnitCell& cell, const models::SpaceGroup& group,
                             double d_min, std::uint64_t seed, const WilsonParams& params = {},
                             const HeavyAtoms& heavy = {});

} // namespace kilobragg::structure_factors
