// Amplitudes of an MTZ with Bijvoet mates apart.
#include "amplitude_pairs.hpp"
#include "mtz_columns.hpp"

#include <cmath>
#include <limits>

namespace kilobragg::io {
namespace {

std::vector<PairedRow> rows_of(const gemmi::Mtz& mtz, const Quantity& quantity) {
  const auto absent = [&](float v) { return std::isnan(v) || v == mtz.valm; };
  const auto value_of = [&](const float* cells, std::size_t mate) -> RowValue {
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    if (mate >= quantity.mates.size()) return {none, none};
    const auto& [value, sigma] = quantity.mates[mate];
    if (absent(cells[value->idx])) return {none, none};
    const double x = cells[value->idx];
    const double s = sigma != nullptr && !absent(cells[sigma->idx]) ? cells[sigma->idx] : none;
    if (!quantity.amplitude) return {x, s * s};
    return {x * x, 4 * x * x * s * s};
  };
  std::vector<PairedRow> rows;
  for (std::size_t r = 0; r < static_cast<std::size_t>(mtz.nreflections); ++r) {
    const float* cells = mtz.data.data() + r * mtz.columns.size();
    const auto index = [&](int i) { return static_cast<int>(std::lround(cells[i])); };
    rows.push_back({{index(0), index(1), index(2)}, value_of(cells, 0), value_of(cells, 1)});
  }
  return rows;
}

} // namespace

ReferenceAmplitudes read_amplitudes_mtz(const std::string& path, const std::string& column) {
  const gemmi::Mtz mtz = load_merged_mtz(path);
  const Quantity quantity = choose_quantity(mtz, column, "GKFJ", path);
  const gemmi::Mtz::Column& first = *quantity.mates.front().value;
  const gemmi::UnitCell& cell = mtz.get_cell(first.dataset_id);
  ReferenceAmplitudes result;
  result.cell = {cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma};
  result.space_group = models::SpaceGroup(mtz.spacegroup->hall);
  if (first.dataset_id >= 0) result.wavelength = mtz.dataset(first.dataset_id).wavelength;
  for (const auto& mate : quantity.mates)
    result.column += (result.column.empty() ? "" : ", ") + mate.value->label;
  gather_pairs(rows_of(mtz, quantity), quantity.mates.size() == 2, result);
  return result;
}

} // namespace kilobragg::io
