// Which reflections may light a shot, and their |F|^2 from the table of factors.
#pragma once

#include "kilobragg/diffraction/reflections.hpp"
#include "kilobragg/pixelrefinement/factor_table.hpp"
#include "kilobragg/pixelrefinement/shot_model.hpp"

#include <cstdint>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Every index of the whole sphere that the table has, by symmetry. Made once for all shots.
struct FactorSphere {
  std::vector<models::Miller> hkl;
  std::vector<std::int32_t> row; ///< of the table's first layer
  std::vector<float> inv_d2;     ///< with the table's cell (1/angstrom^2)
  std::vector<double> energies;  ///< of the table
  std::size_t layer_size = 0;    ///< rows of a layer
};
FactorSphere expand_to_sphere(const FactorTable& table);

/// Reflections of one shot: a short list, so that searches for lit pixels are short too.
struct ShotReflections {
  std::vector<models::Miller> hkl;
  std::vector<std::int32_t> row;
  std::vector<float> inv_d2;
  std::vector<double> energies;
  std::size_t layer_size = 0;
  std::size_t size() const { return hkl.size(); }
  std::size_t layers() const { return energies.empty() ? 1 : energies.size(); }
};

/// Those that a lattice of the shot may bring to an Ewald sphere of the beam's channels, also after its
/// orientation moved by up to `slack` (rad) and its peaks became wider by half.
ShotReflections reflections_near(const ShotModel& shot, const FactorSphere& sphere, double slack);

/// |F|^2 exp(-B / (2 d^2)) of all layers, as the forward model takes them.
diffraction::ReflectionSphere with_factors(const ShotReflections& reflections,
                                           const FactorTable& table, double b_factor);
/// The same with |F|^2 given by row of the table.
diffraction::ReflectionSphere with_values(const ShotReflections& reflections,
                                          const std::vector<double>& f_squared_of_row,
                                          double b_factor);

/// exp(-B / (2 d^2)) in one layer, nothing in the others: what F^2 of that layer is to be multiplied by.
diffraction::ReflectionSphere with_ones(const ShotReflections& reflections, std::size_t layer,
                                        double b_factor);

/// The part of the beam's light that the F of each layer count for; the sum is 1.
std::vector<double> layer_shares(const models::Beam& beam, const std::vector<double>& energies);

/// Mean F^2 / epsilon near each row's resolution times its epsilon: over the rows that were measured, in
/// shells of about 200 smoothed linearly; over all where none was.
std::vector<double> mean_intensities(const FactorTable& table);

} // namespace kilobragg::pixelrefinement
