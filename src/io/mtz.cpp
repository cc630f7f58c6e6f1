// MTZ files through gemmi.
#if defined(KILOBRAGG_GEMMI_HEADER_ONLY)
#define GEMMI_WRITE_IMPLEMENTATION // this file holds gemmi's writer where gemmi is headers alone
#define USE_STD_SNPRINTF           // Debian takes the library out that gemmi formats numbers with
#endif
#include "kilobragg/io/mtz.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <gemmi/mtz.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

namespace kilobragg::io {
namespace {

using models::Miller;
using models::SpaceGroup;
using models::UnitCell;

constexpr float missing = std::numeric_limits<float>::quiet_NaN();
/// Limits of the format.
constexpr std::size_t longest_history = 30, longest_line = 80, longest_title = 70;

/// An MTZ without rows: the base data set with H, K, L, then one named `dataset`.
gemmi::Mtz start_mtz(const UnitCell& cell, const SpaceGroup& group, double wavelength,
                     const std::string& title, const std::string& dataset) {
  gemmi::Mtz mtz;
  mtz.title = title.substr(0, longest_title);
  mtz.spacegroup = gemmi::find_spacegroup_by_ops(gemmi::symops_from_hall(group.hall().c_str()));
  core::require(mtz.spacegroup != nullptr, "no MTZ can be written in space group {}", group.hm());
  mtz.spacegroup_name = mtz.spacegroup->hm;
  mtz.spacegroup_number = mtz.spacegroup->ccp4;
  mtz.sort_order = {{1, 2, 3, 0, 0}};
  mtz.add_dataset("HKL_base");
  for (const char* label : {"H", "K", "L"}) mtz.add_column(label, 'H', 0, -1, false);
  mtz.add_dataset(dataset).wavelength = wavelength;
  mtz.set_cell_for_all(gemmi::UnitCell(cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma));
  return mtz;
}

void add_columns(gemmi::Mtz& mtz, std::initializer_list<std::pair<const char*, char>> columns) {
  for (const auto& [label, type] : columns) mtz.add_column(label, type, 1, -1, false);
}

void add_row(gemmi::Mtz& mtz, const Miller& hkl, std::initializer_list<double> values) {
  for (const int index : {hkl.h, hkl.k, hkl.l}) mtz.data.push_back(static_cast<float>(index));
  for (const double value : values) mtz.data.push_back(static_cast<float>(value));
  ++mtz.nreflections;
}

void write_mtz(const gemmi::Mtz& mtz, const std::string& path) {
  std::string bytes;
  mtz.write_to_string(bytes);
  core::write_file(path, bytes);
}

/// Positions of rows in order of their indices.
template <typename Index>
std::vector<std::size_t> order_of(std::size_t count, Index index) {
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return index(a) < index(b); });
  return order;
}

/// Columns of one quantity, or of its two Bijvoet mates.
struct Quantity {
  struct Pair {
    const gemmi::Mtz::Column* value = nullptr;
    const gemmi::Mtz::Column* sigma = nullptr;
  };
  std::vector<Pair> mates;
  bool amplitude = false; ///< to be squared
};

bool is_amplitude(char type) { return type == 'F' || type == 'G'; }
bool is_intensity(char type) { return type == 'J' || type == 'K'; }
bool is_sigma(char type) { return type == 'Q' || type == 'L' || type == 'M'; }

/// The column with its sigma, which by custom stands behind it.
Quantity::Pair with_sigma(const gemmi::Mtz& mtz, const gemmi::Mtz::Column& column) {
  const std::size_t next = column.idx + 1;
  const bool has = next < mtz.columns.size() && is_sigma(mtz.columns[next].type);
  return {&column, has ? &mtz.columns[next] : nullptr};
}

/// The other mate of a column labelled "X(+)".
const gemmi::Mtz::Column* other_mate(const gemmi::Mtz& mtz, const std::string& label) {
  std::string other = label;
  const auto sign = other.rfind("(+)");
  const auto minus = other.rfind("(-)");
  if (sign != std::string::npos)
    other[sign + 1] = '-';
  else if (minus != std::string::npos)
    other[minus + 1] = '+';
  else
    return nullptr;
  return mtz.column_with_label(other);
}

Quantity quantity_of(const gemmi::Mtz& mtz, const gemmi::Mtz::Column& column) {
  Quantity quantity;
  quantity.amplitude = is_amplitude(column.type);
  quantity.mates.push_back(with_sigma(mtz, column));
  if (column.type == 'G' || column.type == 'K')
    if (const auto* mate = other_mate(mtz, column.label))
      quantity.mates.push_back(with_sigma(mtz, *mate));
  return quantity;
}

std::string labels_of(const gemmi::Mtz& mtz) {
  std::string labels;
  for (const auto& column : mtz.columns)
    labels += fmt::format("{}{} ({})", labels.empty() ? "" : ", ", column.label, column.type);
  return labels;
}

Quantity choose_quantity(const gemmi::Mtz& mtz, const std::string& label, const std::string& path) {
  if (!label.empty()) {
    const auto* column = mtz.column_with_label(label);
    core::require(column != nullptr, "{} has no column '{}' (its columns are {})", path, label,
                  labels_of(mtz));
    core::require(is_amplitude(column->type) || is_intensity(column->type),
                  "column '{}' of {} is neither an amplitude nor an intensity (it is of type {})",
                  label, path, column->type);
    return quantity_of(mtz, *column);
  }
  for (const char type : {'F', 'J', 'G', 'K'}) {
    const auto columns = mtz.columns_with_type(type);
    if (!columns.empty()) return quantity_of(mtz, *columns.front());
  }
  core::fail("{} has neither amplitudes nor intensities (its columns are {})", path,
             labels_of(mtz));
}

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

gemmi::Mtz load(const std::string& path) {
  core::require(std::filesystem::is_regular_file(path), "cannot read {} (no such file)", path);
  try {
    return gemmi::read_mtz_file(path);
  } catch (const std::exception& error) {
    core::fail("cannot read {} as an MTZ ({})", path, error.what());
  }
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
  gemmi::Mtz mtz = start_mtz(data.cell, data.space_group, data.wavelength, data.title, "kilobragg");
  core::require(data.history.size() <= longest_history,
                "{} history lines for {} (an MTZ holds at most {})", data.history.size(), path,
                longest_history);
  for (const std::string& line : data.history) mtz.history.push_back(line.substr(0, longest_line));
  add_columns(mtz, {{"IMEAN", 'J'}, {"SIGIMEAN", 'Q'}, {"N", 'I'}});
  if (data.anomalous)
    add_columns(mtz, {{"I(+)", 'K'}, {"SIGI(+)", 'M'}, {"I(-)", 'K'}, {"SIGI(-)", 'M'}});
  const auto order =
      order_of(data.reflections.size(), [&](std::size_t i) { return data.reflections[i].hkl; });
  for (const std::size_t i : order) {
    const MergedReflection& r = data.reflections[i];
    const double n = r.multiplicity;
    const double plus = r.has_plus ? r.i_plus : missing,
                 sigma_plus = r.has_plus ? r.sigma_plus : missing,
                 minus = r.has_minus ? r.i_minus : missing,
                 sigma_minus = r.has_minus ? r.sigma_minus : missing;
    if (data.anomalous)
      add_row(mtz, r.hkl, {r.i_mean, r.sigma_mean, n, plus, sigma_plus, minus, sigma_minus});
    else
      add_row(mtz, r.hkl, {r.i_mean, r.sigma_mean, n});
  }
  write_mtz(mtz, path);
}

ReferenceIntensities read_reference_mtz(const std::string& path, const std::string& column) {
  const gemmi::Mtz mtz = load(path);
  core::require(mtz.is_merged(), "{} holds unmerged reflections (merge them first)", path);
  core::require(mtz.spacegroup != nullptr, "{} has an unknown space group '{}'", path,
                mtz.spacegroup_name);
  const Quantity quantity = choose_quantity(mtz, column, path);
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
  gemmi::Mtz mtz = start_mtz(cell, group, wavelength, "Amplitudes", "kilobragg");
  add_columns(mtz, {{"F", 'F'}});
  for (const std::size_t i : order_of(hkl.size(), [&](std::size_t at) { return hkl[at]; }))
    add_row(mtz, hkl[i], {f[i]});
  write_mtz(mtz, path);
}

} // namespace kilobragg::io
