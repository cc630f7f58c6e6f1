// Random amplitudes with Wilson's statistics, each a function of seed and index alone.
#include "index_random.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <cmath>

namespace kilobragg::structure_factors {

namespace {

constexpr double atom_volume = 18.5; // angstrom^3 per non-hydrogen atom of protein

// F^2 over its mean.
double normalised_intensity(const models::Miller& hkl, bool centric, std::uint64_t seed) {
  const double radius = -std::log(uniform(hash_index(hkl, seed, draw_modulus)));
  if (!centric) return radius;
  // A standard normal by Box and Muller; its square has one degree of freedom and mean one.
  const double angle = 2 * core::pi * uniform(hash_index(hkl, seed, draw_normal));
  return 2 * radius * std::cos(angle) * std::cos(angle);
}

} // namespace

Amplitudes random_wilson(const models::UnitCell& cell, const models::SpaceGroup& group,
                         double d_min, std::uint64_t seed, const WilsonParams& params) {
  core::require(d_min > 0, "random structure factors need a resolution above zero, not {}", d_min);
  const std::string contradiction = group.contradiction(cell);
  core::require(contradiction.empty(), "cell {} does not fit space group {} ({})", cell.to_string(),
                group.hm(), contradiction);
  Amplitudes result{cell, group, group.unique_indices(cell, d_min), {}};
  result.f.reserve(result.hkl.size());
  const double atoms = cell.volume() * (1 - params.solvent_fraction) / atom_volume;
  const double sum_f2 = atoms * params.atom_electrons * params.atom_electrons;
  for (const models::Miller& hkl : result.hkl) {
    const double d = cell.d(hkl);
    const double mean = group.epsilon(hkl) * sum_f2 * std::exp(-params.b_factor / (2 * d * d));
    result.f.push_back(std::sqrt(mean * normalised_intensity(hkl, group.is_centric(hkl), seed)));
  }
  return result;
}

} // namespace kilobragg::structure_factors
