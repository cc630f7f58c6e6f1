// Amplitudes from files of every kind; those from coordinates against direct summation over atoms.
#include "reference/direct_structure_factors.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/mtz.hpp"
#include "kilobragg/structure_factors/load.hpp"

#include <gemmi/it92.hpp>
#include <gemmi/pdb.hpp>
#include <gemmi/sfcalc.hpp>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <complex>
#include <fstream>

namespace kilobragg::structure_factors {
namespace {

using kilobragg::testing::direct_factor;
using kilobragg::testing::DirectAtom;
using kilobragg::testing::DirectStructure;

const models::UnitCell cell{21, 24, 27, 90, 90, 90};
const models::SpaceGroup group("P212121");
const DirectStructure structure{cell,
                                group,
                                {{"C", 3.1 / 21, 4.2 / 24, 5.3 / 27, 12},
                                 {"N", 6.5 / 21, 1.1 / 24, 9.7 / 27, 18},
                                 {"O", 10.4 / 21, 8.8 / 24, 2.2 / 27, 25},
                                 {"Se", 14.9 / 21, 12.3 / 24, 16.1 / 27, 15},
                                 {"C", 1.7 / 21, 13.9 / 24, 11.4 / 27, 20},
                                 {"O", 17.0 / 21, 6.0 / 24, 20.5 / 27, 30}}};

Vec3 cartesian(const DirectAtom& atom, const models::UnitCell& in) {
  const Mat3 axes = inverse(in.b_matrix()); // rows a, b, c
  return atom.x * axes.row(0) + atom.y * axes.row(1) + atom.z * axes.row(2);
}

void write_pdb(const std::string& path, const DirectStructure& what = structure) {
  std::ofstream out(path);
  const auto& c = what.cell;
  out << fmt::format("CRYST1{:9.3f}{:9.3f}{:9.3f}{:7.2f}{:7.2f}{:7.2f} {:<11}{:4d}\n", c.a, c.b,
                     c.c, c.alpha, c.beta, c.gamma, what.group.hm(), 4);
  int serial = 0;
  for (const DirectAtom& a : what.atoms) {
    ++serial;
    const Vec3 at = cartesian(a, c);
    out << fmt::format("ATOM  {:5d} {:>2}   ALA A{:4d}    {:8.3f}{:8.3f}{:8.3f}{:6.2f}{:6.2f}"
                       "          {:>2}\n",
                       serial, a.element, serial, at.x, at.y, at.z, a.occupancy, a.b, a.element);
  }
  out << "END\n";
}

/// The same as mmCIF, as the PDB writes it.
std::string mmcif_text(const DirectStructure& what) {
  const auto& c = what.cell;
  std::string text = fmt::format(
      "data_ATOMS\n#\n_cell.entry_id ATOMS\n_cell.length_a {}\n_cell.length_b {}\n"
      "_cell.length_c {}\n_cell.angle_alpha {}\n_cell.angle_beta {}\n_cell.angle_gamma {}\n"
      "_symmetry.entry_id ATOMS\n_symmetry.space_group_name_H-M '{}'\nloop_\n",
      c.a, c.b, c.c, c.alpha, c.beta, c.gamma, what.group.hm());
  for (const char* tag :
       {"group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id",
        "label_asym_id", "label_entity_id", "label_seq_id", "Cartn_x", "Cartn_y", "Cartn_z",
        "occupancy", "B_iso_or_equiv", "auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num"})
    text += fmt::format("_atom_site.{}\n", tag);
  int serial = 0;
  for (const DirectAtom& a : what.atoms) {
    ++serial;
    const Vec3 at = cartesian(a, c);
    text += fmt::format("ATOM {0} {1} {1} . ALA A 1 {0} {2:.3f} {3:.3f} {4:.3f} {5} {6} {0} A 1\n",
                        serial, a.element, at.x, at.y, at.z, a.occupancy, a.b);
  }
  return text;
}

/// Sum of |difference| over sum of values.
double r_value(const std::vector<double>& found, const std::vector<double>& expected) {
  double difference = 0, sum = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference += std::abs(found[i] - expected[i]);
    sum += expected[i];
  }
  return difference / sum;
}

double r_value(const Amplitudes& a, const DirectStructure& what) {
  std::vector<double> expected;
  for (const auto& hkl : a.hkl) expected.push_back(std::abs(direct_factor(what, hkl)));
  return r_value(a.f, expected);
}

CoordinateParams without_solvent(double d_min) {
  CoordinateParams params;
  params.d_min = d_min;
  params.bulk_solvent = false;
  return params;
}

TEST(FromCoordinates, IsTheDirectSum) {
  const kilobragg::testing::TemporaryFolder folder;
  write_pdb(folder / "atoms.pdb");
  CoordinateParams params = without_solvent(1.8);
  const Amplitudes a = from_coordinates(folder / "atoms.pdb", params);
  EXPECT_EQ(a.space_group, group);
  ASSERT_GT(a.hkl.size(), 1000u);
  EXPECT_LT(r_value(a, structure), 5e-5);
  params.sampling = 3; // a finer grid is exacter
  EXPECT_LT(r_value(from_coordinates(folder / "atoms.pdb", params), structure),
            0.5 * r_value(a, structure));
}

// gemmi's own sum over atoms, with its own reading of the file and its own symmetry.
TEST(FromCoordinates, IsGemmisDirectSum) {
  const kilobragg::testing::TemporaryFolder folder;
  write_pdb(folder / "atoms.pdb");
  const gemmi::Structure read = gemmi::read_pdb_file(folder / "atoms.pdb");
  gemmi::StructureFactorCalculator<gemmi::IT92<double>> calculator(read.cell);
  const Amplitudes a = from_coordinates(folder / "atoms.pdb", without_solvent(2));
  std::vector<double> expected;
  for (const auto& m : a.hkl)
    expected.push_back(
        std::abs(calculator.calculate_sf_from_model(read.models[0], {{m.h, m.k, m.l}})));
  EXPECT_LT(r_value(a.f, expected), 5e-5);
}

// An asymmetric unit with negative l, and centring.
TEST(FromCoordinates, IsTheDirectSumInOtherGroups) {
  const kilobragg::testing::TemporaryFolder folder;
  for (const auto& [symbol, other] :
       {std::pair<const char*, models::UnitCell>{"P3121", {23, 23, 27, 90, 90, 120}},
        std::pair<const char*, models::UnitCell>{"C2", {31, 22, 25, 90, 105, 90}}}) {
    DirectStructure moved = structure;
    moved.cell = other;
    moved.group = models::SpaceGroup(symbol);
    write_pdb(folder / "atoms.pdb", moved);
    const Amplitudes a = from_coordinates(folder / "atoms.pdb", without_solvent(2.2));
    EXPECT_LT(r_value(a, moved), 3e-3) << symbol; // coordinates are rounded in the file
  }
}

TEST(FromCoordinates, MmcifAndGzippedFilesAreThePdbFile) {
  const kilobragg::testing::TemporaryFolder folder;
  write_pdb(folder / "atoms.pdb");
  const std::string text = mmcif_text(structure);
  std::ofstream(folder / "atoms.cif") << text;
  gzFile file = gzopen((folder / "atoms.cif.gz").c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  const CoordinateParams params = without_solvent(2.5);
  const Amplitudes pdb = from_coordinates(folder / "atoms.pdb", params);
  const Amplitudes cif = from_coordinates(folder / "atoms.cif", params);
  ASSERT_EQ(cif.hkl, pdb.hkl);
  EXPECT_EQ(cif.space_group, group);
  EXPECT_LT(r_value(cif.f, pdb.f), 1e-6);
  EXPECT_EQ(from_coordinates(folder / "atoms.cif.gz", params).f, cif.f);
}

// A mask needs a cell wider than two atoms; a peptide's of 4.9 angstrom is not.
TEST(FromCoordinates, TinyCellsHaveNoBulkSolvent) {
  const kilobragg::testing::TemporaryFolder folder;
  DirectStructure peptide = structure;
  peptide.cell = {22, 4.9, 23.5, 90, 107, 90};
  peptide.group = models::SpaceGroup("P21");
  write_pdb(folder / "atoms.pdb", peptide);
  CoordinateParams params = without_solvent(2);
  EXPECT_LT(r_value(from_coordinates(folder / "atoms.pdb", params), peptide), 3e-3);
  params.bulk_solvent = true;
  EXPECT_THROW(from_coordinates(folder / "atoms.pdb", params), core::Error);
}

TEST(PartsFromCoordinates, GiveTheDirectSumWithDispersion) {
  const kilobragg::testing::TemporaryFolder folder;
  write_pdb(folder / "atoms.pdb");
  const DispersionSource source{{{"Se", {9000, 13000}, {-7, -7}, {4, 4}}}};
  const auto parts = parts_from_coordinates(folder / "atoms.pdb", without_solvent(2), {"Se"});
  const SpectralAmplitudes a = amplitudes_at(parts, {12660}, source);
  std::vector<double> found, expected;
  for (std::size_t i = 0; i < a.hkl.size(); ++i) {
    const auto& m = a.hkl[i];
    const kilobragg::testing::DirectDispersion se{{"Se", {-7, 4}}};
    if (group.is_centric(m)) continue;
    // The differences are small, so they are what is compared.
    found.push_back(a.layers[0].plus[i] - a.layers[0].minus[i]);
    expected.push_back(std::abs(direct_factor(structure, m, se)) -
                       std::abs(direct_factor(structure, {-m.h, -m.k, -m.l}, se)));
  }
  double error = 0, size = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    error += std::abs(found[i] - expected[i]);
    size += std::abs(expected[i]);
  }
  EXPECT_GT(size / double(found.size()), 1);
  EXPECT_LT(error / size, 1e-3);
}

TEST(PartsFromCoordinates, EveryElementButHydrogenUnlessNamed) {
  const kilobragg::testing::TemporaryFolder folder;
  write_pdb(folder / "atoms.pdb");
  const auto parts = parts_from_coordinates(folder / "atoms.pdb", without_solvent(4));
  std::vector<std::string> symbols;
  for (const auto& element : parts.elements) symbols.push_back(element.symbol);
  EXPECT_EQ(symbols, (std::vector<std::string>{"C", "N", "O", "Se"}));
  EXPECT_THROW(parts_from_coordinates(folder / "atoms.pdb", without_solvent(4), {"Fe"}),
               core::Error);
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
  std::ofstream(folder / "words.txt") << "not a structure\n";
  EXPECT_THROW(from_coordinates(folder / "words.txt", {}), core::Error);
  std::ofstream(folder / "empty.cif") << "data_x\n_cell.length_a 10\n";
  EXPECT_THROW(from_coordinates(folder / "empty.cif", {}), core::Error);
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

TEST(LoadAmplitudes, TakesEveryKindOfFile) {
  const kilobragg::testing::TemporaryFolder folder;
  write_pdb(folder / "atoms.pdb");
  std::ofstream(folder / "atoms.CIF") << mmcif_text(structure);
  LoadParams params;
  params.coordinates = without_solvent(3);
  const SpectralAmplitudes pdb = load_amplitudes(folder / "atoms.pdb", params);
  EXPECT_FALSE(pdb.bijvoet());
  EXPECT_EQ(load_amplitudes(folder / "atoms.CIF", params).hkl, pdb.hkl);
  params.anomalous = true;
  EXPECT_THROW(load_amplitudes(folder / "atoms.pdb", params), core::Error); // at which energy?
  params.energies = {12600, 12700};
  const SpectralAmplitudes layers = load_amplitudes(folder / "atoms.pdb", params);
  EXPECT_TRUE(layers.bijvoet());
  ASSERT_EQ(layers.layers.size(), 2u);

  const auto& above = layers.layers[1];
  io::write_amplitude_pairs_mtz(cell, group, 0.9762, layers.hkl, above.plus, above.minus,
                                folder / "f.mtz");
  EXPECT_THROW(load_amplitudes(folder / "f.mtz", params), core::Error); // two energies
  params.energies.clear();
  const SpectralAmplitudes mtz = load_amplitudes(folder / "f.mtz", params);
  EXPECT_NEAR(mtz.layers[0].energy, 12700, 1);
  ASSERT_EQ(mtz.hkl, layers.hkl);
  EXPECT_LT(r_value(mtz.layers[0].minus, above.minus), 1e-6);
  params.column = "F"; // mates together
  EXPECT_THROW(load_amplitudes(folder / "f.mtz", params), core::Error);
  params.anomalous = false;
  EXPECT_LT(r_value(load_amplitudes(folder / "f.mtz", params).layers[0].plus, layers.merged(1).f),
            1e-6);
}

TEST(LoadAmplitudes, OneMateStandsForTheOther) {
  const kilobragg::testing::TemporaryFolder folder;
  std::ofstream(folder / "sf.cif")
      << "data_r\n_cell.length_a 20\n_cell.length_b 24\n_cell.length_c 27\n"
         "_cell.angle_alpha 90\n_cell.angle_beta 90\n_cell.angle_gamma 90\n"
         "_symmetry.space_group_name_H-M 'P 21 21 21'\nloop_\n_refln.index_h\n_refln.index_k\n"
         "_refln.index_l\n_refln.pdbx_F_plus\n_refln.pdbx_F_minus\n1 2 3 10 12\n1 2 4 ? 7\n";
  LoadParams params;
  params.anomalous = true;
  const SpectralAmplitudes a = load_amplitudes(folder / "sf.cif", params);
  EXPECT_EQ(a.find({1, 2, 3}).value(), 10);
  EXPECT_EQ(a.find({-1, -2, -3}).value(), 12);
  EXPECT_EQ(a.find({1, 2, 4}).value(), 7);
  EXPECT_EQ(a.layers[0].energy, 0); // the file does not say
  params.anomalous = false;
  EXPECT_NEAR(load_amplitudes(folder / "sf.cif", params).find({1, 2, 3}).value(), std::sqrt(122.0),
              1e-9);
}

} // namespace
} // namespace kilobragg::structure_factors
