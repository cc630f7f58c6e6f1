// MTZ files through gemmi.
#include "kilobragg/io/mtz.hpp"

#include "mtz_columns.hpp"
#include "mtz_writing.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace kilobragg::io {
namespace {

using models::Miller;
using models::SpaceGroup;
using models::UnitCell;

struct Value {
  double intensity = 0, variance = 0;
};

/// Intensity in one row, averaged over the mates that are there; none if none is.
std::optional<Value> value_in_row(const gemmi::Mtz& mtz, const Quantity& quantity,
                                  std::size_t row) {
  const float* cells = mtz.data.data() + row * mtz.columns.size();
  const auto absent = [&](float v) { return std::isnan(v) || v == mtz.valm; };
  Value sum;
  int count = 0;
  for (const auto& [value, sigma] : quantity.mates) {
    const float v = cells[value->idx];
    if (absent(v)) continue;
    const float s = sigma && !absent(cells[sigma->idx]) ? cells[sigma->idx] : 0.0F;
    const double x = v;
    const double error = quantity.amplitude ? 2 * std::abs(x) * double{s} : double{s};
    sum.intensity += quantity.amplitude ? x * x : x;
    sum.variance += error * error;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return Value{sum.intensity / count, sum.variance / (count * count)};
}

struct IndexedValue {
  Miller hkl;
  Value value;
};

/// All values with indices in the asymmetric unit, sorted by index.
std::vector<IndexedValue> values_of(const gemmi::Mtz& mtz, const Quantity& quantity,
                                    const SpaceGroup& group) {
  std::vector<IndexedValue> values;
  for (std::size_t row = 0; row < static_cast<std::size_t>(mtz.nreflections); ++row) {
    const auto value = value_in_row(mtz, quantity, row);
    const float* cells = mtz.data.data() + row * mtz.columns.size();
    const auto index = [&](int i) { return static_cast<int>(std::lround(cells[i])); };
    if (value) values.push_back({group.to_asu({index(0), index(1), index(2)}), *value});
  }
  std::stable_sort(values.begin(), values.end(),
                   [](const IndexedValue& a, const IndexedValue& b) { return a.hkl < b.hkl; });
  return values;
}

/// Averages equal indices.
void collect(const std::vector<IndexedValue>& values, ReferenceIntensities& result) {
  for (std::size_t first = 0, last = 0; first < values.size(); first = last) {
    Value sum;
    for (; last < values.size() && values[last].hkl == values[first].hkl; ++last) {
      sum.intensity += values[last].value.intensity;
      sum.variance += values[last].value.variance;
    }
    const auto count = static_cast<double>(last - first);
    result.hkl.push_back(values[first].hkl);
    result.intensity.push_back(sum.intensity / count);
    result.sigma.push_back(std::sqrt(sum.variance) / count);
  }
}

} // namespace

void write_merged_mtz(const MergedMtz& data, const std::string& path) {
  gemmi::Mtz mtz = start_mtz(data.cell, data.space_group, data.wavelength, data.title);
  add_history(mtz, data.history, path);
  add_columns(mtz, {{"IMEAN", 'J'}, {"SIGIMEAN", 'Q'}, {"N", 'I'}});
  if (data.anomalous)
    add_columns(mtz, {{"I(+)", 'K'}, {"SIGI(+)", 'M'}, {"I(-)", 'K'}, {"SIGI(-)", 'M'}});
  const auto order =
      order_of(data.reflections.size(), [&](std::size_t i) { return data.reflections[i].hkl; });
  for (const std::size_t i : order) {
    const MergedReflection& r = data.reflections[i];
    const double n = r.multiplicity;
    const double plus = r.has_plus ? r.i_plus : missing_in_mtz,
                 sigma_plus = r.has_plus ? r.sigma_plus : missing_in_mtz,
                 minus = r.has_minus ? r.i_minus : missing_in_mtz,
                 sigma_minus = r.has_minus ? r.sigma_minus : missing_in_mtz;
    if (data.anomalous)
      add_row(mtz, r.hkl,
              std::array{r.i_mean, r.sigma_mean, n, plus, sigma_plus, minus, sigma_minus});
    else
      add_row(mtz, r.hkl, std::array{r.i_mean, r.sigma_mean, n});
  }
  write_mtz(mtz, path);
}

ReferenceIntensities read_reference_mtz(const std::string& path, const std::string& column) {
  const gemmi::Mtz mtz = load_merged_mtz(path);
  const Quantity quantity = choose_quantity(mtz, column, "FJGK", path);
  ReferenceIntensities result;
  const gemmi::UnitCell& cell = mtz.get_cell(quantity.mates.front().value->dataset_id);
  result.cell = {cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma};
  result.space_group = SpaceGroup(mtz.spacegroup->hall);
  collect(values_of(mtz, quantity, result.space_group), result);
  return result;
}

void write_amplitudes_mtz(const UnitCell& cell, const SpaceGroup& group, double wavelength,
                          const std::vector<Miller>& hkl, const std::vector<double>& f,
                          const std::string& path) {
  core::require(hkl.size() == f.size(), "{} indices but {} amplitudes for {}", hkl.size(), f.size(),
                path);
  gemmi::Mtz mtz = start_mtz(cell, group, wavelength, "Amplitudes");
  add_columns(mtz, {{"F", 'F'}});
  for (const std::size_t i : order_of(hkl.size(), [&](std::size_t at) { return hkl[at]; }))
    add_row(mtz, hkl[i], std::array{f[i]});
  write_mtz(mtz, path);
}

void write_amplitude_pairs_mtz(const UnitCell& cell, const SpaceGroup& group, double wavelength,
                               const std::vector<Miller>& hkl, const std::vector<double>& plus,
                               const std::vector<double>& minus, const std::string& path) {
  core::require(hkl.size() == plus.size() && hkl.size() == minus.size(),
                "{} indices but {} and {} amplitudes for {}", hkl.size(), plus.size(), minus.size(),
                path);
  gemmi::Mtz mtz = start_mtz(cell, group, wavelength, "Amplitudes");
  add_columns(mtz, {{"F", 'F'}, {"F(+)", 'G'}, {"F(-)", 'G'}});
  for (const std::size_t i : order_of(hkl.size(), [&](std::size_t at) { return hkl[at]; }))
    add_row(
        mtz, hkl[i],
        std::array{std::sqrt((plus[i] * plus[i] + minus[i] * minus[i]) / 2), plus[i], minus[i]});
  write_mtz(mtz, path);
}

} // namespace kilobragg::io
