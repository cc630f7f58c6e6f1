// The nanoBragg set from DIALS's integrated stills, scaled without any reference, against the truth.
#include "support/dials_stills.hpp"
#include "support/plain_mtz.hpp"
#include "support/test_data.hpp"

#include "kilobragg/merging/index_groups.hpp"
#include "kilobragg/merging/self_scaling.hpp"
#include "kilobragg/merging/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace kilobragg::merging {
namespace {

const models::SpaceGroup group("P43212");

ReferenceTable read_truth() {
  const auto mtz = testing::read_plain_mtz(
      (testing::test_data() / "structures" / "lysozyme_nanobragg.truth.mtz").string());
  std::vector<std::pair<models::Miller, double>> rows;
  for (std::size_t i = 0; i < mtz.columns[0].size(); ++i) {
    const models::Miller hkl{int(mtz.columns[0][i]), int(mtz.columns[1][i]),
                             int(mtz.columns[2][i])};
    const double f = mtz.column("F")[i];
    rows.emplace_back(group.to_asu(hkl), f * f);
  }
  std::sort(rows.begin(), rows.end());
  ReferenceTable truth;
  for (const auto& [hkl, intensity] : rows) {
    truth.hkl.push_back(hkl);
    truth.intensity.push_back(intensity);
  }
  return truth;
}

Observations load() {
  ConversionParams params;
  params.space_group = group;
  params.merge_anomalous = true;
  Observations observations;
  for (const auto& still : testing::read_dials_stills(testing::test_data() / "reference",
                                                      "lysozyme_nanobragg", "P43212"))
    append_lattice(observations, still.experiment, {still.hkl, still.intensity, still.variance},
                   params);
  return observations;
}

TruthAgreement merge(const Observations& observations, MergeWeights weights,
                     int minimum_multiplicity) {
  std::vector<std::uint32_t> lattice(observations.size());
  std::vector<HalfSet> half;
  for (const LatticeRecord& record : observations.lattices) {
    std::fill(lattice.begin() + std::ptrdiff_t(record.begin),
              lattice.begin() + std::ptrdiff_t(record.end), std::uint32_t(half.size()));
    half.push_back(half_set(record.identifier));
  }
  const IndexGroups groups = group_by_index(observations.index, lattice);
  const auto merged = merge_groups(groups, groups.in_order(observations.intensity),
                                   groups.in_order(observations.variance),
                                   groups.in_order(observations.nearness), half, weights);
  ShellParams shells;
  shells.cell = {77.061, 77.061, 37.223, 90, 90, 90};
  shells.space_group = group;
  shells.merge_anomalous = true;
  return agreement_with_truth(merged, ResolutionShells(shells), read_truth(), minimum_multiplicity);
}

TEST(SelfScaling, NanoBraggSetBeatsProcessHklWithoutReference) {
  KILOBRAGG_NEEDS_TEST_DATA();
  Observations observations = load();
  ASSERT_EQ(observations.lattices.size(), 85u);
  ASSERT_EQ(observations.size(), 26085u); // 26153 rows, 68 of them absent by screw axes
  const TruthAgreement unscaled = merge(observations, MergeWeights::Unit, 2);
  EXPECT_LT(unscaled.cc, 0.72); // what is to be gained
  const SelfScalingResult result = self_scale(observations, {});
  EXPECT_TRUE(result.converged);
  EXPECT_LE(result.cycles, 15);
  EXPECT_EQ(result.low_signal + result.low_correlation, 0);

  // The peer has CC 0.821, R1 0.200 at 73.7 %, every index measured at least twice.
  const TruthAgreement plain = merge(observations, MergeWeights::Unit, 2);
  EXPECT_GE(plain.cc, 0.88);
  EXPECT_LE(plain.r1, 0.17);
  const TruthAgreement near = merge(observations, MergeWeights::Excitation, 2);
  EXPECT_GE(near.cc, 0.90);
  EXPECT_LE(near.r1, 0.16);
  EXPECT_GE(near.completeness, 0.719); // what DIALS's predictions measured twice
  const TruthAgreement singles = merge(observations, MergeWeights::Excitation, 1);
  EXPECT_GE(singles.cc, 0.87);
  EXPECT_LE(singles.r1, 0.185);
  EXPECT_GE(singles.completeness, 0.90);
}

} // namespace
} // namespace kilobragg::merging
