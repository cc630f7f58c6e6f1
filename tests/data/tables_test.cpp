// Real .expt, .refl and MTZ files of DIALS and cctbx, read and written again.
#include "support/temporary_folder.hpp"
#include "support/test_data.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/mtz.hpp"
#include "kilobragg/io/reflection_file.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kilobragg::io {
namespace {

const char* const runs[] = {"run_000", "run_001", "run_002", "run_003"};

TEST(DialsFiles, ReflectionTablesComeOutAsTheyWentIn) {
  KILOBRAGG_NEEDS_TEST_DATA();
  std::size_t rows = 0;
  for (const char* run : runs) {
    const auto path =
        testing::test_data() / "merging/input" / (std::string(run) + "_integrated.refl");
    const auto table = read_reflections(path.string());
    EXPECT_EQ(table.identifiers.size(), 50u);
    rows += table.rows;
    EXPECT_TRUE(format_reflections(table) == core::read_file(path.string())) << run;
  }
  EXPECT_EQ(rows, 44707u); // data/README.md
}

TEST(DialsFiles, ExperimentsMatchTheirTables) {
  KILOBRAGG_NEEDS_TEST_DATA();
  for (const char* run : runs) {
    const auto stem = (testing::test_data() / "merging/input" / run).string() + "_integrated";
    const auto list = read_experiments(stem + ".expt");
    const auto table = read_reflections(stem + ".refl");
    ASSERT_EQ(list.size(), 50u);
    for (std::size_t i = 0; i < list.size(); ++i) {
      EXPECT_EQ(list[i].identifier, table.identifiers.at(static_cast<int>(i)));
      EXPECT_EQ(list[i].crystal->space_group.hm(), "P 43 21 2");
      EXPECT_EQ(list[i].detector, list[0].detector);
    }
    // Predicted rays of the crystal: q = A h lies near s1 - s0.
    const auto& id = table.get<std::int32_t>("id");
    const auto& hkl = table.get<models::Miller>("miller_index");
    const auto& s1 = table.get<Vec3>("s1");
    for (std::size_t row = 0; row < table.rows; row += 97) {
      const auto& e = list[static_cast<std::size_t>(id[row])];
      EXPECT_LT(norm(e.crystal->q(hkl[row]) - (s1[row] - e.beam.s0())), 0.01);
    }
    const testing::TemporaryFolder folder;
    write_experiments(list, folder / "again.expt");
    const auto again = read_experiments(folder / "again.expt");
    for (std::size_t i = 0; i < list.size(); ++i)
      for (int k = 0; k < 9; ++k)
        EXPECT_NEAR(again[i].crystal->a_matrix.m[k], list[i].crystal->a_matrix.m[k], 1e-15);
  }
}

TEST(MtzFiles, ReferenceOfTheMergingSet) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const auto path = testing::test_data() / "merging/input/reference.mtz"; // F(+), F(-)
  const auto data = read_reference_mtz(path.string());
  EXPECT_EQ(data.hkl.size(), 9686u);
  EXPECT_EQ(data.space_group.hm(), "P 43 21 2");
  EXPECT_EQ(data.cell.a, 78);
  for (const double i : data.intensity) EXPECT_GT(i, 0);
}

TEST(MtzFiles, TrueAmplitudesOfTheSimulation) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const auto path = testing::test_data() / "structures/lysozyme_nanobragg.truth.mtz";
  const auto data = read_reference_mtz(path.string());
  EXPECT_EQ(data.hkl.size(), 9291u);
  EXPECT_TRUE(std::is_sorted(data.hkl.begin(), data.hkl.end()));
  const testing::TemporaryFolder folder;
  std::vector<double> f;
  for (const double i : data.intensity) f.push_back(std::sqrt(i));
  write_amplitudes_mtz(data.cell, data.space_group, 1.3, data.hkl, f, folder / "f.mtz");
  const auto again = read_reference_mtz(folder / "f.mtz");
  EXPECT_EQ(again.hkl, data.hkl);
  for (std::size_t k = 0; k < f.size(); ++k)
    EXPECT_NEAR(again.intensity[k], data.intensity[k], 2e-7 * data.intensity[k]);
}

/// Reads an MTZ with iotbx: column labels, and the sum of each column over its rows.
const char* const iotbx_reader = R"python(
import sys
from iotbx import mtz
m = mtz.object(sys.argv[1])
assert m.space_group_info().symbol_and_number() == "P 43 21 2 (No. 96)", m.space_group_info()
labels = [c.label() for c in m.columns()]
assert labels == ["H", "K", "L", "IMEAN", "SIGIMEAN", "N", "I(+)", "SIGI(+)", "I(-)", "SIGI(-)"], labels
arrays = {a.info().label_string(): a for a in m.as_miller_arrays()}
mean = arrays["IMEAN,SIGIMEAN"]
assert mean.is_xray_intensity_array() and not mean.anomalous_flag()
assert mean.size() == 500 and abs(sum(mean.data()) - 500 * 501 / 2) < 1e-6
both = arrays["I(+),SIGI(+),I(-),SIGI(-)"]
assert both.anomalous_flag() and both.size() == 750, (both.anomalous_flag(), both.size())
assert abs(m.crystals()[-1].datasets()[0].wavelength() - 1.25) < 1e-5
)python";

TEST(MtzFiles, AnIndependentReaderSeesTheSame) {
  if (std::system("/usr/bin/python3 -c 'import iotbx.mtz' > /dev/null 2>&1") != 0)
    GTEST_SKIP() << "no cctbx here";
  const testing::TemporaryFolder folder;
  MergedMtz data;
  data.cell = {78, 78, 38, 90, 90, 90};
  data.space_group = models::SpaceGroup("P43212");
  data.wavelength = 1.25;
  data.title = "title";
  data.history = {"history"};
  for (const auto& hkl : data.space_group.unique_indices(data.cell, 4.0)) {
    if (data.reflections.size() == 500 || data.space_group.is_centric(hkl)) continue;
    MergedReflection r;
    r.hkl = hkl;
    r.i_mean = static_cast<double>(data.reflections.size() + 1);
    r.sigma_mean = 1;
    r.multiplicity = 3;
    r.has_plus = true;
    r.has_minus = data.reflections.size() % 2 == 0;
    r.i_plus = r.i_minus = r.i_mean;
    r.sigma_plus = r.sigma_minus = 1;
    data.reflections.push_back(r);
  }
  ASSERT_EQ(data.reflections.size(), 500u);
  write_merged_mtz(data, folder / "m.mtz");
  core::write_file(folder / "read.py", iotbx_reader);
  const std::string command = "/usr/bin/python3 " + (folder / "read.py") + " " + (folder / "m.mtz");
  EXPECT_EQ(std::system(command.c_str()), 0);
}

} // namespace
} // namespace kilobragg::io
