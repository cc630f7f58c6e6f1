// Starts, fills and writes MTZ files; for the sources of this room alone.
#pragma once

#include "kilobragg/models/symmetry.hpp"

#include <gemmi/mtz.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kilobragg::io {

/// What an MTZ holds where there is no value.
inline constexpr float missing_in_mtz = std::numeric_limits<float>::quiet_NaN();

/// An MTZ without rows: the base data set with H, K, L, then one named "kilobragg". Titles are cut.
gemmi::Mtz start_mtz(const models::UnitCell& cell, const models::SpaceGroup& group,
                     double wavelength, const std::string& title);

/// Throws core::Error naming `path` if there are more lines than the format has room for; cuts long ones.
void add_history(gemmi::Mtz& mtz, const std::vector<std::string>& lines, const std::string& path);

/// Labels and types.
void add_columns(gemmi::Mtz& mtz, std::initializer_list<std::pair<const char*, char>> columns);

/// One value per column that was added.
void add_row(gemmi::Mtz& mtz, const models::Miller& hkl, std::span<const double> values);

void write_mtz(const gemmi::Mtz& mtz, const std::string& path);

/// Positions of rows in order of their indices.
template <typename Index>
std::vector<std::size_t> order_of(std::size_t count, Index index) {
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return index(a) < index(b); });
  return order;
}

} // namespace kilobragg::io
