// The digest of a still taken from the whole result: the plain version of io::read_shard_digests.
#pragma once

#include "kilobragg/io/shard.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::testing {

inline io::LatticeDigest plain_lattice_digest(const models::IntegratedLattice& lattice) {
  io::LatticeDigest digest;
  digest.identifier = lattice.identifier;
  digest.crystal = lattice.lattice.crystal;
  digest.rmsd_px = lattice.lattice.rmsd_px;
  digest.rmsd_psi_deg = lattice.lattice.rmsd_psi_deg;
  digest.indexed = static_cast<std::int64_t>(lattice.lattice.spots.size());
  digest.reflections = static_cast<std::int64_t>(lattice.reflections.size());
  for (const auto& reflection : lattice.reflections)
    if (!digest.d_min || reflection.d < *digest.d_min) digest.d_min = reflection.d;
  return digest;
}

inline io::StillDigest plain_digest(const models::StillResult& result) {
  io::StillDigest digest{result.source,
                         result.state,
                         result.count,
                         result.message,
                         result.seconds,
                         result.processing,
                         0,
                         std::nullopt,
                         {}};
  digest.spots = static_cast<std::int64_t>(result.spots.size());
  std::vector<double> d;
  for (const auto& spot : result.spots.spots)
    if (norm(spot.rlp) > 0) d.push_back(1 / norm(spot.rlp));
  std::sort(d.begin(), d.end(), std::greater<>());
  if (!d.empty()) d.resize(static_cast<std::size_t>(std::ceil(0.95 * double(d.size()))));
  if (!d.empty()) digest.d_min = d.back();
  for (const auto& lattice : result.lattices)
    digest.lattices.push_back(plain_lattice_digest(lattice));
  return digest;
}

} // namespace kilobragg::testing
