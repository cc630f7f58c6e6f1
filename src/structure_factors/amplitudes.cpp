// Looking up an amplitude by any of its equivalent indices.
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <algorithm>

namespace kilobragg::structure_factors {

std::optional<double> Amplitudes::find(const models::Miller& index) const {
  const models::Miller unique = space_group.to_asu(index);
  const auto at = std::lower_bound(hkl.begin(), hkl.end(), unique);
  if (at == hkl.end() || *at != unique) return std::nullopt;
  return f[static_cast<std::size_t>(at - hkl.begin())];
}

} // namespace kilobragg::structure_factors
