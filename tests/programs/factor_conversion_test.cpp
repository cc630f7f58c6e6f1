// Structure factors go to an MTZ and come back as the table that they were.
#include "factor_conversion.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::programs {
namespace {

using pixelrefinement::FactorTable;

FactorTable sample(bool apart) {
  FactorTable table = pixelrefinement::make_factor_table(
      {20, 24, 27, 90, 90, 90}, models::SpaceGroup("P 21 21 21"), 4, apart);
  for (std::size_t i = 0; i < table.size(); ++i) {
    table.f[i] = 10 + double(i);
    table.sigma[i] = 0.01 * double(1 + i % 5);
    table.measured[i] = i % 3 != 0;
  }
  return table;
}

TEST(FactorConversion, ATableComesBackFromItsFile) {
  const testing::TemporaryFolder folder;
  for (const bool apart : {false, true}) {
    const FactorTable table = sample(apart);
    io::FactorsMtz mtz;
    mtz.cell = table.cell;
    mtz.space_group = table.space_group;
    mtz.anomalous = apart;
    mtz.rows = rows_of(table, {}, {});
    io::write_factors_mtz(mtz, folder / "f.mtz");
    const FactorTable back = table_of(io::read_amplitudes_mtz(folder / "f.mtz"));
    EXPECT_EQ(back.bijvoet_apart, apart);
    std::size_t at = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (table.measured[i] == 0) continue;
      ASSERT_LT(at, back.size());
      EXPECT_EQ(back.index[at], table.index[i]);
      EXPECT_NEAR(back.f[at] / table.f[i], 1, 1e-6);
      EXPECT_NEAR(back.sigma[at] / table.sigma[i], 1, 1e-6);
      ++at;
    }
    EXPECT_EQ(back.size(), at);
  }
}

TEST(FactorConversion, MatesShareARow) {
  const FactorTable table = sample(true);
  const auto i = static_cast<std::size_t>(table.row_of({1, 2, 3}));
  std::vector<std::int64_t> observations(table.size());
  std::vector<double> priors(table.size(), 2);
  observations[i] = 5;
  observations[i + 1] = 7;
  priors[i + 1] = 4;
  const auto rows = rows_of(table, observations, priors);
  const auto row = std::find_if(rows.begin(), rows.end(), [](const io::FactorRow& r) {
    return r.hkl == models::Miller{1, 2, 3};
  });
  ASSERT_NE(row, rows.end());
  EXPECT_EQ(row->observations, 12);
  EXPECT_DOUBLE_EQ(row->prior, std::sqrt(10.0));
  for (const auto& [value, at] : {std::pair{row->plus, i}, std::pair{row->minus, i + 1}}) {
    EXPECT_EQ(std::isnan(value.f), table.measured[at] == 0);
    if (table.measured[at] == 0) continue;
    EXPECT_DOUBLE_EQ(value.sigma, table.f[at] * table.sigma[at]);
  }
  EXPECT_EQ(rows.size(), table.space_group.unique_indices(table.cell, 4).size());
}

TEST(FactorConversion, WhatIsNotPositiveIsNoFactor) {
  io::ReferenceAmplitudes amplitudes;
  amplitudes.hkl = {{1, 2, 3}, {1, 2, 4}};
  amplitudes.plus = amplitudes.minus = {0, 5};
  amplitudes.sigma_plus = amplitudes.sigma_minus = {1, std::nan("")};
  const FactorTable table = table_of(amplitudes);
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table.f[0], 5);
  EXPECT_EQ(table.sigma[0], 1) << "unknown";
}

} // namespace
} // namespace kilobragg::programs
