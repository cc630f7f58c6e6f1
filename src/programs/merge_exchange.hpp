// Between ranks: numbering lattices, and moving values between their lattice and their index's owner.
#pragma once

#include "kilobragg/merging/index_groups.hpp"
#include "kilobragg/merging/self_scaling.hpp"
#include "kilobragg/parallel/communicator.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Numbers of lattices by sorted identifier, the same for any distribution over ranks.
struct LatticeNumbers {
  std::vector<std::uint32_t> mine;    ///< of the lattices held here
  std::vector<merging::HalfSet> half; ///< by number, of all lattices
  std::string digest;                 ///< MD5 of all identifiers in order
};
/// Collective. Throws core::Error if two lattices have the same identifier.
LatticeNumbers number_lattices(const parallel::Communicator& communicator,
                               const merging::Observations& observations);

/// Routes of all observations held on this rank to the owners of their indices and back.
class ExchangePlan {
public:
  /// Collective; sends the indices.
  ExchangePlan(const parallel::Communicator& communicator,
               const merging::Observations& observations, const LatticeNumbers& numbers);

  /// The observations that this rank owns.
  const merging::IndexGroups& groups() const { return groups_; }
  /// Values of the observations held here, to their owners; returns owned ones in group order.
  std::vector<float> to_owners(std::span<const float> values) const;
  /// Values in group order, back to where the observations are held.
  std::vector<float> to_holders(std::span<const float> ordered) const;

private:
  parallel::Communicator communicator_;
  std::vector<std::int32_t> owner_;   ///< of each observation held here
  std::vector<std::size_t> received_; ///< where each sender's begin in arrival order
  merging::IndexGroups groups_;
};

/// What self-scaling needs of the other ranks.
merging::ScalingExchange scaling_exchange(const parallel::Communicator& communicator,
                                          const merging::Observations& observations);

} // namespace kilobragg::programs
