// Known-cell orientation search on real spot lists, against the orientations of the references.
#include "support/csv_table.hpp"
#include "support/measured.hpp"
#include "support/test_data.hpp"

#include "kilobragg/indexing/indexer.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <fstream>
#include <iostream>

namespace kilobragg {
namespace {

/// A set of spot lists with its known symmetry and reference orientations.
struct SpotLists {
  indexing::IndexingParams params;
  std::map<int, std::vector<Vec3>> rlp;
  std::map<int, Mat3> reference;
  std::map<int, double> wavelength;
};

SpotLists read_spot_lists(const std::string& name) {
  const auto folder = testing::test_data() / "spots";
  SpotLists lists;
  const testing::CsvTable table = testing::read_csv(folder / (name + ".csv"));
  for (std::size_t i = 0; i < table.rows; ++i)
    lists.rlp[static_cast<int>(table["frame"][i])].push_back(
        {table["qx"][i], table["qy"][i], table["qz"][i]});
  std::ifstream in(folder / (name + ".json"));
  const nlohmann::json json = nlohmann::json::parse(in);
  const auto cell = json["unit_cell"].get<std::vector<double>>();
  lists.params.unit_cell = {cell[0], cell[1], cell[2], cell[3], cell[4], cell[5]};
  lists.params.space_group = models::SpaceGroup(json["space_group"].get<std::string>());
  for (const auto& [frame, value] : json["frames"].items()) {
    lists.wavelength[std::stoi(frame)] = value["wavelength_angstrom"];
    if (!value.contains("A")) continue;
    Mat3& a = lists.reference[std::stoi(frame)];
    for (int i = 0; i < 9; ++i) a.m[i] = value["A"][i];
  }
  return lists;
}

struct Tally {
  int frames = 0, indexed = 0, right = 0, referenced = 0, wrong = 0;
  double milliseconds = 0; ///< mean
};

Tally run(const SpotLists& lists, double limit_deg, std::size_t fewest_spots,
          const std::vector<std::array<int, 9>>& rotations) {
  const indexing::Indexer indexer(lists.params);
  Tally tally;
  double seconds = 0;
  for (const auto& [frame, rlp] : lists.rlp) {
    if (rlp.size() < fewest_spots) continue;
    const auto start = std::chrono::steady_clock::now();
    const auto crystal = indexer.orient(rlp, {0, 0, -1 / lists.wavelength.at(frame)});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    seconds += took.count();
    ++tally.frames;
    tally.indexed += crystal.has_value();
    const auto reference = lists.reference.find(frame);
    double angle = -1;
    if (reference != lists.reference.end()) {
      ++tally.referenced;
      if (crystal)
        angle = models::misorientation_deg(crystal->a_matrix, reference->second, rotations);
      tally.right += angle >= 0 && angle < limit_deg;
      tally.wrong += angle >= limit_deg;
    }
    if (std::getenv("KILOBRAGG_VERBOSE"))
      std::cout << "frame " << frame << " spots " << rlp.size() << " referenced "
                << (reference != lists.reference.end()) << " found " << crystal.has_value()
                << " angle " << angle << " ms " << took.count() * 1e3 << "\n";
  }
  tally.milliseconds = 1e3 * seconds / tally.frames;
  std::cout << tally.right << " right, " << tally.wrong << " wrong of " << tally.referenced
            << " referenced; " << tally.indexed << " of " << tally.frames << " indexed; "
            << tally.milliseconds << " ms each\n";
  return tally;
}

void record(const std::string& name, const Tally& tally) {
  testing::record("spot_lists", fmt::format("| {} | {} | {} | {} | {} |", name, tally.frames,
                                            tally.indexed, tally.referenced, tally.right));
}

TEST(SpotLists, Lysozyme) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const SpotLists lists = read_spot_lists("lysozyme_cspad_ld91");
  const Tally tally = run(lists, 0.3, 12, lists.params.space_group.proper_rotations());
  record("lysozyme LD91", tally);
  EXPECT_GE(tally.right, 0.98 * tally.referenced);
}

TEST(SpotLists, CopperNitriteReductase) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const SpotLists lists = read_spot_lists("cunir_i24");
  const Tally tally =
      run(lists, 0.3, 0, lists.params.space_group.lattice_rotations(lists.params.unit_cell));
  record("CuNiR I24", tally);
  EXPECT_EQ(tally.referenced, 5);
  EXPECT_EQ(tally.right, 5);
}

TEST(SpotLists, Serotonin2BReceptor) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const SpotLists lists = read_spot_lists("ht2b_cspad");
  const Tally tally = run(lists, 1.5, 0, lists.params.space_group.proper_rotations());
  record("5-HT2B CSPAD", tally);
  EXPECT_EQ(tally.frames, 35);
  EXPECT_EQ(tally.referenced, 17);
  EXPECT_EQ(tally.right, 17);
  EXPECT_EQ(tally.wrong, 0);
}

} // namespace
} // namespace kilobragg
