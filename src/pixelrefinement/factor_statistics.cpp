// Tables of figures of merit: half sets, known amplitudes, errors.
#include "kilobragg/pixelrefinement/factor_statistics.hpp"

#include "factor_samples.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::pixelrefinement {

namespace {

using merging::MergedIndex;
using merging::MergedSet;

MergedSet set_of(const FactorTable& table, std::size_t row) {
  MergedSet set;
  if (row >= table.size() || table.measured[row] == 0) return set;
  const double f = table.f[row], sigma = table.sigma[row];
  set.n = set.positive = 1;
  set.intensity = f * f;
  set.sigma = 2 * f * f * sigma;
  set.weight = 1 / (sigma * sigma);
  const double snr = set.intensity / set.sigma;
  set.sum_snr = snr, set.sum_snr2 = snr * snr, set.sum_snr3 = snr * snr * snr;
  set.concentration = 1;
  return set;
}

void keep_common(MergedSet& a, int minimum_a, MergedSet& b, int minimum_b) {
  if (is_observed(a, minimum_a) && is_observed(b, minimum_b)) return;
  a = {};
  b = {};
}

FactorStatisticsRow row_of(const FactorSample& sample) {
  FactorStatisticsRow row;
  row.observed = sample.observed;
  row.mean_f_over_sigma =
      sample.observed > 0 ? sample.sum_f_over_sigma / double(sample.observed) : 0;
  row.halves = static_cast<std::int64_t>(sample.odd_f.size());
  row.cc_half_f = correlation(sample.odd_f, sample.even_f);
  row.r1_half = scaled_difference(sample.odd_f, sample.even_f);
  row.anomalous_half = {static_cast<std::int64_t>(sample.odd_dano.size()),
                        correlation(sample.odd_dano, sample.even_dano)};
  row.anomalous_truth = {static_cast<std::int64_t>(sample.dano.size()),
                         correlation(sample.dano, sample.true_dano)};
  row.pulls = summary_of(sample.pulls);
  return row;
}

} // namespace

double FactorStatisticsRow::completeness() const {
  return possible > 0 ? static_cast<double>(observed) / static_cast<double>(possible) : 0;
}

std::vector<MergedIndex> as_merged(const FactorTable& all, const FactorTable& odd,
                                   const FactorTable& even) {
  for (const FactorTable* half : {&odd, &even})
    core::require(half->index.empty() || half->index == all.index,
                  "half sets of {} and {} structure factors for {} (they list different indices)",
                  odd.size(), even.size(), all.size());
  std::vector<MergedIndex> merged(all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    merged[i] = {all.index[i], set_of(all, i), set_of(odd, i), set_of(even, i)};
  return merged;
}

std::pair<std::vector<MergedIndex>, std::vector<MergedIndex>>
common_sets(std::span<const MergedIndex> a, int minimum_a, std::span<const MergedIndex> b,
            int minimum_b) {
  std::pair<std::vector<MergedIndex>, std::vector<MergedIndex>> common;
  const auto before = [](const MergedIndex& x, const MergedIndex& y) { return x.index < y.index; };
  std::vector<MergedIndex> sorted(b.begin(), b.end());
  std::sort(sorted.begin(), sorted.end(), before);
  for (MergedIndex one : a) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), one, before);
    if (at == sorted.end() || at->index != one.index) continue;
    MergedIndex other = *at;
    keep_common(one.all, minimum_a, other.all, minimum_b);
    keep_common(one.odd, minimum_a, other.odd, minimum_b);
    keep_common(one.even, minimum_a, other.even, minimum_b);
    common.first.push_back(one);
    common.second.push_back(other);
  }
  return common;
}

FactorStatistics factor_statistics(std::span<const MergedIndex> merged,
                                   const merging::ResolutionShells& shells,
                                   const FactorTable* truth, int minimum_multiplicity) {
  FactorStatistics result;
  if (truth != nullptr) {
    result.has_truth = true;
    result.truth =
        merging::agreement_with_truth(merged, shells, reference_of(*truth), minimum_multiplicity);
  }
  const FactorSamples samples =
      sample_factors(merged, shells, {truth, result.truth}, minimum_multiplicity);
  const merging::AgreementTable halves =
      merging::agreement_table(merged, shells, nullptr, minimum_multiplicity);
  const auto finish = [&](FactorStatisticsRow row, const merging::AgreementRow& half,
                          const merging::TruthRow& known) {
    row.cc_half = half.cc_int;
    row.r_split = half.r_split;
    row.truth = known;
    return row;
  };
  for (std::size_t i = 0; i < samples.shells.size(); ++i) {
    result.shells.push_back(
        finish(row_of(samples.shells[i]), halves.shells[i],
               truth != nullptr ? result.truth.shells[i] : merging::TruthRow{}));
    result.shells.back().possible = shells.possible(static_cast<int>(i));
  }
  result.total = finish(row_of(samples.total), halves.total, result.truth);
  result.total.possible = shells.total_possible();
  return result;
}

std::vector<double> pulls_of(std::span<const MergedIndex> merged,
                             const merging::ResolutionShells& shells, const FactorTable& truth,
                             int minimum_multiplicity) {
  const auto fit =
      merging::agreement_with_truth(merged, shells, reference_of(truth), minimum_multiplicity);
  return sample_factors(merged, shells, {&truth, fit}, minimum_multiplicity).total.pulls;
}

merging::ReferenceTable reference_of(const FactorTable& truth) {
  merging::ReferenceTable reference;
  for (std::size_t i = 0, last = 0; i < truth.size(); i = last) {
    const models::Miller hkl = truth.index[i].miller();
    double sum = 0;
    for (last = i; last < truth.size() && truth.index[last].miller() == hkl; ++last)
      sum += truth.f[last] * truth.f[last];
    reference.hkl.push_back(hkl);
    reference.intensity.push_back(sum / static_cast<double>(last - i));
  }
  return reference;
}

} // namespace kilobragg::pixelrefinement
