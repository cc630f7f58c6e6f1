// The structure factors that are refined: one per index of the asymmetric unit and photon energy.
#pragma once

#include "kilobragg/merging/observations.hpp"
#include "kilobragg/models/symmetry.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Columns of equal length, layer by layer (one for each energy), each sorted by index; all layers list the
/// same indices. Values are amplitudes on the scale of the forward model.
struct FactorTable {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  bool bijvoet_apart = true;
  /// Of the layers (eV, ascending): |F|^2 is linear between them, beyond them that of the end. Empty = one
  /// layer for any energy.
  std::vector<double> energies;
  std::vector<merging::AsuIndex> index; ///< `minus` is set for mates where they are apart
  std::vector<double> f;                ///< > 0
  std::vector<double> sigma; ///< of ln F: how well it is known; large where it never was seen
  std::vector<std::uint8_t> measured; ///< 0 = a guess from its shell

  std::size_t size() const { return index.size(); }
  std::size_t layers() const { return energies.empty() ? 1 : energies.size(); }
  std::size_t layer_size() const { return size() / layers(); }
  /// Row of any index in the first layer, by symmetry; -1 if absent or beyond the table. A search: 0.2 to 0.4 us in 10^5 rows.
  std::int32_t row_of(const models::Miller& hkl) const;
};

/// All indices to d_min, absences left out, with amplitude 1, not measured, sigma 1. Throws core::Error if
/// the cell contradicts the group, d_min <= 0 or indices do not fit 16 bits.
FactorTable make_factor_table(const models::UnitCell& cell, const models::SpaceGroup& group,
                              double d_min, bool bijvoet_apart);

/// A table of one layer with the same values at each energy; ascending energies, or none.
FactorTable with_energies(const FactorTable& table, const std::vector<double>& energies);
/// One layer as a table of its own, for any energy.
FactorTable layer_of(const FactorTable& table, std::size_t layer);

} // namespace kilobragg::pixelrefinement
