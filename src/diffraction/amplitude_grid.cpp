// Expands amplitudes of the asymmetric unit into the complete P1 array.
#include "kilobragg/diffraction/amplitude_grid.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::diffraction {
namespace {

using models::Miller;
using structure_factors::AmplitudeLayer;
using structure_factors::SpectralAmplitudes;

Miller inverse_of(const Miller& m) { return {-m.h, -m.k, -m.l}; }

double finest(const SpectralAmplitudes& amplitudes) {
  double d = std::numeric_limits<double>::infinity();
  for (const Miller& hkl : amplitudes.hkl) d = std::min(d, amplitudes.cell.d(hkl));
  return d;
}

/// An asymmetric-unit index of the grid, where the amplitudes list it (-1: nowhere), and whether its
/// mate has a number of its own, the next one.
struct Source {
  Miller hkl;
  std::ptrdiff_t listed = -1;
  bool pair = false;
};

std::vector<Source> sources_of(const SpectralAmplitudes& amplitudes, double d_min, bool apart) {
  std::vector<Source> sources;
  auto at = amplitudes.hkl.begin();
  for (const Miller& hkl : amplitudes.space_group.unique_indices(amplitudes.cell, d_min)) {
    at = std::lower_bound(at, amplitudes.hkl.end(), hkl); // both lists are sorted
    Source source{hkl};
    if (at != amplitudes.hkl.end() && *at == hkl) source.listed = at - amplitudes.hkl.begin();
    source.pair = apart && !amplitudes.space_group.is_centric(hkl);
    sources.push_back(source);
  }
  return sources;
}

/// Calls visit(index, is the mate) for everything that symmetry makes of an index.
template <typename Visit>
void for_each_mate(const models::SpaceGroup& group, const Miller& hkl, const Visit& visit) {
  for (const auto& operation : group.operations()) {
    const Miller turned = operation.apply_to_hkl(hkl);
    visit(turned, false);
    visit(inverse_of(turned), true);
  }
}

/// An index along a real axis reaches |a| / d_min; beyond 2^31 points their numbers overflow.
void require_possible(const AmplitudeGrid& grid) {
  const Mat3 axes = inverse(grid.cell.b_matrix());
  double points = 1;
  for (int i = 0; i < 3; ++i) points *= 2 * std::floor(norm(axes.row(i)) / grid.d_min) + 1;
  core::require(points < 2147483648.0,
                "structure factors of cell {} to {:.2f} A are {:.3g} points (want less than 2^31) "
                "choose a coarser limit?",
                grid.cell.to_string(), grid.d_min, points);
}

void make_box(const std::vector<Source>& sources, AmplitudeGrid& grid) {
  for (const Source& source : sources)
    for_each_mate(grid.space_group, source.hkl, [&](const Miller& m, bool) {
      grid.h_max = std::max(grid.h_max, m.h);
      grid.k_max = std::max(grid.k_max, m.k);
      grid.l_max = std::max(grid.l_max, m.l);
    });
  const auto length = [](int limit) { return static_cast<std::size_t>(2 * limit + 1); };
  grid.unique.assign(length(grid.h_max) * length(grid.k_max) * length(grid.l_max), -1);
}

std::size_t point_of(const AmplitudeGrid& grid, const Miller& m) {
  const auto row =
      static_cast<std::size_t>(m.h + grid.h_max) * static_cast<std::size_t>(2 * grid.k_max + 1) +
      static_cast<std::size_t>(m.k + grid.k_max);
  return row * static_cast<std::size_t>(2 * grid.l_max + 1) +
         static_cast<std::size_t>(m.l + grid.l_max);
}

void number_points(const std::vector<Source>& sources, AmplitudeGrid& grid) {
  for (const Source& source : sources) {
    const auto id = static_cast<std::int32_t>(grid.hkl.size());
    grid.hkl.push_back(source.hkl);
    if (source.pair) grid.hkl.push_back(inverse_of(source.hkl));
    for_each_mate(grid.space_group, source.hkl, [&](const Miller& m, bool mate) {
      grid.unique[point_of(grid, m)] = source.pair && mate ? id + 1 : id;
    });
  }
}

/// Calls visit(index) for every point of the box, sorted.
template <typename Visit>
void for_each_index(const AmplitudeGrid& grid, const Visit& visit) {
  for (int h = -grid.h_max; h <= grid.h_max; ++h)
    for (int k = -grid.k_max; k <= grid.k_max; ++k)
      for (int l = -grid.l_max; l <= grid.l_max; ++l) visit(Miller{h, k, l});
}

void add_layer(const AmplitudeLayer& layer, const std::vector<Source>& sources, double missing_f,
               AmplitudeGrid& grid) {
  for (const Source& source : sources) {
    double plus = missing_f, minus = missing_f;
    if (source.listed >= 0) {
      const auto i = static_cast<std::size_t>(source.listed);
      plus = layer.plus[i];
      minus = layer.minus.empty() ? plus : layer.minus[i];
    }
    if (source.pair) {
      grid.f_squared.push_back(static_cast<float>(plus * plus));
      grid.f_squared.push_back(static_cast<float>(minus * minus));
    } else {
      grid.f_squared.push_back(static_cast<float>((plus * plus + minus * minus) / 2));
    }
  }
  grid.energies.push_back(layer.energy);
}

} // namespace

AmplitudeGridView AmplitudeGrid::view() const {
  AmplitudeGridView view;
  view.unique = unique.data();
  view.f_squared = f_squared.data();
  view.h_max = h_max;
  view.k_max = k_max;
  view.l_max = l_max;
  view.unique_count = static_cast<std::int32_t>(hkl.size());
  view.layer_count = static_cast<std::int32_t>(energies.size());
  return view;
}

LayerMix AmplitudeGrid::mix(double energy, LayerChoice choice) const {
  const auto [lower, part] = structure_factors::place_of(energy, energies);
  const auto below = static_cast<std::int32_t>(lower);
  if (choice == LayerChoice::Linear) return {below, static_cast<float>(part)};
  return {part < 0.5 ? below : below + 1, 0};
}

std::size_t AmplitudeGrid::bytes() const {
  return unique.size() * sizeof(std::int32_t) + f_squared.size() * sizeof(float);
}

AmplitudeGrid make_amplitude_grid(const SpectralAmplitudes& amplitudes,
                                  const AmplitudeGridParams& params) {
  core::require(!amplitudes.layers.empty() && !amplitudes.hkl.empty(), "no structure factors");
  AmplitudeGrid grid;
  grid.cell = amplitudes.cell;
  grid.space_group = amplitudes.space_group;
  grid.d_min = params.d_min > 0 ? params.d_min : finest(amplitudes);
  grid.bijvoet_apart = params.bijvoet_apart.value_or(amplitudes.bijvoet());
  require_possible(grid);
  const auto sources = sources_of(amplitudes, grid.d_min, grid.bijvoet_apart);
  grid.missing = static_cast<std::size_t>(std::count_if(
      sources.begin(), sources.end(), [](const Source& source) { return source.listed < 0; }));
  core::require(grid.missing < sources.size(),
                "no structure factors to {:.2f} A (the list has {} in all) choose a coarser limit "
                "or another file?",
                grid.d_min, amplitudes.hkl.size());
  make_box(sources, grid);
  number_points(sources, grid);
  for (const AmplitudeLayer& layer : amplitudes.layers)
    add_layer(layer, sources, params.missing_f, grid);
  return grid;
}

ReflectionSphere list_sphere(const AmplitudeGrid& grid, const LayerMix& mix) {
  const AmplitudeGridView view = grid.view();
  ReflectionSphere sphere;
  for_each_index(grid, [&](const Miller& hkl) {
    const double f_squared = view.value(hkl.h, hkl.k, hkl.l, mix);
    if (f_squared <= 0) return;
    sphere.hkl.push_back(hkl);
    sphere.f_squared.push_back(f_squared);
  });
  return sphere;
}

ReflectionSphere expand_layers(const SpectralAmplitudes& amplitudes, double d_min) {
  AmplitudeGridParams params;
  params.d_min = d_min;
  const AmplitudeGrid grid = make_amplitude_grid(amplitudes, params);
  const AmplitudeGridView view = grid.view();
  ReflectionSphere sphere;
  for_each_index(grid, [&](const Miller& hkl) {
    if (view.id(hkl.h, hkl.k, hkl.l) >= 0) sphere.hkl.push_back(hkl);
  });
  for (std::int32_t layer = 0; layer < view.layer_count; ++layer)
    for (const Miller& hkl : sphere.hkl)
      sphere.f_squared.push_back(view.value(hkl.h, hkl.k, hkl.l, LayerMix{layer, 0}));
  sphere.energies = grid.energies;
  return sphere;
}

ReflectionSphere expand_to_sphere(const SpectralAmplitudes& amplitudes, double d_min,
                                  double energy) {
  if (!amplitudes.bijvoet())
    return expand_to_sphere(structure_factors::Amplitudes{amplitudes.cell, amplitudes.space_group,
                                                          amplitudes.hkl,
                                                          amplitudes.at(energy).plus},
                            d_min);
  AmplitudeGridParams params;
  params.d_min = d_min;
  const AmplitudeGrid grid = make_amplitude_grid(amplitudes, params);
  return list_sphere(grid, grid.mix(energy));
}

} // namespace kilobragg::diffraction
