// Anomalous dispersion: f' and f'' of the elements against photon energy, calculated or from a table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::structure_factors {

/// What resonance adds to an atom's scattering length (electrons): f = f0 + f' + i f''.
struct Dispersion {
  double f_prime = 0, f_double_prime = 0;
};

/// f' and f'' of a free atom by Cromer and Liberman (1981) with the corrections of Kissel and Pratt
/// (1990), as gemmi calculates them; lithium to uranium, zero for hydrogen and helium. Good to a few
/// percent away from edges; within some 10 eV of an edge real compounds differ (shift, white line),
/// where a measured table is needed. Throws core::Error for an unknown element or energy <= 0.
Dispersion calculated_dispersion(std::string_view element, double energy_ev);

/// f' and f'' of one element at some energies, as measured or calculated elsewhere.
struct DispersionTable {
  std::string element;                         ///< "Se"
  std::vector<double> energy;                  ///< eV, ascending
  std::vector<double> f_prime, f_double_prime; ///< electrons
  bool covers(double energy_ev) const;
  /// Linear between points. Throws core::Error outside.
  Dispersion at(double energy_ev) const;
};

/// Reads lines "energy f' f''" (eV, electrons; '#' begins a comment) in any order. Throws core::Error;
/// f'' <= 0 everywhere is taken for exchanged columns.
DispersionTable read_dispersion_table(const std::string& path, const std::string& element);

/// f' and f'' of any element: of its table where there is one, which must cover the energy,
/// calculated otherwise.
struct DispersionSource {
  std::vector<DispersionTable> tables;
  Dispersion at(std::string_view element, double energy_ev) const;
};

} // namespace kilobragg::structure_factors
