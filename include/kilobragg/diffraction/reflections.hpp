// Structure factors of a simulation: |F|^2 of every index of the whole sphere.
#pragma once

#include "kilobragg/models/symmetry.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <vector>

namespace kilobragg::diffraction {

/// |F|^2 of all indices with d >= d_min (group and Friedel mates expanded), sorted by index.
struct ReflectionSphere {
  std::vector<models::Miller> hkl;
  std::vector<double> f_squared;
  std::size_t size() const { return hkl.size(); }
};

/// Expands amplitudes of the asymmetric unit, leaving out what lies beyond `d_min` in the amplitudes'
/// own cell. Throws core::Error if nothing is left.
ReflectionSphere expand_to_sphere(const structure_factors::Amplitudes& amplitudes, double d_min);

} // namespace kilobragg::diffraction
