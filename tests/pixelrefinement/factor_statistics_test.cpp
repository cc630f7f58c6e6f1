// Figures of merit of structure factors against sums by hand, merge's own tables and known errors.
#include "kilobragg/core/error.hpp"
#include "kilobragg/pixelrefinement/factor_statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace kilobragg::pixelrefinement {
namespace {

using merging::AsuIndex;
using merging::MergedIndex;
using merging::MergedSet;
using merging::ResolutionShells;

const models::UnitCell cell{50, 60, 70, 90, 90, 90};
const models::SpaceGroup group("P 21 21 21");

ResolutionShells shells_of(int n_bins, bool merge_anomalous = false) {
  return ResolutionShells({.cell = cell,
                           .space_group = group,
                           .d_min = 3,
                           .d_max = {},
                           .n_bins = n_bins,
                           .merge_anomalous = merge_anomalous});
}

MergedSet set(double intensity, double sigma) {
  MergedSet s;
  s.n = 1;
  s.intensity = intensity;
  s.sigma = sigma;
  s.weight = 1;
  return s;
}

/// A truth with mates apart: acentric intensities exponential, mates 10 % apart.
FactorTable wilson_truth(bool apart) {
  FactorTable truth = make_factor_table(cell, group, 3, apart);
  std::mt19937 random(3);
  std::exponential_distribution<double> intensity(1);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const bool is_mate = truth.index[i].minus != 0;
    truth.f[i] = is_mate ? truth.f[i - 1] * std::exp(0.1 * normal(random))
                         : 100 * std::sqrt(intensity(random));
  }
  return truth;
}

/// What refinement might give: ln F off by sigma times a normal deviate, on another scale with another B.
FactorTable refined(const FactorTable& truth, unsigned seed, double sigma) {
  FactorTable table = truth;
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double d = cell.d(table.index[i].miller());
    table.sigma[i] = sigma * (1 + 0.5 * double(i % 3));
    table.f[i] *= 0.3 * std::exp(-5 / (4 * d * d) + table.sigma[i] * normal(random));
    table.measured[i] = i % 7 != 0;
  }
  return table;
}

TEST(FactorStatistics, ByHand) {
  const ResolutionShells shells = shells_of(1);
  const AsuIndex a{1, 2, 3, 0}, a_mate{1, 2, 3, 1}, b{2, 3, 4, 0}, b_mate{2, 3, 4, 1},
      c{3, 4, 5, 0}, c_mate{3, 4, 5, 1};
  const std::vector<MergedIndex> merged{
      {a, set(16, 2), set(16, 1), set(25, 1)}, {a_mate, set(9, 1), set(9, 1), set(9, 1)},
      {b, set(4, 1), set(4, 1), set(1, 1)},    {b_mate, set(1, 1), set(9, 1), set(4, 1)},
      {c, set(-3, 1), set(-1, 1), set(0, 1)},  {c_mate, set(25, 5), set(36, 1), set(49, 1)},
      {{9, 9, 9, 0}, {}, set(1, 1), {}}};
  const auto row = factor_statistics(merged, shells, nullptr, 1).total;
  EXPECT_EQ(row.observed, 6);
  EXPECT_EQ(row.possible, shells.total_possible());
  EXPECT_DOUBLE_EQ(row.mean_f_over_sigma, (16 + 18 + 8 + 2 + 0 + 10) / 6.0);
  EXPECT_EQ(row.halves, 6);
  // F of the halves: 4 3 2 3 0 6 and 5 3 1 2 0 7.
  const double k = (20 + 9 + 2 + 6 + 42) / double(25 + 9 + 1 + 4 + 49);
  const double difference = std::abs(4 - 5 * k) + std::abs(3 - 3 * k) + std::abs(2 - k) +
                            std::abs(3 - 2 * k) + std::abs(6 - 7 * k);
  EXPECT_NEAR(row.r1_half, difference / 18, 1e-12);
  const double mean1 = 3, mean2 = 3;
  double s11 = 0, s22 = 0, s12 = 0;
  const double f1[] = {4, 3, 2, 3, 0, 6}, f2[] = {5, 3, 1, 2, 0, 7};
  for (int i = 0; i < 6; ++i) {
    s11 += (f1[i] - mean1) * (f1[i] - mean1), s22 += (f2[i] - mean2) * (f2[i] - mean2);
    s12 += (f1[i] - mean1) * (f2[i] - mean2);
  }
  EXPECT_NEAR(row.cc_half_f, s12 / std::sqrt(s11 * s22), 1e-12);
  // Differences of mates: 1 -1 -6 and 2 -1 -7, both of mean -2.
  EXPECT_EQ(row.anomalous_half.pairs, 3);
  EXPECT_NEAR(row.anomalous_half.cc, (3 * 4 + 1 * 1 + 4 * 5) / std::sqrt(26.0 * 42.0), 1e-12);
  EXPECT_EQ(row.anomalous_truth.pairs, 0);
  EXPECT_EQ(row.pulls.count, 0);
  EXPECT_EQ(factor_statistics(merged, shells, nullptr, 2).total.observed, 0);
}

TEST(FactorStatistics, PullsTellErrorsThatAreRight) {
  const FactorTable truth = wilson_truth(true);
  const auto merged =
      as_merged(refined(truth, 1, 0.05), refined(truth, 2, 0.07), refined(truth, 3, 0.07));
  const auto s = factor_statistics(merged, shells_of(5), &truth, 1);
  const Pulls& pulls = s.total.pulls;
  EXPECT_EQ(pulls.count, s.total.observed);
  const double n = double(pulls.count);
  // Scale and B are fitted to shells' sums, and sigma(F) follows the F that was drawn: a bias of F by sigma^2.
  EXPECT_NEAR(pulls.mean, 0, 0.15);
  EXPECT_NEAR(pulls.rms, 1, 4 / std::sqrt(2 * n) + 0.01);
  EXPECT_NEAR(pulls.half_width, 1, 6 / std::sqrt(2 * n) + 0.01);
  EXPECT_NEAR(s.truth.b_factor, 5, 0.5);
  EXPECT_NEAR(s.truth.log_scale, 2 * std::log(0.3), 0.03);
  FactorTable bold = refined(truth, 1, 0.05);
  for (double& sigma : bold.sigma) sigma /= 2;
  for (const std::size_t i : {1u, 50u, 100u, 150u, 200u}) bold.f[i] /= 3;
  const auto too_small = factor_statistics(as_merged(bold, {}, {}), shells_of(5), &truth, 1);
  EXPECT_NEAR(too_small.total.pulls.half_width, 2 * pulls.half_width, 0.05);
  EXPECT_GT(too_small.total.pulls.rms, 2 * pulls.rms + 0.1) << "outliers";
}

TEST(FactorStatistics, AgreesWithMergesFunctions) {
  const FactorTable truth = wilson_truth(true);
  const auto merged =
      as_merged(refined(truth, 1, 0.2), refined(truth, 2, 0.3), refined(truth, 3, 0.3));
  const ResolutionShells shells = shells_of(4);
  const auto s = factor_statistics(merged, shells, &truth, 1);
  const auto reference = reference_of(truth);
  const auto known = merging::agreement_with_truth(merged, shells, reference, 1);
  EXPECT_EQ(s.total.truth.cc, known.cc);
  EXPECT_EQ(s.total.truth.r1, known.r1);
  const auto halves = merging::agreement_table(merged, shells, nullptr, 1);
  ASSERT_EQ(s.shells.size(), 4u);
  std::int64_t observed = 0, common = 0, pulls = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(s.shells[i].halves, halves.shells[i].n_int);
    EXPECT_EQ(s.shells[i].cc_half, halves.shells[i].cc_int);
    EXPECT_EQ(s.shells[i].r_split, halves.shells[i].r_split);
    observed += s.shells[i].observed;
    common += s.shells[i].truth.common;
    pulls += s.shells[i].pulls.count;
  }
  EXPECT_EQ(s.total.cc_half, halves.total.cc_int);
  EXPECT_EQ(s.total.observed, observed);
  EXPECT_EQ(s.total.truth.common, common);
  EXPECT_EQ(s.total.pulls.count, pulls);
  const auto table = merging::intensity_table(merged, shells, merging::SetChoice::All, 1);
  EXPECT_EQ(table.total.observed, observed);
  EXPECT_NEAR(s.total.mean_f_over_sigma, 2 * table.total.mean_snr(), 1e-9);
  EXPECT_DOUBLE_EQ(s.total.completeness(), table.total.completeness());
  EXPECT_EQ(pulls_of(merged, shells, truth, 1).size(), std::size_t(pulls));
}

// R1 of one shell from its own amplitudes and the scale of all shells.
TEST(FactorStatistics, ShellsHaveTheScaleOfAll) {
  const FactorTable truth = wilson_truth(false);
  const auto merged = as_merged(refined(truth, 1, 0.2), {}, {});
  const ResolutionShells shells = shells_of(4, true);
  const auto s = factor_statistics(merged, shells, &truth, 1);
  double difference = 0, sum = 0;
  for (std::size_t i = 0; i < merged.size(); ++i) {
    if (merged[i].all.n == 0 || shells.shell_of(merged[i].index) != 2) continue;
    const double scale =
        std::exp(s.truth.log_scale - 0.5 * s.truth.b_factor * shells.inv_d2(merged[i].index));
    difference += std::abs(std::sqrt(merged[i].all.intensity / scale) - truth.f[i]);
    sum += truth.f[i];
  }
  EXPECT_NEAR(s.shells[2].truth.r1, difference / sum, 1e-12);
  EXPECT_GT(s.shells[2].truth.r1, 0.1);
}

TEST(FactorStatistics, AnomalousSignalAgainstTheTruth) {
  const FactorTable truth = wilson_truth(true);
  const auto good =
      factor_statistics(as_merged(refined(truth, 1, 0.001), {}, {}), shells_of(3), &truth, 1);
  EXPECT_GT(good.total.anomalous_truth.pairs, 1000);
  EXPECT_GT(good.total.anomalous_truth.cc, 0.999);
  // Differences of 10 % under errors of sqrt(2) * 20 %, alike in all shells.
  const auto poor =
      factor_statistics(as_merged(refined(truth, 1, 0.2 / 1.5), {}, {}), shells_of(3), &truth, 1);
  EXPECT_NEAR(poor.total.anomalous_truth.cc, 0.34, 0.08);
  EXPECT_EQ(poor.total.anomalous_half.pairs, 0);
  // A truth without mates: no differences, all the rest.
  const FactorTable mean = wilson_truth(false);
  const auto single =
      factor_statistics(as_merged(refined(truth, 1, 0.01), {}, {}), shells_of(3), &mean, 1);
  EXPECT_EQ(single.total.anomalous_truth.cc, 0);
  EXPECT_GT(single.total.truth.common, 1000);
}

TEST(FactorStatistics, MergedMatesMeetTheMeanOfTheTruth) {
  FactorTable truth = wilson_truth(true);
  const auto reference = reference_of(truth);
  std::vector<MergedIndex> merged;
  for (std::size_t i = 0; i < reference.hkl.size(); ++i) {
    const auto [h, k, l] = reference.hkl[i];
    const double intensity = reference.intensity[i];
    merged.push_back({{std::int16_t(h), std::int16_t(k), std::int16_t(l), 0},
                      set(intensity, 0.01 * intensity),
                      {},
                      {}});
  }
  const auto s = factor_statistics(merged, shells_of(3, true), &truth, 1);
  EXPECT_NEAR(s.total.truth.cc, 1, 1e-9);
  EXPECT_LT(s.total.pulls.rms, 1e-6);
}

TEST(CommonSets, AreThoseOfBothSetBySet) {
  const MergedIndex one{{1, 0, 0, 0}, set(1, 1), set(2, 1), set(3, 1)};
  MergedIndex other = one;
  other.even = {};
  MergedIndex few = one;
  few.index = {2, 0, 0, 0};
  few.all.n = 5;
  MergedIndex alone = one;
  alone.index = {3, 0, 0, 0};
  const std::vector<MergedIndex> a{few, one, alone}, b{other, few};
  const auto [x, y] = common_sets(a, 2, b, 1);
  ASSERT_EQ(x.size(), 2u);
  ASSERT_EQ(y.size(), 2u);
  EXPECT_EQ(x[0].index, few.index);
  EXPECT_EQ(x[0].all.n, 5);
  EXPECT_EQ(x[0].odd.n, 0) << "one measurement where two are asked for";
  EXPECT_EQ(y[0].odd.n, 0);
  const auto [p, q] = common_sets(a, 1, b, 1);
  EXPECT_EQ(p[1].odd.intensity, 2);
  EXPECT_EQ(p[1].even.n, 0);
  EXPECT_EQ(q[1].all.intensity, 1);
}

TEST(AsMerged, NeedsOneListOfIndices) {
  const FactorTable all = make_factor_table(cell, group, 5, true);
  const FactorTable other = make_factor_table(cell, group, 6, true);
  EXPECT_THROW(as_merged(all, other, other), core::Error);
  FactorTable half = all;
  half.f[0] = 3;
  half.sigma[0] = 0.1;
  half.measured[0] = 1;
  const auto merged = as_merged(all, half, {});
  EXPECT_EQ(merged[0].all.n, 0);
  EXPECT_EQ(merged[0].odd.intensity, 9);
  EXPECT_DOUBLE_EQ(merged[0].odd.sigma, 1.8);
  EXPECT_EQ(merged[1].odd.n, 0);
}

} // namespace
} // namespace kilobragg::pixelrefinement
