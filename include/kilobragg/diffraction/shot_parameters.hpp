// The usual parameters of a shot as directions for the shoebox model.
#pragma once

#include "kilobragg/diffraction/shoebox_model.hpp"

#include <vector>

namespace kilobragg::diffraction {

/// Elements of a symmetric matrix that are free: all the same on the diagonal, the diagonal, all six (11,
/// 22, 33, 12, 13, 23).
enum class SymmetricElements { One = 1, Three = 3, Six = 6 };

/// Small rotations of lattice number `lattice` about the laboratory's x, y, z (rad).
std::vector<ParameterDirection> rotation_directions(const ShotLattice& of, int lattice);

/// Relative changes of size that its space group allows, 6 triclinic to 1 cubic: the strains of
/// refinement::CellFreedom, A -> (1 + p E) A, orthonormal and without rotation.
std::vector<ParameterDirection> cell_directions(const ShotLattice& of, int lattice);

/// N (unit cells).
std::vector<ParameterDirection> size_directions(SymmetricElements elements, int lattice);

/// The covariance of misorientation (rad^2) about the columns of the crystal's U: a spread of standard
/// deviation s about one of them is s^2. A derivative to s is 2 s times this one.
std::vector<ParameterDirection> spread_directions(const ShotLattice& of, SymmetricElements elements,
                                                  int lattice);

/// The logarithm of the illuminated volume.
ParameterDirection scale_direction(int lattice);

/// All panels away from the sample, along the beam (mm).
ParameterDirection distance_direction(const models::Beam& beam);

/// lambda = offset + scale lambda0.
ParameterDirection wavelength_offset_direction();
ParameterDirection wavelength_scale_direction();

} // namespace kilobragg::diffraction
