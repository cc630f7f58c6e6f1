// Unit cells, space groups and Miller indices; a thin cover over gemmi's tables.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include <array>
#include <compare>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::models {

struct Miller {
  int h = 0, k = 0, l = 0;
  friend auto operator<=>(const Miller&, const Miller&) = default;
};

/// a, b, c in angstrom, angles in degrees.
struct UnitCell {
  double a = 0, b = 0, c = 0, alpha = 90, beta = 90, gamma = 90;

  std::array<double, 6> parameters() const { return {a, b, c, alpha, beta, gamma}; }
  double volume() const;
  /// B: columns a*, b*, c* (1/angstrom) in the Cartesian frame that has a along x, b in the xy plane
  /// and so c* along z (the PDB's frame; B is the transpose of the fractionalisation matrix). The
  /// rows of B^-1 are a, b, c.
  Mat3 b_matrix() const;
  /// d spacing of an index (angstrom).
  double d(const Miller& hkl) const;
  /// Reads "77 77 37 90 90 90", commas allowed. Throws core::Error.
  static UnitCell parse(std::string_view text);
  std::string to_string() const;
};

enum class CrystalSystem {
  Triclinic,
  Monoclinic,
  Orthorhombic,
  Tetragonal,
  Trigonal,
  Hexagonal,
  Cubic
};

/// Integer rotation acting on real-space fractional coordinates, with its translation in 24ths.
struct SymmetryOperation {
  std::array<int, 9> rotation;    ///< row-major
  std::array<int, 3> translation; ///< 24ths
  /// h' = h R, the index that this operation makes of h.
  Miller apply_to_hkl(const Miller& hkl) const;
};

/// One space group in one setting. Cheap to copy.
class SpaceGroup {
public:
  /// From a Hermann-Mauguin symbol with or without spaces ("P43212"), a Hall symbol or a number.
  /// Throws core::Error naming the nearest symbols.
  explicit SpaceGroup(std::string_view symbol);
  SpaceGroup()
      : SpaceGroup("P 1") {}

  int number() const;
  std::string hm() const;   ///< "P 43 21 2"
  std::string hall() const; ///< "P 4nw 2abw", as .expt files hold it
  CrystalSystem crystal_system() const;
  char centring() const;
  /// All operations, centring included.
  const std::vector<SymmetryOperation>& operations() const;
  /// Distinct proper rotations of the point group (Laue group without inversion), as R matrices.
  const std::vector<std::array<int, 9>>& proper_rotations() const;
  /// Proper rotations of the *lattice's* point group in this setting (holohedry): for comparing
  /// orientations that the metric alone cannot tell apart.
  std::vector<std::array<int, 9>> lattice_rotations(const UnitCell& cell,
                                                    double tolerance_deg = 1.0) const;
  bool is_absent(const Miller& hkl) const;
  bool is_centric(const Miller& hkl) const;
  /// Patterson (Laue + centring) group.
  SpaceGroup patterson() const;
  /// Equivalent index in the asymmetric unit (gemmi's, = CCP4's). `plus` tells whether the mate
  /// I(+) was found (false = I(-)); with anomalous merged callers ignore it.
  Miller to_asu(const Miller& hkl, bool* plus = nullptr) const;
  bool in_asu(const Miller& hkl) const;
  /// Reflection multiplicity factor epsilon.
  int epsilon(const Miller& hkl) const;
  /// The cell with the constraints of the crystal system imposed (lengths averaged, angles set).
  UnitCell constrain(const UnitCell& cell) const;
  /// Empty if the cell fits the group's crystal system; otherwise what is wrong.
  std::string contradiction(const UnitCell& cell) const;
  /// Unique indices of the asymmetric unit with d >= d_min, absences left out, sorted.
  std::vector<Miller> unique_indices(const UnitCell& cell, double d_min, double d_max = 1e9) const;
  friend bool operator==(const SpaceGroup& a, const SpaceGroup& b) { return a.hall() == b.hall(); }

private:
  struct Table;
  std::shared_ptr<const Table> table_;
  explicit SpaceGroup(std::shared_ptr<const Table> table)
      : table_(std::move(table)) {}
};

} // namespace kilobragg::models
