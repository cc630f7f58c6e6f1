// Structure factors from atomic coordinates: density on a grid, FFT, flat bulk solvent.
#include "structure_file.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <gemmi/dencalc.hpp>
#include <gemmi/fourier.hpp>
#include <gemmi/it92.hpp>
#include <gemmi/solmask.hpp>
#include <gemmi/symmetry.hpp>

#include <algorithm>
#include <cmath>
#include <complex>
#include <set>

namespace kilobragg::structure_factors {

namespace {

using Density = gemmi::DensityCalculator<gemmi::IT92<double>, float>;
using Transform = gemmi::FPhiGrid<float>;

Transform transform(Density& density) {
  density.grid.symmetrize_sum();
  return gemmi::transform_map_to_f_phi(density.grid, /*half_l=*/true);
}

template <typename Visit>
void for_each_atom(const gemmi::Model& model, const Visit& visit) {
  for (const gemmi::Chain& chain : model.chains)
    for (const gemmi::Residue& residue : chain.residues)
      for (const gemmi::Atom& atom : residue.atoms) visit(atom);
}

// A calculator whose grid suits the structure; the blur that its sampling needs is taken back from
// each transform afterwards.
Density make_density(const gemmi::Structure& structure, const CoordinateParams& params) {
  Density density;
  density.d_min = params.d_min;
  density.rate = params.sampling;
  density.set_grid_cell_and_spacegroup(structure);
  density.set_refmac_compatible_blur(structure.models[0]);
  density.initialize_grid();
  return density;
}

Transform atom_transform(const gemmi::Structure& structure, Density& density) {
  for_each_atom(structure.models[0],
                [&](const gemmi::Atom& atom) { density.add_atom_density_to_grid(atom); });
  return transform(density);
}

// Of one element with unit scattering length: occupancies and displacements alone.
Transform element_transform(const gemmi::Structure& structure, const gemmi::Element& element,
                            Density& density) {
  density.grid.fill(0);
  for_each_atom(structure.models[0], [&](const gemmi::Atom& atom) {
    if (atom.element == element) density.add_c_contribution_to_grid(atom, 1);
  });
  return transform(density);
}

Transform solvent_transform(const gemmi::Structure& structure, const gemmi::Grid<float>& like,
                            const CoordinateParams& params) {
  gemmi::Grid<float> mask;
  mask.copy_metadata_from(like);
  gemmi::SolventMasker masker(gemmi::AtomicRadiiSet::Cctbx);
  masker.rprobe = params.solvent_radius;
  masker.rshrink = params.shrink_radius;
  try {
    masker.put_mask_on_grid(mask, structure.models[0]);
  } catch (const std::exception& error) {
    core::fail("no bulk solvent can be had for cell {} {} {} ({}) leave bulk solvent out?",
               structure.cell.a, structure.cell.b, structure.cell.c, error.what());
  }
  return gemmi::transform_map_to_f_phi(mask, /*half_l=*/true);
}

// Adds scale(1/d^2) times the transform to every index.
template <typename Scale>
void add(const Transform& from, const ScatteringParts& parts, const gemmi::UnitCell& cell,
         const Scale& scale, std::vector<std::complex<double>>& to) {
  to.resize(parts.hkl.size());
  for (std::size_t i = 0; i < to.size(); ++i) {
    const gemmi::Miller hkl{{parts.hkl[i].h, parts.hkl[i].k, parts.hkl[i].l}};
    to[i] += scale(cell.calculate_1_d2(hkl)) * std::complex<double>(from.get_value_by_hkl(hkl));
  }
}

// The elements of the structure that are asked for, by symbol; all but hydrogen if none is named.
std::vector<gemmi::Element> choose_elements(const gemmi::Structure& structure,
                                            const std::vector<std::string>& wanted,
                                            const std::string& path) {
  std::set<int> there;
  for_each_atom(structure.models[0], [&](const gemmi::Atom& atom) {
    if (atom.element.atomic_number() > 1) there.insert(atom.element.atomic_number());
  });
  std::vector<gemmi::Element> chosen;
  if (wanted.empty())
    for (const int z : there) chosen.emplace_back(z);
  for (const std::string& symbol : wanted) {
    const gemmi::Element element(symbol);
    core::require(there.count(element.atomic_number()) > 0,
                  "'{}' has no atom of the anomalous scatterer '{}'", path, symbol);
    chosen.push_back(element);
  }
  return chosen;
}

ScatteringParts make_parts(const gemmi::Structure& structure, const CoordinateParams& params,
                           const std::vector<gemmi::Element>& elements) {
  const gemmi::UnitCell& cell = structure.cell;
  ScatteringParts parts;
  parts.cell = {cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma};
  parts.space_group = models::SpaceGroup(structure.find_spacegroup()->xhm());
  parts.hkl = parts.space_group.unique_indices(parts.cell, params.d_min);
  Density density = make_density(structure, params);
  const auto unblur = [&](double inv_d2) { return density.reciprocal_space_multiplier(inv_d2); };
  add(atom_transform(structure, density), parts, cell, unblur, parts.normal);
  if (params.bulk_solvent)
    add(
        solvent_transform(structure, density.grid, params), parts, cell,
        [&](double inv_d2) { return params.k_sol * std::exp(-0.25 * params.b_sol * inv_d2); },
        parts.normal);
  for (const gemmi::Element& element : elements) {
    parts.elements.push_back({element.name(), {}});
    add(element_transform(structure, element, density), parts, cell, unblur,
        parts.elements.back().sum);
  }
  return parts;
}

void check(const CoordinateParams& params) {
  core::require(params.d_min > 0, "structure factors need a resolution above zero, not {}",
                params.d_min);
  core::require(params.sampling >= 1 && params.sampling <= 10,
                "a grid of {} points per d_min / 2 cannot be (want 1 to 10)", params.sampling);
}

} // namespace

ScatteringParts parts_from_coordinates(const std::string& path, const CoordinateParams& params,
                                       const std::vector<std::string>& elements) {
  check(params);
  const gemmi::Structure structure = read_structure(path, params);
  return make_parts(structure, params, choose_elements(structure, elements, path));
}

Amplitudes from_coordinates(const std::string& path, const CoordinateParams& params) {
  check(params);
  ScatteringParts parts = make_parts(read_structure(path, params), params, {});
  Amplitudes result{parts.cell, parts.space_group, std::move(parts.hkl), {}};
  result.f.reserve(result.hkl.size());
  for (const auto& f : parts.normal) result.f.push_back(std::abs(f));
  return result;
}

} // namespace kilobragg::structure_factors
