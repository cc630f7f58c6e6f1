// Amplitudes from MTZ and from coordinates, the latter against direct summation over atoms.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/io/mtz.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <gemmi/it92.hpp>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <fstream>

namespace kilobragg::structure_factors {
namespace {

struct Atom {
  const char* element;
  double x, y, z, b; ///< angstrom
};
const std::vector<Atom> atoms{{"C", 3.1, 4.2, 5.3, 12},   {"N", 6.5, 1.1, 9.7, 18},
                              {"O", 10.4, 8.8, 2.2, 25},  {"S", 14.9, 12.3, 16.1, 15},
                              {"C", 1.7, 13.9, 11.4, 20}, {"O", 17.0, 6.0, 20.5, 30}};
const models::UnitCell cell{21, 24, 27, 90, 90, 90};
const models::SpaceGroup group("P212121");

void write_pdb(const std::string& path) {
  std::ofstream out(path);
  out << fmt::format("CRYST1{:9.3f}{:9.3f}{:9.3f}{:7.2f}{:7.2f}{:7.2f} {:<11}{:4d}\n", cell.a,
                     cell.b, cell.c, 90.0, 90.0, 90.0, "P 21 21 21", 4);
  int serial = 0;
  for (const Atom& a : atoms) {
    ++serial;
    out << fmt::format("ATOM  {:5d}  {:<3} ALA A{:4d}    {:8.3f}{:8.3f}{:8.3f}{:6.2f}{:6.2f}"
                       "          {:>2}\n",
                       serial, a.element, serial, a.x, a.y, a.z, 1.0, a.b, a.element);
  }
  out << "END\n";
}

// F by the textbook sum over all atoms and symmetry operations.
double direct_sum(const models::Miller& hkl) {
  const double inv_d2 = 1 / std::pow(cell.d(hkl), 2);
  std::complex<double> f;
  for (const Atom& a : atoms) {
    const auto& table = gemmi::IT92<double>::get(gemmi::Element(a.element).elem);
    const double weight = table.calculate_sf(inv_d2 / 4) * std::exp(-a.b * inv_d2 / 4);
    const double x[3] = {a.x / cell.a, a.y / cell.b, a.z / cell.c};
    for (const auto& op : group.operations()) {
      double phase = 0;
      const int h[3] = {hkl.h, hkl.k, hkl.l};
      for (std::size_t i = 0; i < 3; ++i) {
        double position = op.translation[i] / 24.0;
        for (std::size_t j = 0; j < 3; ++j) position += op.rotation[3 * i + j] * x[j];
        phase += h[i] * position;
      }
      f += weight * std::polar(1.0, 2 * core::pi * phase);
    }
  }
  return std::abs(f);
}

TEST(FromCoordinates, IsTheDirectSum) {
  const kilobragg::testing::TemporaryFolder folder;
  write_pdb(folder / "atoms.pdb");
  CoordinateParams params;
  params.d_min = 1.8;
  params.bulk_solvent = false;
  const Amplitudes a = from_coordinates(folder / "atoms.pdb", params);
  EXPECT_EQ(a.space_group, group);
  ASSERT_GT(a.hkl.size(), 1000u);
  double difference = 0, sum = 0;
  for (std::size_t i = 0; i < a.hkl.size(); ++i) {
    const double expected = direct_sum(a.hkl[i]);
    difference += std::abs(a.f[i] - expected);
    sum += expected;
  }
  EXPECT_LT(difference / sum, 2e-3);
}

TEST(FromCoordinates, BulkSolventChangesLowResolutionOnly) {
  const kilobragg::testing::TemporaryFolder folder;
  write_pdb(folder / "atoms.pdb");
  CoordinateParams params;
  params.d_min = 1.5;
  const Amplitudes wet = from_coordinates(folder / "atoms.pdb", params);
  params.bulk_solvent = false;
  const Amplitudes dry = from_coordinates(folder / "atoms.pdb", params);
  double low = 0, high = 0;
  int low_count = 0, high_count = 0;
  for (std::size_t i = 0; i < wet.hkl.size(); ++i) {
    const double d = cell.d(wet.hkl[i]), change = std::abs(wet.f[i] - dry.f[i]);
    if (d > 6) low += change, ++low_count;
    if (d < 2) high += change, ++high_count;
  }
  EXPECT_GT(low / low_count, 10);
  EXPECT_LT(high / high_count, 0.5);
}

TEST(FromCoordinates, SaysWhatIsWrong) {
  const kilobragg::testing::TemporaryFolder folder;
  EXPECT_THROW(from_coordinates(folder / "absent.pdb", {}), core::Error);
  EXPECT_THROW(from_coordinates(folder / "structure.cif", {}), core::Error);
  std::ofstream(folder / "empty.pdb") << "REMARK nothing\nEND\n";
  EXPECT_THROW(from_coordinates(folder / "empty.pdb", {}), core::Error);
}

TEST(FromMtz, ReadsBackWhatWasWritten) {
  const kilobragg::testing::TemporaryFolder folder;
  const Amplitudes a = random_wilson(cell, group, 3, 4);
  io::write_amplitudes_mtz(a.cell, a.space_group, 1.3, a.hkl, a.f, folder / "f.mtz");
  const Amplitudes b = from_mtz(folder / "f.mtz");
  ASSERT_EQ(b.hkl, a.hkl);
  for (std::size_t i = 0; i < a.f.size(); ++i) EXPECT_NEAR(b.f[i], a.f[i], 1e-6 * a.f[i]);
  EXPECT_THROW(from_mtz(folder / "f.mtz", "FNONE"), core::Error);
}

} // namespace
} // namespace kilobragg::structure_factors
