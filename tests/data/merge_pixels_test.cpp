// The nanoBragg images refined against their pixels, from a merge without reference, against what is true.
#include "support/measured.hpp"
#include "support/temporary_folder.hpp"
#include "support/test_data.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/programs/merge.hpp"
#include "kilobragg/programs/stills_process.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

namespace kilobragg::programs {
namespace {

using nlohmann::json;

int process(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "stills_process");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return stills_process(static_cast<int>(argv.size()), argv.data());
}

/// A list of all shots of a run, with each frame's spectrum as diffBragg has it.
void write_list(const std::string& folder, const json& frames) {
  for (const json& frame : frames) {
    std::string text = "# wavelength, weight\n";
    for (std::size_t c = 0; c < frame["channels"].size(); ++c)
      text += fmt::format("{}, {}\n", frame["channels"][c].get<double>(),
                          frame["weights"][c].get<double>());
    core::write_file(fmt::format("{}/{}.lam", folder, frame["frame"].get<int>()), text);
  }
  std::string list;
  const auto experiments = io::read_experiments(folder + "/idx-0000_integrated.expt");
  for (std::size_t e = 0; e < experiments.size(); ++e)
    list += fmt::format("idx-0000_integrated.expt idx-0000_integrated.refl {}.lam {}\n",
                        experiments[e].source.frame, e);
  core::write_file(folder + "/shots.txt", list);
}

/// Cells by the names of the first row.
std::vector<std::map<std::string, std::string>> read_rows(const std::string& path) {
  std::istringstream text(core::read_text_file(path));
  std::vector<std::string> names;
  std::vector<std::map<std::string, std::string>> rows;
  for (std::string line; std::getline(text, line);) {
    std::vector<std::string> cells;
    std::string cell;
    if (line.ends_with('\r')) line.pop_back();
    for (std::istringstream in(line); std::getline(in, cell, ',');) cells.push_back(cell);
    if (names.empty()) {
      names = cells;
      continue;
    }
    auto& row = rows.emplace_back();
    for (std::size_t i = 0; i < cells.size(); ++i) row[names.at(i)] = cells[i];
  }
  return rows;
}

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// What refined lattices are off the truth.
struct LatticeErrors {
  std::vector<double> angle_deg, size, sigma_z;
};

LatticeErrors errors_of(const std::string& csv, const json& frames) {
  const auto rotations = models::SpaceGroup("P43212").proper_rotations();
  LatticeErrors errors;
  for (auto& row : read_rows(csv)) {
    if (row["state"] != "refined" && row["state"] != "limit") continue;
    Mat3 a;
    for (int i = 0; i < 9; ++i)
      a.m[std::size_t(i)] = std::stod(row[fmt::format("a{}{}", i / 3 + 1, i % 3 + 1)]);
    const double cells =
        std::cbrt(std::stod(row["n11"]) * std::stod(row["n22"]) * std::stod(row["n33"]));
    double best = 180, size = 0;
    for (const json& lattice : frames.at(std::stoul(row["frame"]))["lattices"]) {
      Mat3 truth;
      for (std::size_t i = 0; i < 9; ++i) truth.m[i] = lattice["A"][i].get<double>();
      const double angle = models::misorientation_deg(a, truth, rotations);
      if (angle < best) best = angle, size = lattice["N"].get<double>();
    }
    errors.angle_deg.push_back(best);
    errors.size.push_back(std::abs(cells / size - 1));
    errors.sigma_z.push_back(std::stod(row["sigma_z"]));
  }
  return errors;
}

TEST(MergePixels, NanoBraggImagesWithTheirSpectra) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const kilobragg::testing::TemporaryFolder temporary;
  const std::string folder = temporary.path().string();
  const auto data = kilobragg::testing::test_data();
  ASSERT_EQ(
      process({(data / "images/lysozyme_nanobragg.h5").string(),
               "spotfinder.threshold.algorithm=dispersion", "spotfinder.filter.min_spot_size=2",
               "indexing.known_symmetry.space_group=P43212",
               "indexing.known_symmetry.unit_cell=77.06,77.06,37.22,90,90,90",
               "output.output_dir=" + folder}),
      0);
  const json frames = json::parse(
      core::read_text_file((data / "reference/lysozyme_nanobragg.frames.json").string()));
  write_list(folder, frames);
  merge_with(
      parallel::Communicator::alone(),
      {"input.exp_ref_spec=" + folder + "/shots.txt", "merging.d_min=2.0",
       "merging.merge_anomalous=True", "output.output_dir=" + folder, "--pixels",
       "pixels.oversample=1", // nanoBragg sampled pixels at their centres
       "statistics.truth.mtz_file=" + (data / "structures/lysozyme_nanobragg.truth.mtz").string()});

  const json found = json::parse(core::read_text_file(folder + "/iobs_pixels.json"));
  const json &merged = found["merged"]["overall"], &refined = found["refined"]["overall"],
             &before = found["merged_common"]["overall"],
             &after = found["refined_common"]["overall"];
  const LatticeErrors errors = errors_of(folder + "/iobs_shots.csv", frames);
  const double angle = median(errors.angle_deg), size = median(errors.size),
               sigma_z = median(errors.sigma_z);
  kilobragg::testing::record(
      "merge_pixels",
      fmt::format("| {:.4f} | {:.1f} % | {:.4f} | {:.4f} | {:.3f} | {:.3f} | {:.5f} | {:.1f} % | "
                  "{:.3f} |",
                  refined["truth"]["r1"].get<double>(), 100 * refined["completeness"].get<double>(),
                  before["truth"]["r1"].get<double>(), after["truth"]["r1"].get<double>(),
                  merged["cc_half"].get<double>(), refined["cc_half"].get<double>(), angle,
                  100 * size, sigma_z));
  EXPECT_LE(refined["truth"]["r1"], 0.05);
  EXPECT_GE(refined["completeness"], 0.90);
  EXPECT_LE(after["truth"]["r1"].get<double>(), 0.7 * before["truth"]["r1"].get<double>());
  EXPECT_GT(refined["cc_half"].get<double>(), merged["cc_half"].get<double>());
  EXPECT_GE(errors.angle_deg.size(), 80U);
  EXPECT_LE(angle, 0.0095);
  EXPECT_LE(size, 0.05);
  EXPECT_LT(sigma_z, 1.1);
}

} // namespace
} // namespace kilobragg::programs
