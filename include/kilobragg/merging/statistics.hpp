// Figures of merit of a merge, by resolution shell and overall, as cctbx.xfel.merge defines them.
#pragma once

#include "kilobragg/merging/index_groups.hpp"
#include "kilobragg/merging/reference_scaling.hpp"
#include "kilobragg/merging/resolution_shells.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::merging {

enum class SetChoice { All, Odd, Even };
const MergedSet& choose(const MergedIndex& merged, SetChoice choice);

/// One row of the intensity table. Indices with fewer than `minimum_multiplicity` measurements do
/// not count as observed.
struct IntensityRow {
  std::int64_t possible = 0, observed = 0, measurements = 0;
  double sum_intensity = 0, sum_snr = 0; ///< of merged intensities, for the means
  double completeness() const;
  double multiplicity_possible() const, multiplicity_observed() const;
  double mean_intensity() const, mean_snr() const;
  /// I/sigma of single measurements.
  double unmerged_mean = 0, unmerged_deviation = 0, unmerged_skew = 0;
};
struct IntensityTable {
  std::vector<IntensityRow> shells;
  IntensityRow total;
  std::int64_t zero = 0, positive = 0, negative = 0; ///< all measurements
  std::int64_t zero_in_range = 0, positive_in_range = 0, negative_in_range = 0;
};
IntensityTable intensity_table(std::span<const MergedIndex> merged, const ResolutionShells& shells,
                               SetChoice choice, int minimum_multiplicity);

/// One row of the scaling table: odd against even half sets, all against a reference. R values are of
/// intensities. `scale` puts the second on the first: sum w I1 I2 / sum w I2^2, w from the variances.
struct AgreementRow {
  std::int64_t possible = 0;
  std::int64_t n_int = 0, n_iso = 0;
  double cc_int = 0, r_int = 0, r_split = 0, scale_int = 0, split_sigma = 0;
  double cc_iso = 0, r_iso = 0, scale_iso = 0;
};
struct AgreementTable {
  std::vector<AgreementRow> shells;
  AgreementRow total;
  bool has_reference = false;
};
/// `reference` may be null.
AgreementTable agreement_table(std::span<const MergedIndex> merged, const ResolutionShells& shells,
                               const ReferenceTable* reference, int minimum_multiplicity);

/// Mean, standard deviation and a histogram of one cell edge.
struct EdgeStatistics {
  double low = 0, high = 0, mean = 0, deviation = 0;
  std::array<std::int64_t, 20> slots{};
};
struct CellStatistics {
  std::int64_t lattices = 0;
  models::UnitCell mean; ///< of all six parameters
  std::array<EdgeStatistics, 3> edges;
};
CellStatistics cell_statistics(std::span<const models::UnitCell> cells);

/// How a merge agrees with known intensities: on common indices, after a scale and a B fitted to the
/// shells' mean intensities. R1 = sum |F - F_true| / sum F_true with F the root of positive I, else 0.
struct TruthRow {
  std::int64_t common = 0;
  double cc = 0; ///< Pearson correlation of intensities
  double r1 = 0;
};
struct TruthAgreement : TruthRow {
  double completeness = 0; ///< common / true indices in the resolution range
  double b_factor = 0;     ///< of the merge relative to the truth (angstrom^2)
  double log_scale = 0;    ///< I = exp(log_scale - b_factor / (2 d^2)) I_true
  std::vector<TruthRow> shells;
};
/// Bijvoet mates of the merge are averaged (by their weights) first.
TruthAgreement agreement_with_truth(std::span<const MergedIndex> merged,
                                    const ResolutionShells& shells, const ReferenceTable& truth,
                                    int minimum_multiplicity);

} // namespace kilobragg::merging
