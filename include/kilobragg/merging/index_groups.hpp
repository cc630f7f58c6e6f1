// Observations gathered by index on their owner: averages of the others, and the merge itself.
#pragma once

#include "kilobragg/merging/observations.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace kilobragg::merging {

/// Which of `owners` ranks holds an index: a hash, so that the load is even for any space group.
int owner_of(const AsuIndex& index, int owners);

/// Observations of one owner, sorted by index, within it by lattice number (the position of its
/// identifier among all, sorted), within that as the file had them: an order that no distribution
/// over ranks can change.
struct IndexGroups {
  std::vector<AsuIndex> index;        ///< unique
  std::vector<std::uint64_t> begin;   ///< first observation of each index, and the end
  std::vector<std::uint32_t> lattice; ///< per observation: lattice number
  std::vector<std::uint32_t> arrival; ///< per observation: its position as it arrived
  std::size_t size() const { return lattice.size(); }

  /// Values from arrival order to this order, and back.
  std::vector<float> in_order(std::span<const float> arrived) const;
  std::vector<float> in_arrival_order(std::span<const float> ordered) const;
};
IndexGroups group_by_index(std::span<const AsuIndex> arrived,
                           std::span<const std::uint32_t> lattice);

/// For every observation (in group order) the weighted mean of its index over all other lattices;
/// NaN where no other lattice has weight. Weights below 1e-3 of the best do not count as a presence.
std::vector<float> means_of_others(const IndexGroups& groups, std::span<const float> intensity,
                                   std::span<const float> weight);

/// merging.weights
enum class MergeWeights {
  Variance,  ///< 1/sigma^2 (cctbx.xfel.merge)
  Unit,      ///< equal
  Excitation ///< nearness to the Ewald sphere
};

/// One set (all, odd or even lattices) of one index.
struct MergedSet {
  std::int32_t n = 0, positive = 0, negative = 0;
  double intensity = 0, weight = 0; ///< weighted mean and the sum of the weights
  double sigma = 0; ///< of counting, carried through the mean; add_scatter() adds the rest
  double sum_snr = 0, sum_snr2 = 0, sum_snr3 = 0; ///< powers of I/sigma of the observations
  double concentration = 0;                       ///< sum w^2 / (sum w)^2: 1/n for equal weights
  double scatter =
      0; ///< unbiased estimate of the variance of the mean from its observations, n > 1
};
struct MergedIndex {
  AsuIndex index;
  MergedSet all, odd, even;
};

/// Merges every index. `half[lattice]` is the half set of a lattice number; `nearness` is used with
/// MergeWeights::Excitation only.
std::vector<MergedIndex> merge_groups(const IndexGroups& groups, std::span<const float> intensity,
                                      std::span<const float> variance,
                                      std::span<const float> nearness,
                                      std::span<const HalfSet> half, MergeWeights weights);

/// merging.error.model=scatter: stills scatter by partiality in proportion to their intensity, far
/// more than counting. In every group of indices (`group_of` gives a number from 0 to groups - 1, a
/// resolution shell, or less to leave an index alone) one relative scatter rho is found from the
/// indices measured at least twice: rho^2 <I>^2 is what the scatter exceeds counting by, summed.
/// rho^2 I^2 sum w^2 / (sum w)^2 is added to the variance of each mean, so an index measured once or
/// twice gets a sigma as good as others. Returns rho by group.
std::vector<double> add_scatter(std::vector<MergedIndex>& merged, int groups,
                                const std::function<int(const AsuIndex&)>& group_of);

} // namespace kilobragg::merging
