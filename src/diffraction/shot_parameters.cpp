// Derivatives of a shot's matrices to its usual parameters.
#include "kilobragg/diffraction/shot_parameters.hpp"

#include "kilobragg/refinement/cell_freedom.hpp"

namespace kilobragg::diffraction {
namespace {

ParameterDirection of_lattice(const CrystalDirection& crystal, int lattice) {
  ParameterDirection p;
  p.crystal = crystal;
  p.lattice = lattice;
  return p;
}

/// Symmetric matrices along the free elements, in the frame of these columns.
std::vector<Mat3> symmetric_directions(SymmetricElements elements, const Mat3& columns) {
  std::vector<Mat3> directions;
  const auto add = [&](const Mat3& m) { directions.push_back(columns * m * transpose(columns)); };
  if (elements == SymmetricElements::One) {
    add(Mat3::identity());
    return directions;
  }
  const int pairs[6][2] = {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 2}};
  for (int e = 0; e < static_cast<int>(elements); ++e) {
    Mat3 m;
    m(pairs[e][0], pairs[e][1]) = m(pairs[e][1], pairs[e][0]) = 1;
    add(m);
  }
  return directions;
}

} // namespace

std::vector<ParameterDirection> rotation_directions(const ShotLattice& of, int lattice) {
  std::vector<ParameterDirection> directions;
  for (const Vec3& axis : {Vec3{1, 0, 0}, Vec3{0, 1, 0}, Vec3{0, 0, 1}}) {
    CrystalDirection d;
    d.a_matrix = -1 * rotation_jacobian(axis) * of.crystal.a_matrix; // w x q = -J(w) q
    directions.push_back(of_lattice(d, lattice));
  }
  return directions;
}

std::vector<ParameterDirection> cell_directions(const ShotLattice& of, int lattice) {
  const Mat3& a = of.crystal.a_matrix;
  std::vector<ParameterDirection> directions;
  for (const Mat3& strain : refinement::CellFreedom(of.crystal.space_group).strains(a)) {
    CrystalDirection d;
    d.a_matrix = strain * a;
    directions.push_back(of_lattice(d, lattice));
  }
  return directions;
}

std::vector<ParameterDirection> size_directions(SymmetricElements elements, int lattice) {
  std::vector<ParameterDirection> directions;
  for (const Mat3& m : symmetric_directions(elements, Mat3::identity())) {
    CrystalDirection d;
    d.size = m;
    directions.push_back(of_lattice(d, lattice));
  }
  return directions;
}

std::vector<ParameterDirection> spread_directions(const ShotLattice& of, SymmetricElements elements,
                                                  int lattice) {
  std::vector<ParameterDirection> directions;
  for (const Mat3& m : symmetric_directions(elements, of.crystal.u_matrix())) {
    CrystalDirection d;
    d.rotation = m;
    directions.push_back(of_lattice(d, lattice));
  }
  return directions;
}

ParameterDirection scale_direction(int lattice) {
  CrystalDirection d;
  d.log_scale = 1;
  return of_lattice(d, lattice);
}

ParameterDirection distance_direction(const models::Beam& beam) {
  ParameterDirection p;
  p.shift = -unit(beam.direction);
  return p;
}

ParameterDirection wavelength_offset_direction() {
  ParameterDirection p;
  p.wavelength_offset = 1;
  return p;
}

ParameterDirection wavelength_scale_direction() {
  ParameterDirection p;
  p.wavelength_scale = 1;
  return p;
}

} // namespace kilobragg::diffraction
