// Amplitudes from the _refln table of mmCIF files.
#include "amplitude_pairs.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/cif_text.hpp"

#include <cmath>

namespace kilobragg::io {
namespace {

/// An item of _refln, that of the other mate (empty: none), and whether it is to be squared.
struct Item {
  std::string name, mate;
  bool amplitude = true;
};

const std::vector<Item>& known_items() {
  static const std::vector<Item> items{{"pdbx_F_plus", "pdbx_F_minus", true},
                                       {"pdbx_I_plus", "pdbx_I_minus", false},
                                       {"F_meas_au", "", true},
                                       {"F_meas", "", true},
                                       {"intensity_meas", "", false},
                                       {"F_squared_meas", "", false},
                                       {"F_calc_au", "", true},
                                       {"F_calc", "", true}};
  return items;
}

std::string tag_of(const std::string& item) { return "_refln." + item; }

std::string items_of(const CifTable& table) {
  std::string names;
  for (const std::string& tag : table.tags)
    if (tag.size() > 7) names += (names.empty() ? "" : ", ") + tag.substr(7);
  return names;
}

Item choose_item(const CifTable& table, const std::string& wanted, const std::string& path) {
  for (const Item& item : known_items())
    if ((wanted.empty() || wanted == item.name) && table.column(tag_of(item.name)) >= 0)
      return item;
  for (const Item& item : known_items()) // the minus of a pair names the pair
    if (!wanted.empty() && wanted == item.mate && table.column(tag_of(item.name)) >= 0) return item;
  core::require(wanted.empty() || table.column(tag_of(wanted)) >= 0,
                "{} has no _refln.{} (its items are {})", path, wanted, items_of(table));
  core::require(!wanted.empty(), "{} has neither amplitudes nor intensities (its items are {})",
                path, items_of(table));
  core::fail("_refln.{} of {} is neither an amplitude nor an intensity (known are F_meas_au, "
             "F_meas, intensity_meas, F_squared_meas, F_calc_au, F_calc, pdbx_F_plus, pdbx_I_plus)",
             wanted, path);
}

models::UnitCell cell_of(const CifBlock& block, const std::string& path) {
  const char* names[] = {"length_a",    "length_b",   "length_c",
                         "angle_alpha", "angle_beta", "angle_gamma"};
  std::string text;
  for (const char* name : names) {
    const double value = cif_number(block.value(std::string("_cell.") + name));
    core::require(!std::isnan(value), "{} has no unit cell (_cell.{})", path, name);
    text += fmt::format("{} ", value);
  }
  return models::UnitCell::parse(text);
}

models::SpaceGroup group_of(const CifBlock& block, const std::string& path) {
  for (const char* tag : {"_symmetry.space_group_name_H-M", "_space_group.name_H-M_alt",
                          "_symmetry.Int_Tables_number", "_space_group.IT_number"})
    if (const std::string text = block.value(tag); !text.empty()) return models::SpaceGroup(text);
  core::fail("{} has no space group (_symmetry.space_group_name_H-M)", path);
}

const CifBlock* block_with(const std::vector<CifBlock>& blocks, const char* tag) {
  for (const CifBlock& block : blocks)
    if (block.find(tag) != nullptr) return &block;
  return nullptr;
}

std::vector<PairedRow> rows_of(const CifTable& table, const Item& item, const std::string& path) {
  const auto need = [&](const char* name) {
    const int column = table.column(tag_of(name));
    core::require(column >= 0, "{} has no _refln.{}", path, name);
    return static_cast<std::size_t>(column);
  };
  const std::size_t at[] = {need("index_h"), need("index_k"), need("index_l")};
  const std::size_t width = table.tags.size();
  const int value = table.column(tag_of(item.name)),
            mate = item.mate.empty() ? -1 : table.column(tag_of(item.mate)),
            status = table.column("_refln.status");
  std::vector<PairedRow> rows;
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const std::string* cells = &table.values[r * width];
    if (status >= 0) {
      const std::string flag = cif_string(cells[status]);
      if (flag == "x" || flag == "-") continue;
    }
    const auto index = [&](int i) {
      const double number = cif_number(cells[at[i]]);
      core::require(number == std::floor(number) && std::abs(number) < 1e6,
                    "'{}' is no index (row {} of _refln in {})", cells[at[i]], r + 1, path);
      return static_cast<int>(number);
    };
    const auto intensity = [&](int column) {
      const double number = column < 0 ? std::nan("") : cif_number(cells[column]);
      return item.amplitude ? number * number : number;
    };
    rows.push_back({{index(0), index(1), index(2)}, {intensity(value)}, {intensity(mate)}});
  }
  return rows;
}

} // namespace

bool cif_holds_reflections(const std::string& path) {
  const std::vector<CifBlock> blocks = parse_cif(read_possibly_gzipped(path), path);
  return block_with(blocks, "_refln.index_h") != nullptr &&
         block_with(blocks, "_atom_site.Cartn_x") == nullptr;
}

ReferenceAmplitudes read_amplitudes_cif(const std::string& path, const std::string& column) {
  const std::vector<CifBlock> blocks = parse_cif(read_possibly_gzipped(path), path);
  const CifBlock* block = block_with(blocks, "_refln.index_h");
  core::require(block != nullptr,
                "{} holds no reflections (_refln.index_h is missing) is it a file of coordinates?",
                path);
  // Later blocks of one file often leave out what the first has.
  const CifBlock* with_cell = block_with(blocks, "_cell.length_a");
  const CifBlock* with_group = block_with(blocks, "_symmetry.space_group_name_H-M");
  const CifTable& table = *block->find("_refln.index_h");
  const Item item = choose_item(table, column, path);
  const bool pairs = !item.mate.empty() && table.column(tag_of(item.mate)) >= 0;
  ReferenceAmplitudes result;
  result.cell = cell_of(block->find("_cell.length_a") || !with_cell ? *block : *with_cell, path);
  result.space_group = group_of(
      block->find("_symmetry.space_group_name_H-M") || !with_group ? *block : *with_group, path);
  const double wavelength = cif_number(block->value("_diffrn_radiation_wavelength.wavelength"));
  result.wavelength = std::isnan(wavelength) ? 0 : wavelength;
  result.column = pairs ? item.name + ", " + item.mate : item.name;
  gather_pairs(rows_of(table, item, path), pairs, result);
  core::require(!result.hkl.empty(), "{} has no values in {}", path, result.column);
  return result;
}

} // namespace kilobragg::io
