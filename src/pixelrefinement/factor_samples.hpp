// What figures of merit of structure factors are computed from, shell by shell.
#pragma once

#include "kilobragg/pixelrefinement/factor_statistics.hpp"

#include <algorithm>

namespace kilobragg::pixelrefinement {

/// Values of one shell; those of one line have equal length.
struct FactorSample {
  std::int64_t observed = 0;
  double sum_f_over_sigma = 0;
  std::vector<double> odd_f, even_f;
  std::vector<double> odd_dano, even_dano; ///< F(+) - F(-)
  std::vector<double> dano, true_dano;     ///< on the scale of the truth
  std::vector<double> pulls;
};

struct FactorSamples {
  std::vector<FactorSample> shells;
  FactorSample total; ///< all of them, in the order of the indices
};

/// Known amplitudes, and the scale and B that put others on theirs; `table` may be null.
struct KnownFactors {
  const FactorTable* table = nullptr;
  merging::TruthAgreement fit;
};

inline bool is_observed(const merging::MergedSet& set, int minimum_multiplicity) {
  return set.n >= std::max(1, minimum_multiplicity);
}

FactorSamples sample_factors(std::span<const merging::MergedIndex> merged,
                             const merging::ResolutionShells& shells, const KnownFactors& known,
                             int minimum_multiplicity);

/// Pearson's; 0 for fewer than two values or where all are alike.
double correlation(const std::vector<double>& a, const std::vector<double>& b);
/// sum |a - k b| / sum a, k = sum a b / sum b^2.
double scaled_difference(const std::vector<double>& a, const std::vector<double>& b);
Pulls summary_of(std::vector<double> pulls);

} // namespace kilobragg::pixelrefinement
