// Lists the structure factors to be refined, and finds the row of any index by symmetry.
#include "kilobragg/pixelrefinement/factor_table.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace kilobragg::pixelrefinement {

namespace {

using merging::AsuIndex;
using models::Miller;

constexpr int largest = std::numeric_limits<std::int16_t>::max();

bool fits(const Miller& hkl) {
  return std::max({std::abs(hkl.h), std::abs(hkl.k), std::abs(hkl.l)}) <= largest;
}

AsuIndex asu_index(const Miller& hkl, bool minus) {
  return {static_cast<std::int16_t>(hkl.h), static_cast<std::int16_t>(hkl.k),
          static_cast<std::int16_t>(hkl.l), static_cast<std::int16_t>(minus)};
}

std::int32_t find(const std::vector<AsuIndex>& index, const AsuIndex& wanted) {
  const auto at = std::lower_bound(index.begin(), index.end(), wanted);
  return at != index.end() && *at == wanted ? static_cast<std::int32_t>(at - index.begin()) : -1;
}

} // namespace

std::int32_t FactorTable::row_of(const Miller& hkl) const {
  if (!fits(hkl)) return -1;
  bool plus = true;
  const Miller unique = space_group.to_asu(hkl, &plus);
  if (!fits(unique)) return -1;
  const bool minus = bijvoet_apart && !plus;
  const std::int32_t row = find(index, asu_index(unique, minus));
  // Whether an index is centric takes as long as the search, and acentric ones need not ask.
  if (row < 0 && minus && space_group.is_centric(unique))
    return find(index, asu_index(unique, false));
  return row;
}

FactorTable make_factor_table(const models::UnitCell& cell, const models::SpaceGroup& group,
                              double d_min, bool bijvoet_apart) {
  core::require(d_min > 0, "structure factors to {} angstrom (d_min must be above zero)", d_min);
  const std::string problem = group.contradiction(cell);
  core::require(problem.empty(), "{}", problem);
  core::require(std::max({cell.a, cell.b, cell.c}) / d_min < largest,
                "indices of cell {} to {} angstrom do not fit 16 bits (raise d_min)",
                cell.to_string(), d_min);
  FactorTable table;
  table.cell = cell;
  table.space_group = group;
  table.bijvoet_apart = bijvoet_apart;
  for (const Miller& hkl : group.unique_indices(cell, d_min)) {
    table.index.push_back(asu_index(hkl, false));
    if (bijvoet_apart && !group.is_centric(hkl)) table.index.push_back(asu_index(hkl, true));
  }
  table.f.assign(table.size(), 1);
  table.sigma.assign(table.size(), 1);
  table.measured.assign(table.size(), 0);
  return table;
}

} // namespace kilobragg::pixelrefinement
