// The sphere of indices over a table of factors, and what of it comes near a shot's Ewald spheres.
#include "kilobragg/pixelrefinement/shot_reflections.hpp"

#include "kernels/diffraction/lattice_factor.hpp"

#include "kilobragg/core/numbers.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace kilobragg::pixelrefinement {
namespace {

using models::Miller;

/// All equivalents of an index, with inversion where mates share a row; of a mate the inverses.
std::set<Miller> equivalents(const FactorTable& table, std::size_t row) {
  const merging::AsuIndex& index = table.index[row];
  const bool both = !table.bijvoet_apart || table.space_group.is_centric(index.miller());
  std::set<Miller> all;
  for (const auto& operation : table.space_group.operations()) {
    const Miller m = operation.apply_to_hkl(index.miller());
    if (both || index.minus == 0) all.insert(m);
    if (both || index.minus != 0) all.insert({-m.h, -m.k, -m.l});
  }
  return all;
}

/// The range of wavelengths of a shot.
struct Band {
  double shortest, longest;
};
Band band_of(const ShotModel& shot) {
  const auto& spectrum = shot.beam.spectrum.wavelengths;
  Band band{shot.beam.wavelength, shot.beam.wavelength};
  if (!spectrum.empty()) {
    const auto [low, high] = std::minmax_element(spectrum.begin(), spectrum.end());
    band = {*low, *high};
  }
  const auto& shift = shot.wavelength;
  return {shift.offset + shift.scale * band.shortest, shift.offset + shift.scale * band.longest};
}

/// Marks the reflections of one lattice.
void mark_near(const diffraction::ShotLattice& lattice, const Vec3& k0, const Band& band,
               const FactorSphere& sphere, double slack, std::vector<bool>& near) {
  const auto block = diffraction::make_block_shape(lattice.shape, lattice.size, lattice.fudge);
  const auto shape =
      diffraction::make_lattice_shape(lattice.crystal.a_matrix, block, lattice.rotation);
  constexpr double reach = 1.5 * 5; // standard deviations, and half more
  const double radius = reach * std::sqrt(trace(shape.covariance)),
               turn = reach * std::sqrt(trace(lattice.rotation)) + slack;
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (near[i]) continue;
    const Miller& m = sphere.hkl[i];
    const Vec3 q = lattice.crystal.a_matrix * Vec3{double(m.h), double(m.k), double(m.l)};
    const double q2 = norm2(q), along = dot(q, k0), tolerance = radius + turn * std::sqrt(q2);
    near[i] = 0.5 * band.shortest * q2 + along < tolerance &&
              -0.5 * band.longest * q2 - along < tolerance;
  }
}

/// f_squared(layer, row) exp(-B / (2 d^2)), row that of the table.
template <typename FSquared>
diffraction::ReflectionSphere weakened(const ShotReflections& reflections, double b_factor,
                                       const FSquared& f_squared) {
  diffraction::ReflectionSphere sphere;
  sphere.hkl = reflections.hkl;
  sphere.energies = reflections.energies;
  sphere.inv_d2 = reflections.inv_d2;
  sphere.f_squared.reserve(reflections.layers() * reflections.size());
  for (std::size_t layer = 0; layer < reflections.layers(); ++layer)
    for (std::size_t i = 0; i < reflections.size(); ++i) {
      const auto row =
          layer * reflections.layer_size + static_cast<std::size_t>(reflections.row[i]);
      sphere.f_squared.push_back(f_squared(layer, row) *
                                 std::exp(-0.5 * b_factor * double(reflections.inv_d2[i])));
    }
  return sphere;
}

} // namespace

FactorSphere expand_to_sphere(const FactorTable& table) {
  FactorSphere sphere;
  const Mat3 b = table.cell.b_matrix();
  sphere.energies = table.energies;
  sphere.layer_size = table.layer_size();
  for (std::size_t row = 0; row < table.layer_size(); ++row) {
    const Miller asu = table.index[row].miller();
    const double inv_d2 = norm2(b * Vec3{double(asu.h), double(asu.k), double(asu.l)});
    for (const Miller& m : equivalents(table, row)) {
      sphere.hkl.push_back(m);
      sphere.row.push_back(static_cast<std::int32_t>(row));
      sphere.inv_d2.push_back(static_cast<float>(inv_d2));
    }
  }
  return sphere;
}

ShotReflections reflections_near(const ShotModel& shot, const FactorSphere& sphere, double slack) {
  std::vector<bool> near(sphere.hkl.size());
  const Vec3 k0 = -unit(shot.beam.direction);
  for (const diffraction::ShotLattice& lattice : shot.lattices)
    mark_near(lattice, k0, band_of(shot), sphere, slack, near);
  ShotReflections result;
  result.energies = sphere.energies;
  result.layer_size = sphere.layer_size;
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (!near[i]) continue;
    result.hkl.push_back(sphere.hkl[i]);
    result.row.push_back(sphere.row[i]);
    result.inv_d2.push_back(sphere.inv_d2[i]);
  }
  return result;
}

diffraction::ReflectionSphere with_factors(const ShotReflections& reflections,
                                           const FactorTable& table, double b_factor) {
  return weakened(reflections, b_factor,
                  [&](std::size_t, std::size_t row) { return core::squared(table.f[row]); });
}

diffraction::ReflectionSphere with_values(const ShotReflections& reflections,
                                          const std::vector<double>& f_squared_of_row,
                                          double b_factor) {
  return weakened(reflections, b_factor,
                  [&](std::size_t, std::size_t row) { return f_squared_of_row[row]; });
}

diffraction::ReflectionSphere with_ones(const ShotReflections& reflections, std::size_t layer,
                                        double b_factor) {
  return weakened(reflections, b_factor,
                  [&](std::size_t of, std::size_t) { return of == layer ? 1.0 : 0.0; });
}

std::vector<double> layer_shares(const models::Beam& beam, const std::vector<double>& energies) {
  if (energies.empty()) return {1};
  std::vector<double> shares(energies.size());
  double all = 0;
  const auto add = [&](double wavelength, double weight) {
    const auto place = structure_factors::place_of(core::ev_angstrom / wavelength, energies);
    shares[place.lower] += (1 - place.part) * weight;
    if (place.part > 0) shares[place.lower + 1] += place.part * weight;
    all += weight;
  };
  const models::Spectrum& spectrum = beam.spectrum;
  for (std::size_t i = 0; i < spectrum.wavelengths.size(); ++i)
    add(spectrum.wavelengths[i], spectrum.weights[i]);
  if (!(all > 0)) add(beam.wavelength, 1);
  for (double& share : shares) share /= all;
  return shares;
}

std::vector<double> mean_intensities(const FactorTable& table) {
  const Mat3 b = table.cell.b_matrix();
  std::vector<double> inv_d2(table.size()), epsilon(table.size());
  bool any = false;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Miller m = table.index[i].miller();
    inv_d2[i] = norm2(b * Vec3{double(m.h), double(m.k), double(m.l)});
    epsilon[i] = table.space_group.epsilon(m);
    any = any || table.measured[i] != 0;
  }
  std::vector<std::size_t> order(table.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
    return inv_d2[x] != inv_d2[y] ? inv_d2[x] < inv_d2[y] : x < y;
  });
  if (any) std::erase_if(order, [&](std::size_t i) { return table.measured[i] == 0; });
  constexpr std::size_t per_shell = 200;
  const std::size_t shells = std::max<std::size_t>(1, order.size() / per_shell);
  std::vector<double> where(shells), mean(shells);
  for (std::size_t s = 0; s < shells; ++s) {
    const std::size_t begin = s * order.size() / shells, end = (s + 1) * order.size() / shells;
    for (std::size_t k = begin; k < end; ++k) {
      where[s] += inv_d2[order[k]] / double(end - begin);
      mean[s] += table.f[order[k]] * table.f[order[k]] / epsilon[order[k]] / double(end - begin);
    }
  }
  std::vector<double> result(table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto above = std::lower_bound(where.begin(), where.end(), inv_d2[i]) - where.begin();
    const auto high = std::min<std::ptrdiff_t>(above, std::ptrdiff_t(shells) - 1),
               low = std::max<std::ptrdiff_t>(0, above - 1);
    const auto h = std::size_t(high), l = std::size_t(low);
    const double part = h == l ? 0 : (inv_d2[i] - where[l]) / (where[h] - where[l]);
    result[i] = epsilon[i] * ((1 - part) * mean[l] + part * mean[h]);
  }
  return result;
}

} // namespace kilobragg::pixelrefinement
