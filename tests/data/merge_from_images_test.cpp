// The nanoBragg images processed and merged by the programs themselves, without a reference.
#include "support/measured.hpp"
#include "support/temporary_folder.hpp"
#include "support/test_data.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/programs/merge.hpp"
#include "kilobragg/programs/stills_process.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kilobragg::programs {
namespace {

int process(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "stills_process");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return stills_process(static_cast<int>(argv.size()), argv.data());
}

nlohmann::json merged(const std::string& folder, const std::string& multiplicity) {
  const auto truth = kilobragg::testing::test_data() / "structures/lysozyme_nanobragg.truth.mtz";
  merge_with(parallel::Communicator::alone(),
             {"input.path=" + folder, "output.output_dir=" + folder, "merging.d_min=2.0",
              "merging.merge_anomalous=True", "merging.minimum_multiplicity=" + multiplicity,
              "statistics.truth.mtz_file=" + truth.string()});
  const auto json = nlohmann::json::parse(core::read_text_file(folder + "/iobs.json"));
  const auto& found = json["truth"];
  kilobragg::testing::record("merge",
                             fmt::format("| {} | {:.3f} | {:.3f} | {:.1f} % |", multiplicity,
                                         found["cc"].get<double>(), found["r1"].get<double>(),
                                         100 * found["completeness"].get<double>()));
  return json;
}

TEST(MergeFromImages, BeatsProcessHklWithoutReference) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const kilobragg::testing::TemporaryFolder folder;
  const auto images = kilobragg::testing::test_data() / "images/lysozyme_nanobragg.h5";
  ASSERT_EQ(
      process({images.string(), "spotfinder.threshold.algorithm=dispersion",
               "spotfinder.filter.min_spot_size=2", "indexing.known_symmetry.space_group=P43212",
               "indexing.known_symmetry.unit_cell=77.06,77.06,37.22,90,90,90",
               "output.output_dir=" + folder.path().string()}),
      0);
  // The target: CC 0.82, R1 0.20 at 74 %, every index measured at least twice, as process_hkl.
  const nlohmann::json twice = merged(folder.path().string(), "2");
  EXPECT_GE(twice["truth"]["cc"], 0.89);
  EXPECT_LE(twice["truth"]["r1"], 0.17);
  EXPECT_GE(twice["truth"]["completeness"], 0.76);
  // With single measurements kept.
  const nlohmann::json singles = merged(folder.path().string(), "1");
  EXPECT_GE(singles["truth"]["cc"], 0.86);
  EXPECT_LE(singles["truth"]["r1"], 0.20);
  EXPECT_GE(singles["truth"]["completeness"], 0.91);
}

} // namespace
} // namespace kilobragg::programs
