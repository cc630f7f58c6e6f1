// Structure factors between files and refinement.
#include "factor_conversion.hpp"

#include "kilobragg/core/error.hpp"

#include <cmath>

namespace kilobragg::programs {

namespace {

using merging::AsuIndex;
using pixelrefinement::FactorTable;

void add_factor(FactorTable& table, const AsuIndex& index, double f, double sigma) {
  if (!(f > 0)) return;
  table.index.push_back(index);
  table.f.push_back(f);
  table.sigma.push_back(sigma > 0 ? sigma / f : 1);
  table.measured.push_back(1);
}

io::FactorValue value_of(const FactorTable& table, std::size_t i) {
  if (table.measured[i] == 0) return {};
  return {table.f[i], table.f[i] * table.sigma[i]};
}

} // namespace

FactorTable table_of(const io::ReferenceAmplitudes& amplitudes) {
  FactorTable table;
  table.cell = amplitudes.cell;
  table.space_group = amplitudes.space_group;
  table.bijvoet_apart = amplitudes.apart;
  for (std::size_t i = 0; i < amplitudes.hkl.size(); ++i) {
    const auto [h, k, l] = amplitudes.hkl[i];
    AsuIndex index{static_cast<std::int16_t>(h), static_cast<std::int16_t>(k),
                   static_cast<std::int16_t>(l), 0};
    core::require(index.miller() == amplitudes.hkl[i], "index {} {} {} does not fit 16 bits", h, k,
                  l);
    add_factor(table, index, amplitudes.plus[i], amplitudes.sigma_plus[i]);
    if (!amplitudes.apart || amplitudes.space_group.is_centric(amplitudes.hkl[i])) continue;
    index.minus = 1;
    add_factor(table, index, amplitudes.minus[i], amplitudes.sigma_minus[i]);
  }
  return table;
}

std::vector<io::FactorRow> rows_of(const FactorTable& table,
                                   std::span<const std::int64_t> observations,
                                   std::span<const double> priors) {
  std::vector<io::FactorRow> rows;
  for (std::size_t i = 0, last = 0; i < table.size(); i = last) {
    io::FactorRow row{.hkl = table.index[i].miller()};
    double squares = 0;
    for (last = i; last < table.size() && table.index[last].miller() == row.hkl; ++last) {
      (table.index[last].minus != 0 ? row.minus : row.plus) = value_of(table, last);
      if (!observations.empty()) row.observations += observations[last];
      if (!priors.empty()) squares += priors[last] * priors[last];
    }
    if (!priors.empty()) row.prior = std::sqrt(squares / static_cast<double>(last - i));
    rows.push_back(row);
  }
  return rows;
}

void require_crystal(const FactorTable& table, const std::string& file, const std::string& option,
                     const models::UnitCell& cell, const models::SpaceGroup& group,
                     const std::string& of, const CellTolerance& tolerance) {
  core::require(table.space_group.patterson() == group.patterson(),
                "'{}' (option {}) is in {} but {} in {} (they must have the same Laue group in the "
                "same setting)",
                file, option, table.space_group.hm(), of, group.hm());
  const auto its = table.cell.parameters(), ours = cell.parameters();
  bool alike = true;
  for (std::size_t i = 0; i < ours.size(); ++i)
    alike = alike &&
            std::abs(its[i] - ours[i]) <= (i < 3 ? tolerance.length * ours[i] : tolerance.angle);
  core::require(alike,
                "'{}' (option {}) has the cell {} but {} {} (they differ by more than {} % or {} "
                "degrees) is it of this crystal?",
                file, option, table.cell.to_string(), of, cell.to_string(), 100 * tolerance.length,
                tolerance.angle);
}

} // namespace kilobragg::programs
