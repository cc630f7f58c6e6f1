// simulate_stills with Bijvoet mates apart: its truth holds both, and comes back as amplitudes.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/reference_amplitudes.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

namespace kilobragg::programs {
namespace {

class SimulateAnomalous : public ::testing::Test {
protected:
  std::string path(const std::string& name) const { return folder_ / name; }

  /// One image on a small detector; the exit status, and what was said in console.txt.
  int run(const std::string& name, const std::string& arguments) const {
    const std::string command = std::string(KILOBRAGG_BUILD_DIR) +
                                "/apps/simulate_stills n_images=1 seed=5 detector.pixels=96 "
                                "detector.pixel_size=0.8 fraction.blanks=0 output.output_dir=" +
                                path(name) + " " + arguments;
    const int status = std::system((command + " > " + path("console.txt") + " 2>&1").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string said() const { return core::read_text_file(path("console.txt")); }
  io::ReferenceAmplitudes truth(const std::string& name) const {
    return io::read_amplitudes_mtz(path(name + "/run_truth.mtz"));
  }

private:
  testing::TemporaryFolder folder_;
};

/// Mean |F(+) - F(-)| over mean F.
double difference(const io::ReferenceAmplitudes& a) {
  double apart = 0, sum = 0;
  for (std::size_t i = 0; i < a.hkl.size(); ++i) {
    apart += std::abs(a.plus[i] - a.minus[i]);
    sum += (a.plus[i] + a.minus[i]) / 2;
  }
  return apart / sum;
}

TEST_F(SimulateAnomalous, TruthHoldsBothMatesAndComesBack) {
  ASSERT_EQ(run("a", "amplitudes.anomalous=True amplitudes.energies=12500,12640,12700 "
                     "beam.wavelength=0.9762"),
            0)
      << said();
  const auto a = truth("a");
  ASSERT_TRUE(a.apart);
  EXPECT_GT(difference(a), 0.01); // above the edge of selenium
  EXPECT_LT(difference(a), 0.2);
  ASSERT_EQ(run("b", "amplitudes.anomalous=True beam.wavelength=0.9762 amplitudes.file=" +
                         path("a/run_truth.mtz")),
            0)
      << said();
  EXPECT_EQ(truth("b").plus, a.plus);
  EXPECT_EQ(truth("b").minus, a.minus);
  ASSERT_EQ(run("c", "amplitudes.anomalous=True beam.wavelength=0.985"), 0) << said();
  EXPECT_LT(difference(truth("c")), 0.3 * difference(a)); // below the edge
}

TEST_F(SimulateAnomalous, ATableGoesBeforeTheFreeAtom) {
  std::ofstream(path("se.txt")) << "9000 -1 8\n14000 -1 8\n";
  ASSERT_EQ(run("a", "amplitudes.anomalous=True beam.wavelength=0.985"), 0) << said();
  ASSERT_EQ(run("b", "amplitudes.anomalous=True beam.wavelength=0.985 amplitudes.dispersion_file=" +
                         path("se.txt")),
            0)
      << said();
  EXPECT_GT(difference(truth("b")), 8 * difference(truth("a")));
}

TEST_F(SimulateAnomalous, TakesReflectionsAndCoordinatesAsMmcif) {
  const std::string head = "data_r\n_cell.length_a 21.9\n_cell.length_b 4.9\n_cell.length_c 23.5\n"
                           "_cell.angle_alpha 90\n_cell.angle_beta 107\n_cell.angle_gamma 90\n"
                           "_symmetry.space_group_name_H-M 'P 1 21 1'\nloop_\n";
  std::ofstream(path("sf.cif")) << head
                                << "_refln.index_h\n_refln.index_k\n_refln.index_l\n"
                                   "_refln.pdbx_F_plus\n_refln.pdbx_F_minus\n"
                                   "1 1 2 30 40\n1 0 2 20 20\n-3 1 4 50 60\n";
  ASSERT_EQ(run("a", "amplitudes.anomalous=True amplitudes.file=" + path("sf.cif")), 0) << said();
  EXPECT_EQ(truth("a").hkl.size(), 3u);
  EXPECT_TRUE(truth("a").apart);
  std::ofstream(path("atoms.cif"))
      << head
      << "_atom_site.group_PDB\n_atom_site.id\n_atom_site.type_symbol\n_atom_site.label_atom_id\n"
         "_atom_site.label_alt_id\n_atom_site.label_comp_id\n_atom_site.label_asym_id\n"
         "_atom_site.label_seq_id\n_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n"
         "_atom_site.occupancy\n_atom_site.B_iso_or_equiv\n_atom_site.auth_seq_id\n"
         "_atom_site.auth_asym_id\nATOM 1 SE SE . MSE A 1 1.5 2.1 7.4 1 20 1 A\n"
         "ATOM 2 C C . MSE A 1 4.5 1.1 3.4 1 20 1 A\n";
  const std::string atoms = "amplitudes.anomalous=True amplitudes.file=" + path("atoms.cif");
  EXPECT_EQ(run("r", atoms), 2); // the cell is too narrow for a mask of bulk solvent
  ASSERT_EQ(run("b", atoms + " amplitudes.bulk_solvent=False"), 0) << said();
  EXPECT_GT(difference(truth("b")), 0);
}

TEST_F(SimulateAnomalous, RefusesWhatCannotBe) {
  EXPECT_EQ(run("r", "amplitudes.energies=12000"), 2);
  EXPECT_NE(said().find("amplitudes.anomalous=True"), std::string::npos) << said();
  EXPECT_EQ(run("r", "amplitudes.anomalous=True amplitudes.energies=12000,x"), 2);
  EXPECT_NE(said().find("'x' is no photon energy"), std::string::npos) << said();
  EXPECT_EQ(run("r", "amplitudes.anomalous=True amplitudes.dispersion_file=none.txt"), 2);
  ASSERT_EQ(run("a", ""), 0) << said();
  EXPECT_EQ(run("r", "amplitudes.anomalous=True amplitudes.file=" + path("a/run_truth.mtz")), 2);
  EXPECT_NE(said().find("does not tell Bijvoet mates apart"), std::string::npos) << said();
}

} // namespace
} // namespace kilobragg::programs
