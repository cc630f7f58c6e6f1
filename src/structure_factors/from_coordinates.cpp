// Structure factors from atomic coordinates: density on a grid, FFT, flat bulk solvent.
#include "kilobragg/core/error.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <gemmi/dencalc.hpp>
#include <gemmi/fourier.hpp>
#include <gemmi/it92.hpp>
#include <gemmi/pdb.hpp>
#include <gemmi/solmask.hpp>
#include <gemmi/symmetry.hpp>

#include <cmath>
#include <complex>
#include <filesystem>

namespace kilobragg::structure_factors {

namespace {

gemmi::Structure read_structure(const std::string& path, const CoordinateParams& params) {
  core::require(std::filesystem::path(path).extension() == ".pdb",
                "cannot read coordinates from '{}' (only PDB files are read; convert mmCIF first)",
                path);
  gemmi::Structure structure;
  try {
    structure = gemmi::read_pdb_file(path);
  } catch (const std::exception& error) {
    core::fail("cannot read coordinates from '{}' ({})", path, error.what());
  }
  core::require(!structure.models.empty() && !structure.models[0].chains.empty(),
                "'{}' holds no atoms", path);
  if (params.cell) {
    const auto p = params.cell->parameters();
    structure.cell.set(p[0], p[1], p[2], p[3], p[4], p[5]);
  }
  core::require(structure.cell.is_crystal(), "'{}' has no unit cell (no CRYST1 record?)", path);
  if (params.space_group) structure.spacegroup_hm = params.space_group->hm();
  core::require(structure.find_spacegroup() != nullptr,
                "'{}' has no known space group ('{}'); give scaling.space_group", path,
                structure.spacegroup_hm);
  structure.setup_cell_images();
  return structure;
}

// Transform of the atoms' density, sharpened on the grid by a blur that is taken back afterwards.
gemmi::FPhiGrid<float>
atom_transform(const gemmi::Structure& structure, double d_min,
               gemmi::DensityCalculator<gemmi::IT92<double>, float>& density) {
  density.d_min = d_min;
  density.rate = 1.5;
  density.set_grid_cell_and_spacegroup(structure);
  density.set_refmac_compatible_blur(structure.models[0]);
  density.put_model_density_on_grid(structure.models[0]);
  return gemmi::transform_map_to_f_phi(density.grid, /*half_l=*/true);
}

gemmi::FPhiGrid<float> solvent_transform(const gemmi::Structure& structure,
                                         const gemmi::Grid<float>& like,
                                         const CoordinateParams& params) {
  gemmi::Grid<float> mask;
  mask.copy_metadata_from(like);
  gemmi::SolventMasker masker(gemmi::AtomicRadiiSet::Cctbx);
  masker.rprobe = params.solvent_radius;
  masker.rshrink = params.shrink_radius;
  masker.put_mask_on_grid(mask, structure.models[0]);
  return gemmi::transform_map_to_f_phi(mask, /*half_l=*/true);
}

} // namespace

Amplitudes from_coordinates(const std::string& path, const CoordinateParams& params) {
  core::require(params.d_min > 0, "structure factors need a resolution above zero, not {}",
                params.d_min);
  const gemmi::Structure structure = read_structure(path, params);
  const gemmi::UnitCell& cell = structure.cell;
  Amplitudes result;
  result.cell = {cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma};
  result.space_group = models::SpaceGroup(structure.find_spacegroup()->xhm());
  result.hkl = result.space_group.unique_indices(result.cell, params.d_min);

  gemmi::DensityCalculator<gemmi::IT92<double>, float> density;
  const gemmi::FPhiGrid<float> atoms = atom_transform(structure, params.d_min, density);
  gemmi::FPhiGrid<float> solvent;
  if (params.bulk_solvent) solvent = solvent_transform(structure, density.grid, params);
  result.f.reserve(result.hkl.size());
  for (const models::Miller& m : result.hkl) {
    const gemmi::Miller hkl{{m.h, m.k, m.l}};
    const double inv_d2 = cell.calculate_1_d2(hkl);
    std::complex<double> f(atoms.get_value(m.h, m.k, m.l));
    f *= density.reciprocal_space_multiplier(inv_d2);
    if (params.bulk_solvent)
      f += params.k_sol * std::exp(-0.25 * params.b_sol * inv_d2) *
           std::complex<double>(solvent.get_value(m.h, m.k, m.l));
    result.f.push_back(std::abs(f));
  }
  return result;
}

} // namespace kilobragg::structure_factors
