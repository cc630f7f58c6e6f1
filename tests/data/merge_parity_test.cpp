// The same input as cctbx.xfel.merge had: the same intensities, index by index, and the same tables.
#include "support/plain_mtz.hpp"
#include "support/temporary_folder.hpp"
#include "support/test_data.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/programs/merge.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <map>

namespace kilobragg::programs {
namespace {

using kilobragg::testing::PlainMtz;

const std::map<std::string, std::string> their_names{{"I(+)", "Iobs(+)"}, {"SIGI(+)", "SIGIobs(+)"},
                                                     {"I(-)", "Iobs(-)"}, {"SIGI(-)", "SIGIobs(-)"},
                                                     {"IMEAN", "IMEAN"},  {"SIGIMEAN", "SIGIMEAN"}};

std::map<std::array<int, 3>, std::size_t> rows_by_index(const PlainMtz& mtz) {
  std::map<std::array<int, 3>, std::size_t> rows;
  for (std::size_t i = 0; i < mtz.columns[0].size(); ++i)
    rows[{int(mtz.column("H")[i]), int(mtz.column("K")[i]), int(mtz.column("L")[i])}] = i;
  return rows;
}

// Every value of theirs against ours. Single precision is what both files hold; an intensity near
// zero is a difference of larger numbers, so it is compared on the scale of its sigma.
void compare(const PlainMtz& ours, const PlainMtz& theirs) {
  const auto our_rows = rows_by_index(ours), their_rows = rows_by_index(theirs);
  ASSERT_EQ(our_rows.size(), their_rows.size());
  for (const auto& [our_name, their_name] : their_names) {
    const auto& a = ours.column(our_name);
    const auto& b = theirs.column(their_name);
    const auto& sigma =
        theirs.column(their_name.rfind("SIG", 0) == 0 ? their_name : "SIG" + their_name);
    int different = 0;
    for (const auto& [hkl, row] : their_rows) {
      ASSERT_TRUE(our_rows.count(hkl));
      const float x = a[our_rows.at(hkl)], y = b[row];
      if (std::isnan(x) && std::isnan(y)) continue;
      different += !(std::abs(x - y) <= 2e-6f * std::abs(y) + 2e-6f * sigma[row]);
    }
    EXPECT_EQ(different, 0) << our_name << " of " << theirs.columns[0].size();
  }
}

// The rows of their last table: "818/1513", CC, N, R int, R split, scale, split sigma.
struct TheirRow {
  int n, possible;
  double cc, r_int, r_split, scale, split_sigma;
};
std::vector<TheirRow> their_table(const std::string& log) {
  std::istringstream in(log.substr(log.find("Table of Scaling Results")));
  std::vector<TheirRow> rows;
  for (std::string line; std::getline(in, line);) {
    const auto bracket = line.find('[');
    if (bracket == std::string::npos || line.find('%') == std::string::npos) continue;
    TheirRow row{};
    int n = 0;
    const int got = std::sscanf(
        line.c_str() + bracket, "[%d/%d] %lf%% %d -- -- %lf%% %lf%% -- %lf -- %lf", &row.n,
        &row.possible, &row.cc, &n, &row.r_int, &row.r_split, &row.scale, &row.split_sigma);
    if (got == 8) rows.push_back(row);
  }
  return rows;
}

double printed(double value, int decimals) {
  const double unit = std::pow(10, decimals);
  return std::round(value * unit) / unit;
}

void compare_row(const nlohmann::json& ours, const TheirRow& theirs, double sigma_unit) {
  EXPECT_EQ(ours["n_half"], theirs.n);
  EXPECT_NEAR(printed(100 * ours["cc_half"].get<double>(), 1), theirs.cc, 1e-9);
  EXPECT_NEAR(printed(100 * ours["r_int"].get<double>(), 1), theirs.r_int, 1e-9);
  EXPECT_NEAR(printed(100 * ours["r_split"].get<double>(), 1), theirs.r_split, 1e-9);
  EXPECT_NEAR(ours["split_sigma"].get<double>(), theirs.split_sigma, sigma_unit);
}

void expect_parity(const std::string& name, const std::vector<std::string>& more) {
  const auto data = kilobragg::testing::test_data() / "merging";
  const kilobragg::testing::TemporaryFolder out;
  std::vector<std::string> options{"input.path=" + (data / "input").string(),
                                   "scaling.unit_cell=78,78,38,90,90,90",
                                   "scaling.space_group=P43212",
                                   "scaling.resolution_scalar=0.96",
                                   "merging.d_min=2.0",
                                   "filter.outlier.min_corr=-1",
                                   "select.algorithm=significance_filter",
                                   "select.significance_filter.sigma=0.1",
                                   "modify.polarization.fraction=1",
                                   "output.output_dir=" + out.path().string()};
  options.insert(options.end(), more.begin(), more.end());
  merge_with(parallel::Communicator::alone(), options);
  for (const std::string set : {"all", "odd", "even"}) {
    SCOPED_TRACE(name + " " + set);
    compare(kilobragg::testing::read_plain_mtz(out / ("iobs_" + set + ".mtz")),
            kilobragg::testing::read_plain_mtz(
                (data / "cctbx" / name / (name + "_" + set + ".mtz")).string()));
  }
  const auto facts = nlohmann::json::parse(core::read_text_file(out / "iobs.json"));
  EXPECT_EQ(facts["counts"]["reflections read"], 44707);
  EXPECT_EQ(facts["counts"]["reflections rejected because of significance"], 114);
  EXPECT_EQ(facts["counts"]["experiments merged"], 200);
  EXPECT_EQ(facts["counts"]["indices written, all"], 11414);
  EXPECT_EQ(facts["counts"]["indices written, odd"], 6665);
  EXPECT_EQ(facts["counts"]["indices written, even"], 6054);
  EXPECT_EQ(facts["overall"]["possible"], 15131);
  EXPECT_EQ(facts["overall"]["measurements"], 41955);
  const auto rows =
      their_table(core::read_text_file((data / "cctbx" / name / "main.log").string()));
  ASSERT_EQ(rows.size(), 11u);
  for (std::size_t i = 0; i < 10; ++i) compare_row(facts["shells"][i], rows[i], 1.1e-4);
  compare_row(facts["overall"], rows[10], 0.051);
}

TEST(MergeParity, Mark0Plain) {
  KILOBRAGG_NEEDS_TEST_DATA();
  expect_parity("mark0_plain",
                {"scaling.model=" +
                 (kilobragg::testing::test_data() / "merging/input/reference.mtz").string()});
}

TEST(MergeParity, Mark1Plain) {
  KILOBRAGG_NEEDS_TEST_DATA();
  expect_parity("mark1_plain", {"scaling.algorithm=mark1"});
}

} // namespace
} // namespace kilobragg::programs
