// Figures of merit of structure factors, refined or merged: shells, half sets, mates, known amplitudes.
#pragma once

#include "kilobragg/merging/statistics.hpp"
#include "kilobragg/pixelrefinement/factor_table.hpp"

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Refined amplitudes as merge's tables take intensities: I = F^2, sigma(I) = 2 F^2 sigma(ln F), weight
/// 1/sigma(ln F)^2, one measurement per index; rows that were not measured have none. The tables list the
/// same indices, `odd` and `even` refined from half the shots each; both may be empty. Throws core::Error
/// if indices differ.
std::vector<merging::MergedIndex> as_merged(const FactorTable& all, const FactorTable& odd,
                                            const FactorTable& even);

/// Both lists cut to the indices that both have, set by set (all, odd, even), with at least so many
/// measurements each: what is compared on these differs in its values alone.
std::pair<std::vector<merging::MergedIndex>, std::vector<merging::MergedIndex>>
common_sets(std::span<const merging::MergedIndex> a, int minimum_a,
            std::span<const merging::MergedIndex> b, int minimum_b);

/// Correlation of amplitude differences F(+) - F(-) of the indices that have both mates on both sides.
struct AnomalousAgreement {
  std::int64_t pairs = 0;
  double cc = 0;
};

/// (F - F_true) / sigma(F): mean 0 and both widths 1 where errors are what sigma says. Of F and not of ln F, whose errors
/// are not normal where F is weak.
struct Pulls {
  std::int64_t count = 0;
  double mean = 0;
  double rms = 0; ///< about 0
  double half_width =
      0; ///< half the distance of the 15.87 % and 84.13 % quantiles, blind to outliers
};

/// One row of the table. F is the root of I where I > 0, else 0.
struct FactorStatisticsRow {
  std::int64_t possible = 0, observed = 0;
  double mean_f_over_sigma = 0; ///< 2 I / sigma(I)
  std::int64_t halves = 0;      ///< indices that both half sets have
  double cc_half = 0;           ///< of intensities, CC1/2
  double r_split = 0;           ///< of intensities, as merge defines it, without a scale
  double cc_half_f = 0;         ///< of amplitudes
  double r1_half = 0;           ///< sum |F1 - k F2| / sum F1, k = sum F1 F2 / sum F2^2
  AnomalousAgreement anomalous_half;
  merging::TruthRow truth; ///< Bijvoet mates averaged
  AnomalousAgreement anomalous_truth;
  Pulls pulls; ///< mates apart
  double completeness() const;
};

struct FactorStatistics {
  std::vector<FactorStatisticsRow> shells;
  FactorStatisticsRow total;
  bool has_truth = false;
  merging::TruthAgreement truth; ///< of all shells; its scale and B are those of the rows
};

/// `truth` may be null; its amplitudes are on any scale, and all its rows count; where `merged` has no mates
/// apart, those of the truth are averaged. Indices with fewer than `minimum_multiplicity` measurements do
/// not count as observed.
FactorStatistics factor_statistics(std::span<const merging::MergedIndex> merged,
                                   const merging::ResolutionShells& shells,
                                   const FactorTable* truth, int minimum_multiplicity);

/// Pulls of all observed indices against the truth, sorted by index, for histograms.
std::vector<double> pulls_of(std::span<const merging::MergedIndex> merged,
                             const merging::ResolutionShells& shells, const FactorTable& truth,
                             int minimum_multiplicity);

/// Intensities of a table, mates averaged, as the functions of merging take the truth.
merging::ReferenceTable reference_of(const FactorTable& truth);

} // namespace kilobragg::pixelrefinement
