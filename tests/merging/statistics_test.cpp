// Shells, tables and figures of merit.
#include "kilobragg/core/error.hpp"
#include "kilobragg/merging/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kilobragg::merging {
namespace {

ShellParams lysozyme(bool merge_anomalous) {
  ShellParams p;
  p.cell = {78, 78, 38, 90, 90, 90};
  p.space_group = models::SpaceGroup("P43212");
  p.merge_anomalous = merge_anomalous;
  return p;
}

TEST(Shells, HoldWhatCctbxCounts) {
  const ResolutionShells shells(lysozyme(false));
  const std::int64_t counts[] = {1513, 1518, 1520, 1497, 1524, 1512, 1540, 1496, 1524, 1487};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(shells.possible(i), counts[i]);
  EXPECT_EQ(shells.total_possible(), 15131);
  EXPECT_EQ(shells.range(0), "-1.0000 -  4.3089");
  EXPECT_EQ(shells.range(9), " 2.0715 -  2.0000");
  std::int64_t centric = 0; // count once, acentric ones twice
  const ShellParams p = lysozyme(true);
  for (const models::Miller& hkl : p.space_group.unique_indices(p.cell, p.d_min))
    centric += p.space_group.is_centric(hkl);
  EXPECT_EQ(2 * ResolutionShells(p).total_possible() - centric, 15131);
}

TEST(Shells, EdgesAndOutside) {
  ShellParams p = lysozyme(true);
  p.d_max = 20;
  const ResolutionShells shells(p);
  EXPECT_EQ(shells.shell_of({1, 1, 0, 0}), -1);  // 55 A
  EXPECT_EQ(shells.shell_of({39, 0, 0, 0}), 9);  // 2.0 A exactly
  EXPECT_EQ(shells.shell_of({39, 1, 0, 0}), -1); // finer
  EXPECT_EQ(shells.possible_up_to(9, 1.0), shells.possible(9));
  EXPECT_EQ(shells.possible_up_to(9, 0.1), 0);
  p.d_max = 1.5;
  EXPECT_THROW(ResolutionShells{p}, core::Error);
}

MergedIndex merged(std::int16_t h, double odd, double even, double sigma, int n = 2) {
  MergedIndex m;
  m.index = {h, 0, 0, 0};
  const auto fill = [&](MergedSet& set, double intensity, int count) {
    set.n = set.positive = count;
    set.intensity = intensity;
    set.sigma = sigma;
    set.weight = count;
  };
  fill(m.odd, odd, n);
  fill(m.even, even, n);
  fill(m.all, 0.5 * (odd + even), 2 * n);
  return m;
}

TEST(Agreement, ByHand) {
  ShellParams p = lysozyme(true);
  p.n_bins = 1;
  const ResolutionShells shells(p);
  const std::vector<MergedIndex> data{merged(4, 10, 12, 1), merged(6, 30, 26, 1),
                                      merged(8, 20, 22, 1), merged(10, 5, 90, 1, 1)};
  const AgreementTable table = agreement_table(data, shells, nullptr, 2);
  const AgreementRow& row = table.total;
  EXPECT_EQ(row.n_int, 3); // the last is measured once per half
  const double k = (10 * 12 + 30 * 26 + 20 * 22) / double(144 + 676 + 484);
  EXPECT_NEAR(row.scale_int, k, 1e-12);
  EXPECT_NEAR(row.r_int,
              (std::abs(10 - 12 * k) + std::abs(30 - 26 * k) + std::abs(20 - 22 * k)) / 60, 1e-12);
  EXPECT_NEAR(row.r_split, std::sqrt(2.0) * (2 + 4 + 2) / (22 + 56 + 42), 1e-12);
  const double squared =
      std::pow(10 - 12 * k, 2) + std::pow(30 - 26 * k, 2) + std::pow(20 - 22 * k, 2);
  EXPECT_NEAR(row.split_sigma, squared / (3 * (1 + k * k)), 1e-12);
  // Pearson of (10, 30, 20) and (12, 26, 22).
  EXPECT_NEAR(row.cc_int, (-10.0 * -8 + 10 * 6) / std::sqrt(200.0 * (64 + 36 + 4)), 1e-12);
}

TEST(IntensityTable, CountsMultiplicityAndSigns) {
  ShellParams p = lysozyme(true);
  p.n_bins = 1;
  const ResolutionShells shells(p);
  std::vector<MergedIndex> data{merged(4, 10, 12, 1), merged(6, 30, 26, 2, 1)};
  data[1].odd.positive = 0;
  data[1].odd.negative = 1;
  const IntensityTable odd = intensity_table(data, shells, SetChoice::Odd, 2);
  EXPECT_EQ(odd.total.observed, 1);
  EXPECT_EQ(odd.total.measurements, 2);
  EXPECT_EQ(odd.positive, 2);
  EXPECT_EQ(odd.negative, 1);
  const IntensityTable all = intensity_table(data, shells, SetChoice::All, 2);
  EXPECT_EQ(all.total.observed, 2);
  EXPECT_DOUBLE_EQ(all.total.multiplicity_observed(), 3);
  EXPECT_DOUBLE_EQ(all.total.mean_intensity(), 19.5);
  EXPECT_DOUBLE_EQ(all.total.mean_snr(), (11 + 14) / 2.0);
}

TEST(Truth, ScaleAndBDoNotMatter) {
  ShellParams p = lysozyme(true);
  const ResolutionShells shells(p);
  ReferenceTable truth;
  std::vector<MergedIndex> data;
  double value = 1;
  for (const models::Miller& hkl : p.space_group.unique_indices(p.cell, 2.0)) {
    value = std::fmod(value * 16807, 2147483647.0);
    truth.hkl.push_back(hkl);
    truth.intensity.push_back(-std::log((value + 1) / 2147483648.0));
    if (truth.hkl.size() % 4 == 0) continue;
    MergedIndex m = merged(0, 0, 0, 1);
    m.index = {static_cast<std::int16_t>(hkl.h), static_cast<std::int16_t>(hkl.k),
               static_cast<std::int16_t>(hkl.l), 0};
    m.all.intensity = 3 * truth.intensity.back() * std::exp(-0.5 * 12 * shells.inv_d2(m.index));
    data.push_back(m);
  }
  const TruthAgreement a = agreement_with_truth(data, shells, truth, 2);
  EXPECT_NEAR(a.cc, 1, 1e-3);
  EXPECT_NEAR(a.b_factor, 12, 0.3);
  EXPECT_LT(a.r1, 0.02);
  EXPECT_NEAR(a.completeness, 0.75, 1e-3);
  for (MergedIndex& m : data) m.all.intensity = -m.all.intensity;
  EXPECT_NEAR(agreement_with_truth(data, shells, truth, 2).r1, 1, 1e-9);
}

TEST(Cells, MeanDeviationAndHistogram) {
  std::vector<models::UnitCell> cells;
  for (int i = 0; i < 5; ++i) cells.push_back({78.0 + 0.1 * i, 78, 38, 90, 90, 90});
  const CellStatistics s = cell_statistics(cells);
  EXPECT_NEAR(s.mean.a, 78.2, 1e-9);
  EXPECT_NEAR(s.edges[0].deviation, std::sqrt(0.1 / 4), 1e-9);
  EXPECT_EQ(s.edges[0].slots.front(), 1);
  EXPECT_EQ(s.edges[0].slots.back(), 1);
  EXPECT_EQ(s.edges[1].slots.front(), 5); // no width: all in the first
}

} // namespace
} // namespace kilobragg::merging
