// Shards: round trips, repair, resuming, and the composite files derived from them.
#include "src/io/still_codec.hpp"
#include "support/file_size_limit.hpp"
#include "support/sample_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/record_log.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/reflection_file.hpp"
#include "kilobragg/io/shard.hpp"
#include "kilobragg/io/still_tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

namespace kilobragg::io {
namespace {

using models::ExitState;
using models::StillResult;
using ::testing::HasSubstr;
using testing::sample_detector;
using testing::sample_still;

/// All of a result but its detector, as bytes: equal bytes mean equal results.
std::vector<std::byte> image_of(const StillResult& result) {
  return pack_still(result, std::nullopt);
}

std::vector<StillResult> results_of(const std::string& path, ShardSummary* summary = nullptr) {
  std::vector<StillResult> results;
  const auto found = read_shard(path, [&](StillResult&& r) { results.push_back(std::move(r)); });
  if (summary) *summary = found;
  return results;
}

TEST(StillCodec, EveryFieldComesBack) {
  const auto before = sample_still(7, sample_detector());
  const auto after = unpack_still(pack_still(before, 0), "x", {before.detector});
  EXPECT_EQ(after.detector, before.detector);
  EXPECT_EQ(after.source.path, before.source.path);
  EXPECT_EQ(after.source.dataset, before.source.dataset);
  EXPECT_EQ(after.source.frame, 7);
  EXPECT_EQ(after.source.content_id, "abcd");
  EXPECT_EQ(after.state_line(), "integrate_ok_20");
  EXPECT_EQ(after.seconds, before.seconds);
  EXPECT_EQ(after.processing.host, before.processing.host);
  EXPECT_EQ(after.processing.rank, before.processing.rank);
  EXPECT_EQ(after.processing.started, before.processing.started);
  EXPECT_EQ(after.beam.wavelength, before.beam.wavelength);
  EXPECT_EQ(after.beam.polarization_normal, before.beam.polarization_normal);
  EXPECT_EQ(after.beam.spectrum.weights, before.beam.spectrum.weights);
  ASSERT_EQ(after.spots.size(), before.spots.size());
  EXPECT_EQ(after.spots.spots[3].px.y, before.spots.spots[3].px.y);
  EXPECT_EQ(after.spots.spots[3].rlp, before.spots.spots[3].rlp);
  EXPECT_EQ(after.spots.pixels[5].value, before.spots.pixels[5].value);
  ASSERT_EQ(after.lattices.size(), 2u);
  const auto &a = after.lattices[1], &b = before.lattices[1];
  EXPECT_EQ(a.identifier, b.identifier);
  EXPECT_EQ(a.lattice.crystal.a_matrix, b.lattice.crystal.a_matrix);
  EXPECT_EQ(a.lattice.crystal.space_group, b.lattice.crystal.space_group);
  EXPECT_EQ(a.lattice.crystal.mosaicity->domain_size_angstrom, 2000);
  EXPECT_EQ(a.lattice.rmsd_px, 0.4);
  EXPECT_EQ(a.lattice.rmsd_psi_deg, 0.03);
  EXPECT_EQ(a.lattice.sigma_b_deg, 0.02);
  EXPECT_EQ(a.lattice.psi_spread.alpha, 2e-5);
  EXPECT_EQ(a.lattice.psi_spread.beta, 3e-4);
  EXPECT_EQ(a.lattice.psi_spread.bandwidth, 1e-3);
  EXPECT_EQ(a.lattice.spots[4].hkl, b.lattice.spots[4].hkl);
  EXPECT_EQ(a.lattice.spots[4].delta_psi, b.lattice.spots[4].delta_psi);
  ASSERT_EQ(a.reflections.size(), 30u);
  EXPECT_EQ(a.reflections[3].entering, b.reflections[3].entering);
  EXPECT_EQ(a.reflections[29].background_mse, 0.5);
  EXPECT_EQ(a.reflections[29].n_valid, 49);
  EXPECT_TRUE(image_of(after) == image_of(before)); // and all the rest
}

TEST(StillCodec, DamagedRecordsGiveAnErrorOrAResult) {
  const auto whole = pack_still(sample_still(1, nullptr), std::nullopt);
  for (std::size_t size = 0; size < whole.size(); size += 7)
    EXPECT_THROW(unpack_still(std::span(whole).first(size), "cut", {}), core::Error);
  std::mt19937 random(2);
  for (int round = 0; round < 1000; ++round) {
    auto bad = whole;
    bad[random() % bad.size()] ^= static_cast<std::byte>(1u << (random() % 8));
    try {
      const StillResult result = unpack_still(bad, "flipped", {});
      strong_table(result); // what refers to pixels and spots finds them
      indexed_table(result);
      integrated_table(result);
    } catch (const core::Error&) {
    }
  }
}

TEST(Shard, RoundTripWithADetectorWrittenOnce) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "a.shard";
  const auto first = sample_detector(), same = sample_detector();
  std::vector<StillResult> results{sample_still(0, first), sample_still(1, same),
                                   sample_still(2, nullptr, ExitState::PreprocessException),
                                   sample_still(3, first, ExitState::IndexingFailed, 0)};
  {
    ShardWriter writer(path, R"({"program":"test"})");
    for (const auto& r : results) writer.append(r);
  }
  ShardSummary summary;
  const auto back = results_of(path, &summary);
  EXPECT_EQ(summary.run, R"({"program":"test"})");
  EXPECT_EQ(summary.records, 4u);
  EXPECT_FALSE(summary.torn);
  ASSERT_EQ(back.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(image_of(back[i]) == image_of(results[i]));
  EXPECT_EQ(back[0].detector, back[3].detector);
  EXPECT_EQ(back[0].detector, back[1].detector);
  EXPECT_EQ(back[2].detector, nullptr);
  EXPECT_EQ(back[0].detector->panels[1].frame.origin, first->panels[1].frame.origin);
  int detectors = 0;
  core::scan_record_log(path, [&](const core::Record& r) { detectors += r.type == 2; });
  EXPECT_EQ(detectors, 1);
}

TEST(Shard, GoesOnAfterACut) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "a.shard";
  const auto detector = sample_detector();
  {
    ShardWriter writer(path, "{}");
    for (int i = 0; i < 3; ++i) writer.append(sample_still(i, detector));
  }
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1000);
  ShardSummary summary;
  EXPECT_EQ(results_of(path, &summary).size(), 2u);
  EXPECT_TRUE(summary.torn);
  {
    ShardWriter writer(path, "{\"other\": 1}");
    writer.append(sample_still(5, sample_detector()));
  }
  const auto back = results_of(path, &summary);
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(back[2].source.frame, 5);
  EXPECT_EQ(back[2].detector, back[0].detector); // known from before
  EXPECT_EQ(summary.run, "{}");
  EXPECT_FALSE(summary.torn);
}

TEST(Shard, CutAtEveryByteAndReopenedHoldsTheWholeRecordsAndTheNextOne) {
  const testing::TemporaryFolder folder;
  const std::string whole = folder / "whole.shard", cut = folder / "cut.shard";
  const auto detector = sample_detector();
  std::vector<StillResult> stills;
  std::vector<std::uint64_t> ends; ///< of the file after each image
  {
    ShardWriter writer(whole, R"({"program":"test"})");
    for (int i = 0; i < 3; ++i) {
      stills.push_back(i == 1 ? sample_still(i, detector, ExitState::NotEnoughSpots, 0)
                              : sample_still(i, nullptr, ExitState::PreprocessException));
      for (StillResult& still : stills) still.spots = {};
      writer.append(stills.back());
      ends.push_back(std::filesystem::file_size(whole));
    }
  }
  const auto bytes = core::read_file(whole);
  const auto next = sample_still(9, sample_detector(), ExitState::NotEnoughSpots, 0);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    core::write_file(cut, std::span(bytes).first(length));
    { ShardWriter(cut, R"({"program":"test"})").append(next); }
    ShardSummary summary;
    const auto back = results_of(cut, &summary);
    std::size_t kept = 0;
    while (kept < ends.size() && ends[kept] <= length) ++kept;
    ASSERT_EQ(back.size(), kept + 1) << length;
    EXPECT_FALSE(summary.torn) << length;
    EXPECT_EQ(summary.run, R"({"program":"test"})") << length;
    for (std::size_t i = 0; i < kept; ++i)
      ASSERT_TRUE(image_of(back[i]) == image_of(stills[i])) << length;
    ASSERT_TRUE(image_of(back[kept]) == image_of(next)) << length;
    ASSERT_NE(back[kept].detector, nullptr) << length;
  }
}

TEST(Shard, KilledWriterLosesAtMostTheImageInHand) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "a.shard";
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ShardWriter writer(path, "{}");
    const auto detector = sample_detector();
    for (int frame = 0;; ++frame) {
      writer.append(sample_still(frame, detector));
      if (::write(ends[1], &frame, sizeof frame) != sizeof frame) std::_Exit(1);
    }
  }
  ::close(ends[1]);
  int last = 0;
  for (int i = 0; i < 40; ++i) ASSERT_EQ(::read(ends[0], &last, sizeof last), ssize_t{sizeof last});
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  for (int more; ::read(ends[0], &more, sizeof more) == sizeof more;) last = more;
  ::close(ends[0]);
  const auto back = results_of(path);
  ASSERT_GT(back.size(), static_cast<std::size_t>(last));
  for (std::size_t i = 0; i < back.size(); ++i)
    EXPECT_EQ(back[i].source.frame, static_cast<int>(i));
}

TEST(Shard, FullDiskIsNamedAndTheShardStaysWhole) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "a.shard";
  ShardWriter writer(path, "{}");
  const auto detector = sample_detector();
  writer.append(sample_still(0, detector));
  {
    const testing::FileSizeLimit limit(std::filesystem::file_size(path) + 1000);
    try {
      writer.append(sample_still(1, detector));
      FAIL() << "no error";
    } catch (const core::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(path));
    }
  }
  writer.append(sample_still(2, detector));
  ShardSummary summary;
  EXPECT_EQ(results_of(path, &summary).size(), 2u);
  EXPECT_FALSE(summary.torn);
}

TEST(Shard, OtherFilesAreNoShards) {
  const testing::TemporaryFolder folder;
  core::write_file(folder / "text", "text");
  EXPECT_THROW(results_of(folder / "text"), core::Error);
  { core::RecordLogWriter(folder / "log").append(9, {}); }
  EXPECT_THROW(results_of(folder / "log"), core::Error);
  EXPECT_THROW(ShardWriter(folder / "log", "{}"), core::Error);
}

class Composites : public ::testing::Test {
protected:
  void SetUp() override {
    const auto detector = sample_detector();
    ShardWriter writer(folder_ / "a.shard", "{}");
    const std::vector<StillResult> results{sample_still(0, nullptr, ExitState::PreprocessException),
                                           sample_still(1, detector, ExitState::NotEnoughSpots, 0),
                                           sample_still(2, detector, ExitState::IntegrateOk, 2),
                                           sample_still(3, detector, ExitState::IntegrateFailed, 1),
                                           sample_still(4, detector, ExitState::RefineFailed, 1),
                                           sample_still(5, detector, ExitState::IntegrateOk, 1)};
    for (const auto& r : results) writer.append(r);
  }
  std::vector<models::Experiment> experiments(const std::string& name) const {
    return read_experiments(folder_ / name + ".expt");
  }
  models::ReflectionTable table(const std::string& name) const {
    return read_reflections(folder_ / name + ".refl");
  }
  /// Each id has its experiment, with the same identifier.
  static void expect_matched(const std::vector<models::Experiment>& list,
                             const models::ReflectionTable& t) {
    ASSERT_EQ(list.size(), t.identifiers.size());
    for (std::size_t i = 0; i < list.size(); ++i)
      EXPECT_EQ(t.identifiers.at(static_cast<int>(i)), list[i].identifier);
    for (const int id : t.get<std::int32_t>("id")) {
      EXPECT_GE(id, 0);
      EXPECT_LT(id, static_cast<int>(list.size()));
    }
  }
  testing::TemporaryFolder folder_;
};

TEST_F(Composites, HoldWhatEachStateLeft) {
  const auto written = write_composites(folder_ / "a.shard", folder_.path().string(), 7);
  EXPECT_EQ(written.size(), 8u);
  for (const auto& file : written) EXPECT_TRUE(std::filesystem::exists(file)) << file;
  const auto strong = experiments("idx-0007_strong");
  ASSERT_EQ(strong.size(), 5u); // all but the unreadable image
  expect_matched(strong, table("idx-0007_strong"));
  EXPECT_EQ(table("idx-0007_strong").rows, 100u);
  const auto refined = experiments("idx-0007_refined");
  ASSERT_EQ(refined.size(), 4u); // two lattices, one, one
  EXPECT_EQ(refined[2].source.frame, 3);
  EXPECT_NEAR(refined[1].crystal->unit_cell().c, 37, 1e-9);
  EXPECT_EQ(refined[1].crystal->space_group.hm(), "P 43 21 2");
  expect_matched(refined, table("idx-0007_indexed"));
  const auto imagesets = table("idx-0007_indexed").get<std::int32_t>("imageset_id");
  EXPECT_EQ(imagesets.front(), 0);
  EXPECT_EQ(imagesets.back(), 2);
  const auto integrated = experiments("idx-0007_integrated");
  ASSERT_EQ(integrated.size(), 3u);
  EXPECT_EQ(integrated[2].source.frame, 5);
  expect_matched(integrated, table("idx-0007_integrated"));
  EXPECT_EQ(table("idx-0007_integrated").rows, 90u);
  EXPECT_EQ(core::read_file(folder_ / "idx-0007_indexed.refl"),
            core::read_file(folder_ / "idx-0007_refined.refl"));
}

TEST_F(Composites, DerivingTwiceGivesTheSameBytes) {
  const auto files = write_composites(folder_ / "a.shard", folder_.path().string(), 0);
  std::vector<std::vector<std::byte>> before;
  for (const auto& file : files) before.push_back(core::read_file(file));
  EXPECT_EQ(write_composites(folder_ / "a.shard", folder_.path().string(), 0), files);
  for (std::size_t i = 0; i < files.size(); ++i)
    EXPECT_TRUE(core::read_file(files[i]) == before[i]);
}

TEST_F(Composites, NamesChooseWhatIsWritten) {
  CompositeNames names;
  names.strong = "";
  names.indexed = "";
  names.integrated = "run7-{:03d}";
  const auto files = write_composites(folder_ / "a.shard", folder_.path().string(), 12, names);
  EXPECT_EQ(files.size(), 4u);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run7-012.expt"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "idx-0012_refined.refl"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "idx-0012_strong.refl"));
  names.integrated = "run7-{:q}";
  EXPECT_THROW(write_composites(folder_ / "a.shard", folder_.path().string(), 12, names),
               core::Error);
}

TEST_F(Composites, AShardWithoutLatticesGivesEmptyTablesWithColumns) {
  { ShardWriter writer(folder_ / "b.shard", "{}"); }
  write_composites(folder_ / "b.shard", folder_.path().string(), 1);
  EXPECT_EQ(table("idx-0001_integrated").rows, 0u);
  EXPECT_EQ(table("idx-0001_integrated").columns.size(), 28u);
  EXPECT_TRUE(experiments("idx-0001_integrated").empty());
}

} // namespace
} // namespace kilobragg::io
