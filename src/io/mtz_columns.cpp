// Finds the columns of an MTZ that hold one quantity: its values, sigmas and Bijvoet mates.
#include "mtz_columns.hpp"

#include "kilobragg/core/error.hpp"

#include <filesystem>

namespace kilobragg::io {
namespace {

bool is_amplitude(char type) { return type == 'F' || type == 'G'; }
bool is_intensity(char type) { return type == 'J' || type == 'K'; }
bool is_sigma(char type) { return type == 'Q' || type == 'L' || type == 'M'; }

/// The column with its sigma, which by custom stands behind it.
Quantity::Pair with_sigma(const gemmi::Mtz& mtz, const gemmi::Mtz::Column& column) {
  const std::size_t next = column.idx + 1;
  const bool has = next < mtz.columns.size() && is_sigma(mtz.columns[next].type);
  return {&column, has ? &mtz.columns[next] : nullptr};
}

bool is_minus(const std::string& label) { return label.find("(-)") != std::string::npos; }

/// The other mate of a column labelled "X(+)" or "X(-)".
const gemmi::Mtz::Column* other_mate(const gemmi::Mtz& mtz, const std::string& label) {
  std::string other = label;
  const auto plus = other.rfind("(+)"), minus = other.rfind("(-)");
  if (plus != std::string::npos)
    other[plus + 1] = '-';
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
      quantity.mates.insert(is_minus(column.label) ? quantity.mates.begin() : quantity.mates.end(),
                            with_sigma(mtz, *mate));
  return quantity;
}

} // namespace

std::string labels_of(const gemmi::Mtz& mtz) {
  std::string labels;
  for (const auto& column : mtz.columns)
    labels += fmt::format("{}{} ({})", labels.empty() ? "" : ", ", column.label, column.type);
  return labels;
}

gemmi::Mtz load_merged_mtz(const std::string& path) {
  core::require(std::filesystem::is_regular_file(path), "cannot read {} (no such file)", path);
  gemmi::Mtz mtz;
  try {
    mtz = gemmi::read_mtz_file(path);
  } catch (const std::exception& error) {
    core::fail("cannot read {} as an MTZ ({})", path, error.what());
  }
  core::require(mtz.is_merged(), "{} holds unmerged reflections (merge them first)", path);
  core::require(mtz.spacegroup != nullptr, "{} has an unknown space group '{}'", path,
                mtz.spacegroup_name);
  return mtz;
}

Quantity choose_quantity(const gemmi::Mtz& mtz, const std::string& label, const std::string& types,
                         const std::string& path) {
  if (!label.empty()) {
    const auto* column = mtz.column_with_label(label);
    core::require(column != nullptr, "{} has no column '{}' (its columns are {})", path, label,
                  labels_of(mtz));
    core::require(is_amplitude(column->type) || is_intensity(column->type),
                  "column '{}' of {} is neither an amplitude nor an intensity (it is of type {})",
                  label, path, column->type);
    return quantity_of(mtz, *column);
  }
  for (const char type : types) {
    const auto columns = mtz.columns_with_type(type);
    if (!columns.empty()) return quantity_of(mtz, *columns.front());
  }
  core::fail("{} has neither amplitudes nor intensities (its columns are {})", path,
             labels_of(mtz));
}

} // namespace kilobragg::io
