// Starts, fills and writes MTZ files through gemmi.
#if defined(KILOBRAGG_GEMMI_HEADER_ONLY)
#define GEMMI_WRITE_IMPLEMENTATION // this file holds gemmi's writer where gemmi is headers alone
#define USE_STD_SNPRINTF           // Debian takes the library out that gemmi formats numbers with
#endif
#include "mtz_writing.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

namespace kilobragg::io {
namespace {

/// Limits of the format.
constexpr std::size_t longest_history = 30, longest_line = 80, longest_title = 70;

} // namespace

gemmi::Mtz start_mtz(const models::UnitCell& cell, const models::SpaceGroup& group,
                     double wavelength, const std::string& title) {
  gemmi::Mtz mtz;
  mtz.title = title.substr(0, longest_title);
  mtz.spacegroup = gemmi::find_spacegroup_by_ops(gemmi::symops_from_hall(group.hall().c_str()));
  core::require(mtz.spacegroup != nullptr, "no MTZ can be written in space group {}", group.hm());
  mtz.spacegroup_name = mtz.spacegroup->hm;
  mtz.spacegroup_number = mtz.spacegroup->ccp4;
  mtz.sort_order = {{1, 2, 3, 0, 0}};
  mtz.add_dataset("HKL_base");
  for (const char* label : {"H", "K", "L"}) mtz.add_column(label, 'H', 0, -1, false);
  mtz.add_dataset("kilobragg").wavelength = wavelength;
  mtz.set_cell_for_all(gemmi::UnitCell(cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma));
  return mtz;
}

void add_history(gemmi::Mtz& mtz, const std::vector<std::string>& lines, const std::string& path) {
  core::require(lines.size() <= longest_history,
                "{} history lines for {} (an MTZ holds at most {})", lines.size(), path,
                longest_history);
  for (const std::string& line : lines) mtz.history.push_back(line.substr(0, longest_line));
}

void add_columns(gemmi::Mtz& mtz, std::initializer_list<std::pair<const char*, char>> columns) {
  for (const auto& [label, type] : columns) mtz.add_column(label, type, 1, -1, false);
}

void add_row(gemmi::Mtz& mtz, const models::Miller& hkl, std::span<const double> values) {
  for (const int index : {hkl.h, hkl.k, hkl.l}) mtz.data.push_back(static_cast<float>(index));
  for (const double value : values) mtz.data.push_back(static_cast<float>(value));
  ++mtz.nreflections;
}

void write_mtz(const gemmi::Mtz& mtz, const std::string& path) {
  std::string bytes;
  mtz.write_to_string(bytes);
  core::write_file(path, bytes);
}

} // namespace kilobragg::io
