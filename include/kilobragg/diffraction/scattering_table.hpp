// How strongly a material without order scatters at each angle: built-in or read from a file.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::diffraction {

/// Amplitude F (electrons per molecule) against sin(theta)/lambda (1/angstrom).
///
/// Between nodes: the polynomial through the two nodes on either side (three at the outer intervals),
/// as nanoBragg interpolates. Beyond the ends: the end's value (nanoBragg goes on linearly, by which
/// the built-in water would reach zero at 0.84 1/angstrom and rise again).
class ScatteringTable {
public:
  /// Throws core::Error unless both lists have the same length, at least one entry, finite values and
  /// stol rises from at least 0.
  ScatteringTable(std::vector<double> stol, std::vector<double> f);

  double f(double stol) const;
  /// F |F|: what a molecule contributes to the intensity (electrons^2). A negative F takes away, as
  /// a table of sample minus solvent may need.
  double intensity(double stol) const;
  const std::vector<double>& stol() const { return stol_; }

private:
  std::vector<double> stol_, f_;
  std::vector<std::array<double, 4>> cubic_; ///< of each interval, in powers of stol - its start
};

/// Two columns, sin(theta)/lambda and F, apart by blanks or a comma; '#' starts a comment. Throws
/// core::Error naming the file and the line.
ScatteringTable read_scattering_table(const std::string& path);
/// The same from text; `name` stands for the file in errors.
ScatteringTable parse_scattering_table(std::string_view text, const std::string& name);

/// Liquid water at room temperature, elastic and Compton scattering together, to 0.5 1/angstrom.
ScatteringTable water_scattering();

/// Air (N2 78.08 %, O2 20.95 %, Ar 0.93 % by volume), to 2 1/angstrom. Per mean molecule
///     F^2 = sum_i x_i [ n_i f_i^2 (1 + sin(4 pi s r_i) / (4 pi s r_i)) + n_i S_i ]
/// (Debye's formula; n = 2 atoms at a distance r; n = 1 without the bracket for Ar) with f of
/// Waasmaier and Kirfel (1995, Acta Cryst. A51, 416), S (Compton) of Hubbell et al. (1975, J. Phys.
/// Chem. Ref. Data 4, 471), r = 1.0977 (N2) and 1.2075 angstrom (O2) of Huber and Herzberg (1979).
ScatteringTable air_scattering();

} // namespace kilobragg::diffraction
