// Filters of lattices and the significance cut.
#include "kilobragg/merging/filters.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kilobragg::merging {
namespace {

LatticeRecord lattice(const models::UnitCell& cell, const std::string& group, std::size_t n) {
  LatticeRecord record;
  record.cell = cell;
  record.space_group = models::SpaceGroup(group);
  record.end = n;
  return record;
}

FilterParams params() {
  FilterParams p;
  p.target_cell = {78, 78, 38, 90, 90, 90};
  p.target_space_group = models::SpaceGroup("P43212");
  return p;
}

TEST(Filters, CellWithinTolerances) {
  const auto check = [](const models::UnitCell& cell) {
    return check_lattice(lattice(cell, "P43212", 50), 0.25, params());
  };
  EXPECT_EQ(check({78, 78, 38, 90, 90, 90}), Rejection::None);
  EXPECT_EQ(check({85, 78, 38, 90, 90, 90}), Rejection::None);
  EXPECT_EQ(check({87, 78, 38, 90, 90, 90}), Rejection::UnitCell);
  EXPECT_EQ(check({78, 78, 34, 90, 90, 90}), Rejection::UnitCell);
  EXPECT_EQ(check({78, 78, 38, 90, 91.9, 90}), Rejection::None);
  EXPECT_EQ(check({78, 78, 38, 90, 92.1, 90}), Rejection::UnitCell);
}

TEST(Filters, PattersonGroupsMustAgree) {
  const models::UnitCell cell{78, 78, 38, 90, 90, 90};
  EXPECT_EQ(check_lattice(lattice(cell, "P4/mmm", 50), 0.25, params()), Rejection::None);
  EXPECT_EQ(check_lattice(lattice(cell, "P4", 50), 0.25, params()), Rejection::SpaceGroup);
  FilterParams off = params();
  off.unit_cell = false;
  EXPECT_EQ(check_lattice(lattice(cell, "P4", 50), 0.25, off), Rejection::None);
}

TEST(Filters, CountAndResolution) {
  const models::UnitCell cell{78, 78, 38, 90, 90, 90};
  FilterParams p = params();
  p.n_obs = true;
  p.n_obs_max = 100;
  EXPECT_EQ(check_lattice(lattice(cell, "P43212", 14), 0.25, p), Rejection::ObservationCount);
  EXPECT_EQ(check_lattice(lattice(cell, "P43212", 15), 0.25, p), Rejection::None);
  EXPECT_EQ(check_lattice(lattice(cell, "P43212", 101), 0.25, p), Rejection::ObservationCount);
  p.resolution = true;
  p.resolution_d_min = 2;
  EXPECT_EQ(check_lattice(lattice(cell, "P43212", 50), 0.2499, p), Rejection::Resolution);
  EXPECT_EQ(check_lattice(lattice(cell, "P43212", 50), 0.2501, p), Rejection::None);
}

// One lattice with indices along c* and a given I/sigma each.
Observations line_of(const std::vector<double>& snr) {
  Observations o;
  LatticeRecord record;
  record.end = snr.size();
  o.lattices.push_back(record);
  for (std::size_t i = 0; i < snr.size(); ++i) {
    o.index.push_back({0, 0, static_cast<std::int16_t>(i + 1), 0});
    o.intensity.push_back(static_cast<float>(10 * snr[i]));
    o.variance.push_back(100);
    o.inv_d2.push_back(0);
    o.nearness.push_back(1);
  }
  return o;
}

SignificanceParams significance() {
  SignificanceParams p;
  p.cell = {50, 50, 50, 90, 90, 90};
  p.sigma = 1;
  return p;
}

TEST(Significance, CutsAtTheFirstWeakShell) {
  // 40 observations: four shells; equal volume, so the finest of 1..40 are in the last.
  std::vector<double> snr(40, 5);
  for (std::size_t i = 36; i < 40; ++i)
    snr[i] = 0; // beyond the last shell's edge at 40 (3/4)^(1/3) = 36.3
  Observations o = line_of(snr);
  const auto counts = apply_significance_filter(o, significance());
  EXPECT_EQ(counts.lattices, 0);
  EXPECT_EQ(counts.observations, 4);
  EXPECT_EQ(o.size(), 36u);
  EXPECT_EQ(o.lattices[0].end, 36u);
}

TEST(Significance, ALatticeWithNothingSignificantGoes) {
  Observations o = line_of(std::vector<double>(20, 0.5));
  const auto counts = apply_significance_filter(o, significance());
  EXPECT_EQ(counts.lattices, 1);
  EXPECT_EQ(counts.observations, 20);
  EXPECT_TRUE(o.lattices.empty());
}

TEST(Significance, TheLimitIsReadFromFourDecimals) {
  // d of the last index: 50 / 33 = 1.515151..., printed 1.5152, which is coarser: it is lost.
  Observations o = line_of(std::vector<double>(33, 5));
  EXPECT_EQ(apply_significance_filter(o, significance()).observations, 1);
  // 50 / 32 = 1.5625 exactly; a whisker finer after widening, printed 1.5625, and kept.
  Observations exact = line_of(std::vector<double>(32, 5));
  EXPECT_EQ(apply_significance_filter(exact, significance()).observations, 0);
}

} // namespace
} // namespace kilobragg::merging
