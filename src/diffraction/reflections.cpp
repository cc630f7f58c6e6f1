// Expands amplitudes of the asymmetric unit to the whole sphere of indices.
#include "kilobragg/diffraction/reflections.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <utility>

namespace kilobragg::diffraction {

ReflectionSphere expand_to_sphere(const structure_factors::Amplitudes& amplitudes, double d_min) {
  std::vector<std::pair<models::Miller, double>> all;
  for (std::size_t i = 0; i < amplitudes.hkl.size(); ++i) {
    const models::Miller hkl = amplitudes.hkl[i];
    if (amplitudes.cell.d(hkl) < d_min) continue;
    const double f_squared = amplitudes.f[i] * amplitudes.f[i];
    for (const auto& operation : amplitudes.space_group.operations()) {
      const models::Miller mate = operation.apply_to_hkl(hkl);
      all.emplace_back(mate, f_squared);
      all.emplace_back(models::Miller{-mate.h, -mate.k, -mate.l}, f_squared);
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  all.erase(std::unique(all.begin(), all.end(),
                        [](const auto& a, const auto& b) { return a.first == b.first; }),
            all.end());
  core::require(!all.empty(),
                "no structure factors to {:.2f} A (the list has {} in all) choose a "
                "coarser limit or another file?",
                d_min, amplitudes.hkl.size());
  ReflectionSphere sphere;
  sphere.hkl.reserve(all.size());
  sphere.f_squared.reserve(all.size());
  for (const auto& [hkl, f_squared] : all) {
    sphere.hkl.push_back(hkl);
    sphere.f_squared.push_back(f_squared);
  }
  return sphere;
}

} // namespace kilobragg::diffraction
