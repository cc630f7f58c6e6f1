// Lists the structure factors to be refined, and finds the row of any index by symmetry.
#include "kilobragg/pixelrefinement/factor_table.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <span>

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

std::int32_t find(std::span<const AsuIndex> index, const AsuIndex& wanted) {
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
  const std::span<const AsuIndex> layer(index.data(), layer_size());
  const std::int32_t row = find(layer, asu_index(unique, minus));
  // Whether an index is centric takes as long as the search, and acentric ones need not ask.
  if (row < 0 && minus && space_group.is_centric(unique))
    return find(layer, asu_index(unique, false));
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

FactorTable with_energies(const FactorTable& table, const std::vector<double>& energies) {
  FactorTable layered = table;
  layered.energies = energies;
  const auto repeat = [&](const auto& column, auto& all) {
    for (std::size_t layer = 1; layer < layered.layers(); ++layer)
      all.insert(all.end(), column.begin(), column.end());
  };
  repeat(table.index, layered.index);
  repeat(table.f, layered.f);
  repeat(table.sigma, layered.sigma);
  repeat(table.measured, layered.measured);
  return layered;
}

FactorTable layer_of(const FactorTable& table, std::size_t layer) {
  FactorTable one;
  one.cell = table.cell;
  one.space_group = table.space_group;
  one.bijvoet_apart = table.bijvoet_apart;
  const auto begin = static_cast<std::ptrdiff_t>(layer * table.layer_size()),
             end = begin + static_cast<std::ptrdiff_t>(table.layer_size());
  one.index.assign(table.index.begin() + begin, table.index.begin() + end);
  one.f.assign(table.f.begin() + begin, table.f.begin() + end);
  one.sigma.assign(table.sigma.begin() + begin, table.sigma.begin() + end);
  one.measured.assign(table.measured.begin() + begin, table.measured.begin() + end);
  return one;
}

} // namespace kilobragg::pixelrefinement
