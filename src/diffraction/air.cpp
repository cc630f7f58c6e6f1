// Air as a scatterer, from the form factors and Compton scattering of its atoms.
#include "kilobragg/core/units.hpp"
#include "kilobragg/diffraction/scattering_table.hpp"

#include <cmath>
#include <cstddef>

namespace kilobragg::diffraction {
namespace {

constexpr std::size_t nodes = 17;
/// sin(theta)/lambda (1/angstrom) of the Compton values.
constexpr std::array<double, nodes> compton_stol{0,   0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3,
                                                 0.4, 0.5,  0.6,   0.8,  1,   1.25, 1.5, 2};

/// An atom, and how the molecule in air holds it.
struct AirAtom {
  double part;                ///< of all molecules
  int count;                  ///< atoms in the molecule
  double distance;            ///< between them (angstrom)
  std::array<double, 5> a, b; ///< Waasmaier and Kirfel (1995): sum a exp(-b s^2) + c
  double c;
  std::array<double, nodes> compton; ///< Hubbell et al. (1975): S(x, Z)
};

constexpr std::array<AirAtom, 3> atoms{{
    {0.78084,
     2,
     1.0977,
     {11.893780, 3.277479, 1.858092, 0.858927, 0.912985},
     {0.000158, 10.232723, 30.344690, 0.656065, 0.217287},
     -11.804902,
     {0, 0.013, 0.0804, 0.31, 1.08, 2.003, 2.858, 3.5586, 4.097, 4.792, 5.182, 5.437, 5.809, 6.113,
      6.4157, 6.63, 6.8599}},
    {0.20946,
     2,
     1.2075,
     {2.960427, 2.508818, 0.637853, 0.722838, 1.142756},
     {14.182259, 5.936858, 0.112726, 34.958481, 0.390240},
     0.027014,
     {0, 0.011, 0.0698, 0.271, 0.977, 1.885, 2.799, 3.6135, 4.293, 5.257, 5.828, 6.175, 6.596,
      6.901, 7.2159, 7.462, 7.7642}},
    {0.00934,
     1,
     0,
     {7.188004, 6.638454, 0.454180, 1.929593, 1.523654},
     {0.956221, 15.339877, 15.339862, 39.043823, 0.062409},
     0.265954,
     {0, 0.024, 0.1491, 0.571, 1.956, 3.558, 5.033, 6.303, 7.377, 8.998, 10.106, 10.967, 12.424,
      13.629, 14.745, 15.489, 16.324}},
}};

double form_factor(const AirAtom& atom, double stol) {
  double f = atom.c;
  for (std::size_t i = 0; i < atom.a.size(); ++i)
    f += atom.a[i] * std::exp(-atom.b[i] * stol * stol);
  return f;
}

/// Coherent and Compton scattering of one molecule (electrons^2).
double molecule(const AirAtom& atom, const ScatteringTable& compton, double stol) {
  const double f = form_factor(atom, stol), phase = 4 * core::pi * stol * atom.distance;
  const double pair = atom.count == 1 ? 0 : phase == 0 ? 1 : std::sin(phase) / phase;
  return atom.count * (f * f * (1 + pair) + compton.f(stol));
}

} // namespace

ScatteringTable air_scattering() {
  constexpr double step = 0.01;
  std::vector<double> stol(201), f(201);
  double parts = 0;
  for (const AirAtom& atom : atoms) {
    parts += atom.part;
    const ScatteringTable compton({compton_stol.begin(), compton_stol.end()},
                                  {atom.compton.begin(), atom.compton.end()});
    for (std::size_t i = 0; i < stol.size(); ++i) {
      stol[i] = step * static_cast<double>(i);
      f[i] += atom.part * molecule(atom, compton, stol[i]);
    }
  }
  for (double& value : f) value = std::sqrt(value / parts);
  return {std::move(stol), std::move(f)};
}

} // namespace kilobragg::diffraction
