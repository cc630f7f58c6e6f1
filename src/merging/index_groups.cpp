// Grouping by index, leave-one-out averages, and the weighted mean of every index.
#include "kilobragg/merging/index_groups.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace kilobragg::merging {

namespace {

constexpr double least_weight = 1e-3; // of an observation that counts as the presence of a lattice

std::uint64_t scatter(const AsuIndex& index) {
  auto bits = [](std::int16_t value) { return std::uint64_t{static_cast<std::uint16_t>(value)}; };
  return core::mix_bits(bits(index.h) | bits(index.k) << 16 | bits(index.l) << 32 |
                        bits(index.minus) << 48);
}

// The observations of one lattice at one index.
struct Run {
  double weight = 0, weighted = 0, best = 0;
  std::uint64_t begin = 0, end = 0;
};

void split_runs(const IndexGroups& groups, std::size_t group, std::span<const float> intensity,
                std::span<const float> weight, std::vector<Run>& runs) {
  runs.clear();
  for (std::uint64_t i = groups.begin[group]; i < groups.begin[group + 1]; ++i) {
    if (runs.empty() || groups.lattice[i] != groups.lattice[i - 1]) {
      runs.emplace_back();
      runs.back().begin = i;
    }
    Run& run = runs.back();
    const double w = weight[i];
    run.weight += w;
    run.weighted += w * intensity[i];
    run.best = std::max(run.best, w);
    run.end = i + 1;
  }
}

// The mean of an index without one lattice, or NaN where too little weight would be left.
float mean_without(const Run& total, const Run& own, double best_other) {
  if (best_other < least_weight) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>((total.weighted - own.weighted) / (total.weight - own.weight));
}

double weight_of(MergeWeights weights, float variance, float nearness) {
  switch (weights) {
  case MergeWeights::Variance:
    return 1 / double(variance);
  case MergeWeights::Unit:
    return 1;
  case MergeWeights::Excitation:
    return std::max(double(nearness), 1e-6); // far ones still count where there are no near ones
  }
  return 1;
}

struct SetSums {
  double w = 0, wi = 0, w2 = 0, w3 = 0, w2v = 0;
  MergedSet set;
};

void add(SetSums& sums, double intensity, double variance, double weight) {
  sums.w += weight;
  sums.wi += weight * intensity;
  sums.w2 += weight * weight;
  sums.w3 += weight * weight * weight;
  sums.w2v += weight * weight * variance;
  const double snr = intensity / std::sqrt(variance);
  sums.set.sum_snr += snr;
  sums.set.sum_snr2 += snr * snr;
  sums.set.sum_snr3 += snr * snr * snr;
  ++sums.set.n;
  sums.set.positive += intensity > 0;
  sums.set.negative += intensity < 0;
}

void finish(SetSums& sums, double w2r2) {
  if (sums.set.n == 0) return;
  const double inverse = 1 / sums.w;
  sums.set.intensity = sums.wi * inverse;
  sums.set.weight = sums.w;
  sums.set.sigma = std::sqrt(sums.w2v) * inverse;
  sums.set.concentration = sums.w2 * inverse * inverse;
  if (sums.set.n < 2) return;
  // With equal variances E[sum w^2 r^2] = variance * expected, and the mean has variance *
  // concentration. Where one weight is nearly all, residuals say nothing.
  const double expected = sums.w2 - 2 * sums.w3 * inverse + sums.w2 * sums.set.concentration;
  if (expected > 0.05 * sums.w2) sums.set.scatter = w2r2 / expected * sums.set.concentration;
}

// What the scatter of means exceeds counting by, and what it would be for a relative scatter of one.
struct ScatterSums {
  double excess = 0, expected = 0;
  void add(const MergedSet& set) {
    if (set.n < 2 || set.scatter <= 0) return;
    excess += set.scatter - set.sigma * set.sigma;
    expected += set.intensity * set.intensity * set.concentration;
  }
  double rho() const { return expected > 0 ? std::sqrt(std::max(0.0, excess / expected)) : 0; }
};

} // namespace

int owner_of(const AsuIndex& index, int owners) {
  return static_cast<int>(scatter(index) % static_cast<std::uint64_t>(owners));
}

std::vector<float> IndexGroups::in_order(std::span<const float> arrived) const {
  std::vector<float> ordered(arrival.size());
  for (std::size_t i = 0; i < arrival.size(); ++i) ordered[i] = arrived[arrival[i]];
  return ordered;
}

std::vector<float> IndexGroups::in_arrival_order(std::span<const float> ordered) const {
  std::vector<float> arrived(arrival.size());
  for (std::size_t i = 0; i < arrival.size(); ++i) arrived[arrival[i]] = ordered[i];
  return arrived;
}

IndexGroups group_by_index(std::span<const AsuIndex> arrived,
                           std::span<const std::uint32_t> lattice) {
  core::require(arrived.size() < std::numeric_limits<std::uint32_t>::max(),
                "{} observations on one rank are too many (the limit is 2^32)", arrived.size());
  IndexGroups groups;
  groups.arrival.resize(arrived.size());
  std::iota(groups.arrival.begin(), groups.arrival.end(), std::uint32_t{0});
  std::sort(groups.arrival.begin(), groups.arrival.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (arrived[a] != arrived[b]) return arrived[a] < arrived[b];
    if (lattice[a] != lattice[b]) return lattice[a] < lattice[b];
    return a < b; // a lattice arrives whole and in its own order
  });
  groups.lattice.resize(arrived.size());
  for (std::size_t i = 0; i < arrived.size(); ++i) {
    const std::uint32_t from = groups.arrival[i];
    groups.lattice[i] = lattice[from];
    if (groups.index.empty() || groups.index.back() != arrived[from]) {
      groups.index.push_back(arrived[from]);
      groups.begin.push_back(i);
    }
  }
  groups.begin.push_back(arrived.size());
  return groups;
}

std::vector<float> means_of_others(const IndexGroups& groups, std::span<const float> intensity,
                                   std::span<const float> weight) {
  std::vector<float> means(groups.size());
  std::vector<Run> runs;
  for (std::size_t g = 0; g < groups.index.size(); ++g) {
    split_runs(groups, g, intensity, weight, runs);
    Run total;
    double best = 0, second = 0; // largest weights of two different lattices
    for (const Run& run : runs) {
      total.weight += run.weight;
      total.weighted += run.weighted;
      second = std::max(second, std::min(best, run.best));
      best = std::max(best, run.best);
    }
    for (const Run& run : runs) {
      const float mean = mean_without(total, run, run.best == best ? second : best);
      for (std::uint64_t i = run.begin; i < run.end; ++i) means[i] = mean;
    }
  }
  return means;
}

std::vector<MergedIndex> merge_groups(const IndexGroups& groups, std::span<const float> intensity,
                                      std::span<const float> variance,
                                      std::span<const float> nearness,
                                      std::span<const HalfSet> half, MergeWeights weights) {
  std::vector<MergedIndex> merged;
  merged.reserve(groups.index.size());
  for (std::size_t g = 0; g < groups.index.size(); ++g) {
    SetSums all, odd, even;
    const std::uint64_t first = groups.begin[g], last = groups.begin[g + 1];
    for (std::uint64_t i = first; i < last; ++i) {
      const double w = weight_of(weights, variance[i], nearness[i]);
      add(all, intensity[i], variance[i], w);
      add(half[groups.lattice[i]] == HalfSet::Odd ? odd : even, intensity[i], variance[i], w);
    }
    double all_w2r2 = 0, odd_w2r2 = 0, even_w2r2 = 0;
    for (std::uint64_t i = first; i < last; ++i) {
      const double w = weight_of(weights, variance[i], nearness[i]);
      const bool is_odd = half[groups.lattice[i]] == HalfSet::Odd;
      const SetSums& own = is_odd ? odd : even;
      const double r_all = w * (intensity[i] - all.wi / all.w);
      const double r_own = w * (intensity[i] - own.wi / own.w);
      all_w2r2 += r_all * r_all;
      (is_odd ? odd_w2r2 : even_w2r2) += r_own * r_own;
    }
    finish(all, all_w2r2);
    finish(odd, odd_w2r2);
    finish(even, even_w2r2);
    merged.push_back({groups.index[g], all.set, odd.set, even.set});
  }
  return merged;
}

std::vector<double> add_scatter(std::vector<MergedIndex>& merged, int groups,
                                const std::function<int(const AsuIndex&)>& group_of) {
  std::vector<ScatterSums> sums(static_cast<std::size_t>(groups));
  for (const MergedIndex& m : merged)
    if (const int group = group_of(m.index); group >= 0) sums[std::size_t(group)].add(m.all);
  std::vector<double> rho;
  for (const ScatterSums& s : sums) rho.push_back(s.rho());
  for (MergedIndex& m : merged) {
    const int group = group_of(m.index);
    if (group < 0) continue;
    // The mean of all for every set: a half's own value would make its low values look sure.
    const double relative = rho[std::size_t(group)] * m.all.intensity;
    for (MergedSet* set : {&m.all, &m.odd, &m.even})
      set->sigma = std::sqrt(set->sigma * set->sigma + relative * relative * set->concentration);
  }
  return rho;
}

} // namespace kilobragg::merging
