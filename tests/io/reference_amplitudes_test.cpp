// Bijvoet mates of MTZ and mmCIF reflection files, whatever asymmetric unit the file uses.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/mtz.hpp"
#include "kilobragg/io/reference_amplitudes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace kilobragg::io {
namespace {

using models::Miller;

class ReferenceFile : public ::testing::Test {
protected:
  /// An mmCIF of P212121, 20 24 27, with this _refln table.
  std::string cif(const std::string& table) {
    std::ofstream(folder_ / "sf.cif")
        << "data_r\n_cell.length_a 20\n_cell.length_b 24\n_cell.length_c 27\n"
           "_cell.angle_alpha 90\n_cell.angle_beta 90\n_cell.angle_gamma 90\n"
           "_symmetry.space_group_name_H-M 'P 21 21 21'\n"
           "_diffrn_radiation_wavelength.wavelength 0.979\n"
           "loop_\n_refln.index_h\n_refln.index_k\n_refln.index_l\n"
        << table;
    return folder_ / "sf.cif";
  }
  static std::size_t at(const ReferenceAmplitudes& a, const Miller& hkl) {
    const auto found = std::find(a.hkl.begin(), a.hkl.end(), hkl);
    EXPECT_NE(found, a.hkl.end());
    return static_cast<std::size_t>(found - a.hkl.begin());
  }
  kilobragg::testing::TemporaryFolder folder_;
};

TEST_F(ReferenceFile, PairsOfACifAreExchangedWhereItsIndexIsTheInverse) {
  const auto a = read_amplitudes_cif(cif("_refln.F_meas_au\n_refln.pdbx_F_plus\n"
                                         "_refln.pdbx_F_minus\n"
                                         "1 2 3 9 10 11\n-1 -2 -4 9 20 21\n-1 -2 5 9 30 31\n"
                                         "2 3 4 9 40 ?\n2 3 5 9 ? ?\n0 2 3 9 50 54\n"));
  EXPECT_TRUE(a.apart);
  EXPECT_EQ(a.column, "pdbx_F_plus, pdbx_F_minus");
  EXPECT_DOUBLE_EQ(a.wavelength, 0.979);
  EXPECT_EQ(a.cell.c, 27);
  EXPECT_EQ(a.space_group, models::SpaceGroup("P212121"));
  ASSERT_EQ(a.hkl.size(), 5u); // 2 3 5 has no value
  EXPECT_TRUE(std::is_sorted(a.hkl.begin(), a.hkl.end()));
  EXPECT_DOUBLE_EQ(a.plus[at(a, {1, 2, 3})], 10);
  EXPECT_DOUBLE_EQ(a.minus[at(a, {1, 2, 3})], 11);
  EXPECT_DOUBLE_EQ(a.plus[at(a, {1, 2, 4})], 21); // the file's plus is of -h
  EXPECT_DOUBLE_EQ(a.minus[at(a, {1, 2, 4})], 20);
  EXPECT_DOUBLE_EQ(a.plus[at(a, {1, 2, 5})], 30); // a rotation keeps the mates
  EXPECT_DOUBLE_EQ(a.plus[at(a, {2, 3, 4})], 40);
  EXPECT_TRUE(std::isnan(a.minus[at(a, {2, 3, 4})]));
  const double centric = std::sqrt((50. * 50 + 54. * 54) / 2);
  EXPECT_DOUBLE_EQ(a.plus[at(a, {0, 2, 3})], centric);
  EXPECT_DOUBLE_EQ(a.minus[at(a, {0, 2, 3})], centric);
}

TEST_F(ReferenceFile, SingleValuesAndIntensities) {
  const std::string table = "_refln.status\n_refln.intensity_meas\n_refln.F_calc\n"
                            "1 2 3 o 100 7\n1 2 4 f -4 8\n1 2 5 x 9 9\n1 2 6 o ? 6\n";
  const auto a = read_amplitudes_cif(cif(table));
  EXPECT_FALSE(a.apart);
  EXPECT_EQ(a.column, "intensity_meas");
  ASSERT_EQ(a.hkl.size(), 2u);
  EXPECT_DOUBLE_EQ(a.plus[at(a, {1, 2, 3})], 10);
  EXPECT_DOUBLE_EQ(a.minus[at(a, {1, 2, 3})], 10);
  EXPECT_DOUBLE_EQ(a.plus[at(a, {1, 2, 4})], 0); // negative
  const auto calculated = read_amplitudes_cif(cif(table), "F_calc");
  EXPECT_DOUBLE_EQ(calculated.plus[at(calculated, {1, 2, 6})], 6);
}

TEST_F(ReferenceFile, MatesInRowsOfTheirOwnAreApart) {
  const auto a = read_amplitudes_cif(cif("_refln.F_meas_au\n1 2 3 10\n-1 -2 -3 12\n-1 -2 -4 5\n"));
  EXPECT_TRUE(a.apart);
  EXPECT_DOUBLE_EQ(a.plus[at(a, {1, 2, 3})], 10);
  EXPECT_DOUBLE_EQ(a.minus[at(a, {1, 2, 3})], 12);
  EXPECT_TRUE(std::isnan(a.plus[at(a, {1, 2, 4})]));
  // An index listed once, even outside our asymmetric unit, says nothing about mates.
  const auto b = read_amplitudes_cif(cif("_refln.F_meas_au\n1 2 3 10\n-1 -2 -4 5\n"));
  EXPECT_FALSE(b.apart);
  EXPECT_DOUBLE_EQ(b.plus[at(b, {1, 2, 4})], 5);
}

TEST_F(ReferenceFile, SaysWhatIsWrong) {
  const std::string path = cif("_refln.F_meas_au\n_refln.phase_meas\n1 2 3 10 90\n");
  EXPECT_TRUE(cif_holds_reflections(path));
  EXPECT_THROW(read_amplitudes_cif(path, "F_none"), core::Error);
  EXPECT_THROW(read_amplitudes_cif(path, "phase_meas"), core::Error);
  EXPECT_THROW(read_amplitudes_cif(cif("_refln.F_meas_au\n1 2.5 3 10\n")), core::Error);
  EXPECT_THROW(read_amplitudes_cif(cif("_refln.F_meas_au\n1 2 3 ?\n")), core::Error);
  EXPECT_THROW(read_amplitudes_cif(cif("_refln.phase_meas\n1 2 3 10\n")), core::Error);
  std::ofstream(folder_ / "atoms.cif") << "data_a\nloop_\n_atom_site.Cartn_x\n1.0\n";
  EXPECT_FALSE(cif_holds_reflections(folder_ / "atoms.cif"));
  EXPECT_THROW(read_amplitudes_cif(folder_ / "atoms.cif"), core::Error);
}

TEST_F(ReferenceFile, PairsOfAnMtzComeBack) {
  const models::UnitCell cell{20, 24, 27, 90, 90, 90};
  const models::SpaceGroup group("P212121");
  const std::vector<Miller> hkl{{1, 2, 3}, {1, 2, 4}, {2, 1, 1}};
  write_amplitude_pairs_mtz(cell, group, 0.979, hkl, {10, 20, 30}, {11, 21, 31}, folder_ / "f.mtz");
  const auto a = read_amplitudes_mtz(folder_ / "f.mtz");
  EXPECT_TRUE(a.apart);
  EXPECT_EQ(a.column, "F(+), F(-)");
  EXPECT_NEAR(a.wavelength, 0.979, 1e-5);
  ASSERT_EQ(a.hkl, hkl);
  EXPECT_DOUBLE_EQ(a.plus[1], 20);
  EXPECT_DOUBLE_EQ(a.minus[1], 21);
  const auto by_minus = read_amplitudes_mtz(folder_ / "f.mtz", "F(-)");
  EXPECT_EQ(by_minus.plus, a.plus); // the label names the pair
  const auto mean = read_amplitudes_mtz(folder_ / "f.mtz", "F");
  EXPECT_FALSE(mean.apart);
  EXPECT_NEAR(mean.plus[1], std::sqrt((20. * 20 + 21. * 21) / 2), 1e-5);
  EXPECT_EQ(mean.plus, mean.minus);
  EXPECT_THROW(read_amplitudes_mtz(folder_ / "f.mtz", "FNONE"), core::Error);
}

} // namespace
} // namespace kilobragg::io
