// Random complex structure factors with heavy atoms, for Bijvoet differences without a structure.
#include "index_random.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <gemmi/elem.hpp>

#include <algorithm>
#include <cmath>

namespace kilobragg::structure_factors {
namespace {

using models::Miller;
using models::SpaceGroup;

/// 60 residues of 7.8 non-hydrogen atoms, 18.5 cubic angstrom each.
constexpr double volume_per_heavy_atom = 60 * 7.8 * 18.5;

double dot(const Miller& hkl, const Vec3& x) { return hkl.h * x.x + hkl.k * x.y + hkl.l * x.z; }

/// h t, in turns.
double shift_of(const models::SymmetryOperation& operation, const Miller& hkl) {
  const auto& t = operation.translation;
  return (hkl.h * t[0] + hkl.k * t[1] + hkl.l * t[2]) / 24.0;
}

/// A centric index has an operation with hR = -h. From F(hR) = F(h) exp(-2 pi i h t) and F(-h) =
/// conj F(h) its phase is pi h t or that plus pi.
double centric_phase(const SpaceGroup& group, const Miller& hkl) {
  const Miller inverse{-hkl.h, -hkl.k, -hkl.l};
  for (const auto& operation : group.operations())
    if (operation.apply_to_hkl(hkl) == inverse) return core::pi * shift_of(operation, hkl);
  return 0;
}

double random_phase(const SpaceGroup& group, const Miller& hkl, std::uint64_t seed) {
  const double turn = uniform(hash_index(hkl, seed, draw_phase));
  if (!group.is_centric(hkl)) return 2 * core::pi * turn;
  return centric_phase(group, hkl) + (turn > 0.5 ? core::pi : 0);
}

std::vector<Vec3> random_sites(int count, std::uint64_t seed) {
  std::vector<Vec3> sites;
  for (int atom = 0; atom < count; ++atom) {
    const auto coordinate = [&](std::uint64_t axis) {
      return uniform(hash_index({atom, 0, 0}, seed, draw_position + axis));
    };
    sites.push_back({coordinate(0), coordinate(1), coordinate(2)});
  }
  return sites;
}

/// Sum over sites and symmetry of exp(2 pi i h (R x + t)).
std::complex<double> geometric_sum(const SpaceGroup& group, const Miller& hkl,
                                   const std::vector<Vec3>& sites) {
  std::complex<double> sum;
  for (const auto& operation : group.operations()) {
    const Miller turned = operation.apply_to_hkl(hkl);
    const double shift = shift_of(operation, hkl);
    for (const Vec3& x : sites) sum += std::polar(1.0, 2 * core::pi * (dot(turned, x) + shift));
  }
  return sum;
}

int default_count(const models::UnitCell& cell, const SpaceGroup& group,
                  const WilsonParams& params) {
  const double protein = cell.volume() * (1 - params.solvent_fraction) /
                         static_cast<double>(group.operations().size());
  return std::max(1, static_cast<int>(std::lround(protein / volume_per_heavy_atom)));
}

} // namespace

ScatteringParts random_parts(const models::UnitCell& cell, const SpaceGroup& group, double d_min,
                             std::uint64_t seed, const WilsonParams& params,
                             const HeavyAtoms& heavy) {
  const gemmi::Element element(heavy.element);
  core::require(element.atomic_number() > 0, "no heavy atom '{}' (no element)", heavy.element);
  Amplitudes moduli = random_wilson(cell, group, d_min, seed, params);
  const auto sites =
      random_sites(heavy.count > 0 ? heavy.count : default_count(cell, group, params), seed);
  ScatteringParts parts{cell, group, std::move(moduli.hkl), {}, {{element.name(), {}}}};
  for (std::size_t i = 0; i < parts.hkl.size(); ++i) {
    const Miller& hkl = parts.hkl[i];
    parts.normal.push_back(std::polar(moduli.f[i], random_phase(group, hkl, seed)));
    const double d = cell.d(hkl);
    parts.elements[0].sum.push_back(heavy.occupancy * std::exp(-heavy.b_factor / (4 * d * d)) *
                                    geometric_sum(group, hkl, sites));
  }
  return parts;
}

} // namespace kilobragg::structure_factors
