// Reads coordinates of PDB and mmCIF files, gzipped or not.
#include "structure_file.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/cif_text.hpp"

#include <gemmi/mmcif.hpp>
#include <gemmi/pdb.hpp>
#include <gemmi/symmetry.hpp>

#include <algorithm>
#include <cctype>

namespace kilobragg::structure_factors {
namespace {

enum class Format { Pdb, Mmcif };

Format format_of(std::string path) {
  std::transform(path.begin(), path.end(), path.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (path.ends_with(".gz")) path.resize(path.size() - 3);
  if (path.ends_with(".pdb") || path.ends_with(".ent")) return Format::Pdb;
  if (path.ends_with(".cif") || path.ends_with(".mmcif")) return Format::Mmcif;
  core::fail("cannot read coordinates from '{}' (want a PDB file, .pdb or .ent, or mmCIF, .cif, "
             "gzipped or not)",
             path);
}

/// Our blocks as gemmi's.
gemmi::cif::Block to_gemmi(const io::CifBlock& from) {
  gemmi::cif::Block block(from.name);
  for (const io::CifTable& table : from.tables) {
    if (table.tags.size() == 1 && table.rows() == 1) {
      block.items.emplace_back(table.tags[0], table.values[0]);
      continue;
    }
    block.items.emplace_back(gemmi::cif::LoopArg{});
    block.items.back().loop.tags = table.tags;
    block.items.back().loop.values = table.values;
  }
  return block;
}

gemmi::Structure parse(const std::string& path) {
  const Format format = format_of(path);
  const std::string text = io::read_possibly_gzipped(path);
  if (format == Format::Pdb) return gemmi::read_pdb_from_memory(text.data(), text.size(), path);
  for (const io::CifBlock& block : io::parse_cif(text, path))
    if (block.find("_atom_site.Cartn_x") != nullptr)
      return gemmi::make_structure_from_block(to_gemmi(block));
  core::fail("no _atom_site table; is it a file of reflections?");
}

} // namespace

gemmi::Structure read_structure(const std::string& path, const CoordinateParams& params) {
  gemmi::Structure structure;
  try {
    structure = parse(path);
  } catch (const std::exception& error) {
    core::fail("cannot read coordinates from '{}' ({})", path, error.what());
  }
  core::require(!structure.models.empty() && !structure.models[0].chains.empty(),
                "'{}' holds no atoms", path);
  if (params.cell) {
    const auto p = params.cell->parameters();
    structure.cell.set(p[0], p[1], p[2], p[3], p[4], p[5]);
  }
  core::require(structure.cell.is_crystal(),
                "'{}' has no unit cell (no CRYST1 record or _cell items?)", path);
  if (params.space_group) structure.spacegroup_hm = params.space_group->hm();
  core::require(structure.find_spacegroup() != nullptr,
                "'{}' has no known space group ('{}'); give scaling.space_group", path,
                structure.spacegroup_hm);
  const bool whole = std::all_of(structure.ncs.begin(), structure.ncs.end(),
                                 [](const gemmi::NcsOp& op) { return op.given; });
  core::require(whole,
                "'{}' holds a part of the asymmetric unit (MTRIX records make the rest) expand it "
                "first?",
                path);
  structure.setup_cell_images();
  return structure;
}

} // namespace kilobragg::structure_factors
