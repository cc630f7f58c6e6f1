// Shortest primitive vectors and symmetry of the known lattice.
#include "known_cell.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::indexing {
namespace {

/// Centring translations as fractions, the zero one first.
std::vector<Vec3> centring_translations(const models::SpaceGroup& group) {
  const std::array<int, 9> identity{1, 0, 0, 0, 1, 0, 0, 0, 1};
  std::vector<Vec3> found{{0, 0, 0}};
  for (const models::SymmetryOperation& op : group.operations())
    if (op.rotation == identity && op.translation != std::array<int, 3>{0, 0, 0})
      found.push_back(
          {op.translation[0] / 24.0, op.translation[1] / 24.0, op.translation[2] / 24.0});
  return found;
}

/// The three shortest independent lattice vectors, as fractions of the conventional axes. In three
/// dimensions they always form a primitive basis.
Mat3 shortest_vectors(const Mat3& real_axes, const std::vector<Vec3>& centring) {
  struct Candidate {
    double length;
    Vec3 fraction;
  };
  std::vector<Candidate> all;
  constexpr int reach = 3;
  for (int i = -reach; i <= reach; ++i)
    for (int j = -reach; j <= reach; ++j)
      for (int k = -reach; k <= reach; ++k)
        for (const Vec3& t : centring) {
          const Vec3 fraction = Vec3{double(i), double(j), double(k)} + t;
          const double length = norm(transpose(real_axes) * fraction);
          if (length > 0) all.push_back({length, fraction});
        }
  // Positive leading components first among equals, so that the choice is readable and fixed.
  std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    if (std::abs(a.length - b.length) > 1e-9 * a.length) return a.length < b.length;
    const auto key = [](const Vec3& f) { return f.x * 100 + f.y * 10 + f.z; };
    return key(a.fraction) > key(b.fraction);
  });
  const Vec3 first = all.front().fraction;
  Vec3 second, third;
  bool have_second = false;
  for (const Candidate& c : all) {
    if (!have_second) {
      if (norm(cross(first, c.fraction)) > 1e-6) second = c.fraction, have_second = true;
    } else if (std::abs(dot(cross(first, second), c.fraction)) > 1e-6) {
      third = c.fraction;
      break;
    }
  }
  if (dot(cross(first, second), third) < 0) third = Vec3{} - third;
  return Mat3::from_rows(first, second, third);
}

Vec3 apply(const std::array<int, 9>& r, const Vec3& f) {
  return {r[0] * f.x + r[1] * f.y + r[2] * f.z, r[3] * f.x + r[4] * f.y + r[5] * f.z,
          r[6] * f.x + r[7] * f.y + r[8] * f.z};
}

models::UnitCell checked(const models::UnitCell& cell, const models::SpaceGroup& group) {
  const std::string wrong = group.contradiction(cell);
  core::require(wrong.empty(),
                "unit cell {} contradicts space group {} ({}) check "
                "indexing.known_symmetry.unit_cell and indexing.known_symmetry.space_group",
                cell.to_string(), group.hm(), wrong);
  core::require(std::isfinite(cell.volume()) && cell.volume() > 1,
                "unit cell {} of space group {} has no volume (lengths are in angstrom, angles in "
                "degrees) check indexing.known_symmetry.unit_cell",
                cell.to_string(), group.hm());
  return group.constrain(cell);
}

} // namespace

KnownCell::KnownCell(const models::UnitCell& unit_cell, const models::SpaceGroup& space_group)
    : cell(checked(unit_cell, space_group))
    , group(space_group)
    , freedom(space_group)
    , reference_a(cell.b_matrix()) {
  const Mat3 real_axes = inverse(reference_a);
  primitive = shortest_vectors(real_axes, centring_translations(group));
  to_conventional = inverse(primitive);
  for (double& v : to_conventional.m) v = std::round(v);
  const Mat3 cartesian = primitive * real_axes;
  volume = std::abs(determinant(cartesian));
  rotations = group.lattice_rotations(cell, 0.01);
  for (int i = 0; i < 3; ++i) {
    axes[i] = cartesian.row(i);
    const Vec3 fraction = primitive.row(i);
    two_sided[i] =
        std::none_of(rotations.begin(), rotations.end(), [&](const std::array<int, 9>& r) {
          return norm(apply(r, fraction) + fraction) < 1e-6;
        });
    fold[i] = std::max(
        1, static_cast<int>(std::count_if(rotations.begin(), rotations.end(), [&](const auto& r) {
          return norm(apply(r, fraction) - fraction) < 1e-6;
        })));
  }
  for (const auto& r : group.lattice_rotations(cell, 3.0))
    if (std::find(rotations.begin(), rotations.end(), r) == rotations.end())
      pseudo_symmetry.push_back(r);
}

} // namespace kilobragg::indexing
