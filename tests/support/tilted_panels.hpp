// Two small tilted panels and a beam of three wavelengths, for tests of the forward model.
#pragma once

#include "kilobragg/diffraction/renderer.hpp"
#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <array>

namespace kilobragg::testing {

struct PanelPair {
  Vec3 first, second; ///< origins (mm)
  std::array<double, 2> pixel_size;
  std::array<int, 2> image_size;
};

/// Panels tilted by 3 and -2 degrees, with sensors that do not absorb everything.
inline models::Detector tilted_panels(const PanelPair& pair) {
  constexpr double degree = 3.14159265358979 / 180;
  models::Detector detector;
  for (int i = 0; i < 2; ++i) {
    models::Panel panel;
    const Mat3 turn = rotation_about(unit({1, 1, 0.3}), (i == 0 ? 3 : -2) * degree);
    panel.frame.fast = turn * Vec3{1, 0, 0};
    panel.frame.slow = turn * Vec3{0, -1, 0};
    panel.frame.origin = i == 0 ? pair.first : pair.second;
    panel.pixel_size = pair.pixel_size;
    panel.image_size = pair.image_size;
    panel.mu = 3;
    panel.thickness = 0.3;
    detector.panels.push_back(panel);
  }
  return detector;
}

inline models::Beam three_wavelengths() {
  models::Beam beam;
  beam.wavelength = 1.3;
  beam.polarization_fraction = 0.9;
  beam.spectrum = {{1.295, 1.3, 1.31}, {1, 3, 2}};
  return beam;
}

/// Two crystals of a tetragonal cell, anisotropic in size and spread.
inline diffraction::Shot two_lattices(const Mat3& size) {
  diffraction::Shot shot;
  shot.beam = three_wavelengths();
  shot.fluence = 1e24;
  for (const double angle : {0.6, 1.1}) {
    diffraction::ShotLattice lattice;
    lattice.crystal =
        models::Crystal::from_cell({50, 50, 60, 90, 90, 90}, rotation_about(unit({1, 2, 3}), angle),
                                   models::SpaceGroup("P43212"));
    lattice.size = size;
    lattice.rotation = 1e-6 * Mat3{{4, 1, 0, 1, 5, 0.5, 0, 0.5, 3}};
    lattice.scale = 2;
    shot.lattices.push_back(lattice);
  }
  return shot;
}

/// Amplitudes that grow with the indices, in P43212.
inline structure_factors::Amplitudes graded_amplitudes(const models::UnitCell& cell, double d_min) {
  structure_factors::Amplitudes amplitudes;
  amplitudes.cell = cell;
  amplitudes.space_group = models::SpaceGroup("P43212");
  amplitudes.hkl = amplitudes.space_group.unique_indices(amplitudes.cell, d_min);
  for (const auto& hkl : amplitudes.hkl)
    amplitudes.f.push_back(100 + 7 * hkl.h + 13 * hkl.k + 29 * hkl.l);
  return amplitudes;
}

} // namespace kilobragg::testing
