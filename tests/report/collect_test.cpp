// Collecting shards: the same rows as from whole results, once each, and the example queries.
#include "reference/still_digest_plain.hpp"
#include "support/ledger_rows.hpp"
#include "support/sample_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/report/collect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kilobragg::report {
namespace {

namespace fs = std::filesystem;
using models::ExitState;
using testing::ask;
using testing::ask_text;
using ::testing::HasSubstr;
using testing::sample_still;
using testing::TemporaryFolder;

const auto detector = testing::sample_detector();

std::vector<models::StillResult> some_stills() {
  return {sample_still(0, detector), sample_still(1, detector, ExitState::IndexingFailed, 0),
          sample_still(2, nullptr, ExitState::PreprocessException),
          sample_still(3, detector, ExitState::IntegrateOk, 1)};
}

void write_shard(const std::string& path, const std::vector<models::StillResult>& stills) {
  io::ShardWriter writer(path, R"({"program":"stills_process","version":"0.1.0","options":"a=1"})");
  for (const auto& still : stills) writer.append(still);
}

MachineView local_machine() {
  return {[](const std::string&) { return true; }, std::nullopt};
}

void expect_same(const io::StillDigest& a, const io::StillDigest& b) {
  EXPECT_EQ(a.source.path, b.source.path);
  EXPECT_EQ(a.source.dataset, b.source.dataset);
  EXPECT_EQ(a.source.frame, b.source.frame);
  EXPECT_EQ(a.source.content_id, b.source.content_id);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.message, b.message);
  EXPECT_EQ(a.seconds, b.seconds);
  EXPECT_EQ(a.processing.host, b.processing.host);
  EXPECT_EQ(a.processing.rank, b.processing.rank);
  EXPECT_EQ(a.processing.started, b.processing.started);
  EXPECT_EQ(a.spots, b.spots);
  ASSERT_EQ(a.d_min.has_value(), b.d_min.has_value());
  if (a.d_min) {
    EXPECT_DOUBLE_EQ(*a.d_min, *b.d_min);
  }
  ASSERT_EQ(a.lattices.size(), b.lattices.size());
  for (std::size_t i = 0; i < a.lattices.size(); ++i) {
    const auto &l = a.lattices[i], &m = b.lattices[i];
    EXPECT_EQ(l.identifier, m.identifier);
    EXPECT_EQ(l.crystal.a_matrix, m.crystal.a_matrix);
    EXPECT_EQ(l.crystal.space_group, m.crystal.space_group);
    ASSERT_TRUE(l.crystal.mosaicity && m.crystal.mosaicity);
    EXPECT_EQ(l.crystal.mosaicity->half_mosaicity_deg, m.crystal.mosaicity->half_mosaicity_deg);
    EXPECT_EQ(l.rmsd_px, m.rmsd_px);
    EXPECT_EQ(l.rmsd_psi_deg, m.rmsd_psi_deg);
    EXPECT_EQ(l.indexed, m.indexed);
    EXPECT_EQ(l.reflections, m.reflections);
    EXPECT_EQ(l.d_min, m.d_min);
  }
}

TEST(Collect, DigestsAreThoseOfWholeResults) {
  const TemporaryFolder folder;
  auto stills = some_stills();
  stills[3].spots.spots.resize(7); // 95 % of 7 is all of them; some without a position
  stills[3].spots.spots[2].rlp = {};
  stills[3].lattices.clear();
  write_shard(folder / "a.shard", stills);
  std::vector<io::StillDigest> digests;
  const auto summary = io::read_shard_digests(
      folder / "a.shard", [&](io::StillDigest&& digest) { digests.push_back(std::move(digest)); });
  EXPECT_EQ(summary.records, 4u);
  EXPECT_FALSE(summary.torn);
  EXPECT_THAT(summary.run, HasSubstr("stills_process"));
  ASSERT_EQ(digests.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) expect_same(digests[i], testing::plain_digest(stills[i]));
}

TEST(Collect, FillsImagesAndLattices) {
  const TemporaryFolder folder;
  write_shard(folder / "idx-0001.shard", some_stills());
  const auto collected = collect_run(folder.path().string(), local_machine());
  EXPECT_EQ(collected.images, 4);
  EXPECT_EQ(collected.added, 4);
  EXPECT_EQ(collected.lattices, 3);
  const std::string path = folder / ledger_name;
  EXPECT_EQ(ask_text(path, "SELECT path || dataset || content_id || tag FROM images"),
            "/images/run.h5/entry/data/dataabcdrun_00000");
  EXPECT_EQ(ask_text(path, "SELECT host || rank || started FROM images"),
            "node0012371763640000.25");
  EXPECT_EQ(ask_text(path, "SELECT seconds_read || seconds_write || spots || lattices FROM images"),
            "0.10.6202");
  EXPECT_EQ(ask_text(path, "SELECT message FROM images WHERE frame = 2"),
            "cannot read frame (its chunk is damaged)");
  EXPECT_EQ(ask(path, "SELECT count(*) FROM images WHERE d_min IS NULL"), 1);
  EXPECT_EQ(ask_text(path, "SELECT round(a, 6) || ' ' || round(c, 6) || ' ' || round(gamma, 6) || "
                           "space_group FROM lattices"),
            "77.0 37.0 90.0P 43 21 2");
  EXPECT_EQ(ask_text(path,
                     "SELECT indexed || ' ' || reflections || ' ' || half_mosaicity_deg || ' ' "
                     "|| domain_size_angstrom FROM lattices"),
            "10 30 0.05 2000.0");
  EXPECT_EQ(ask(path, "SELECT images FROM image_states WHERE state = 'integrate_ok'"), 2);
  EXPECT_EQ(ask(path, "SELECT images FROM hosts"), 4);
  EXPECT_EQ(ask_text(path, "SELECT value FROM run WHERE key = 'options'"), "a=1");
}

TEST(Collect, ASingleImageHasTheTagOfItsFile) {
  const TemporaryFolder folder;
  RunLedger ledger(folder / "ledger.sqlite");
  ledger.add_inputs(std::array{InputRow{"/images/run.h5", "/entry/data/data", 1, "", ""}});
  ledger.add_images(std::array{testing::plain_digest(sample_still(0, detector))});
  EXPECT_EQ(ask_text(folder / "ledger.sqlite", "SELECT tag FROM images"), "run");
  EXPECT_EQ(ask(folder / "ledger.sqlite", "SELECT count(*) FROM inputs"), 1);
  // Of formats without data sets it is known even if no run told how many frames there are.
  auto broken = sample_still(0, nullptr, ExitState::PreprocessException);
  broken.source = {"/images/broken.cbf", "", 0, ""};
  ledger.add_images(std::array{testing::plain_digest(broken)});
  EXPECT_EQ(ask_text(folder / "ledger.sqlite", "SELECT tag FROM images WHERE dataset = ''"),
            "broken");
}

TEST(Collect, SaysWhatItDid) {
  Collected collected;
  collected.ledger = "out/ledger.sqlite";
  collected.images = 1000, collected.added = 12, collected.lattices = 812, collected.shards = 8;
  collected.seconds = 0.1;
  EXPECT_EQ(format_collected(collected), "Collected 1000 images (12 new) and 812 lattices of 8 "
                                         "shards into out/ledger.sqlite in 0.1 s");
}

TEST(Collect, TwiceIsOnce) {
  const TemporaryFolder folder;
  write_shard(folder / "idx-0001.shard", some_stills());
  collect_run(folder.path().string(), local_machine());
  const std::string path = folder / ledger_name;
  const std::string all = "SELECT group_concat(id || state || started) || (SELECT "
                          "group_concat(image || identifier) FROM lattices) FROM images";
  const std::string before = ask_text(path, all);
  const auto again = collect_run(folder.path().string(), local_machine());
  EXPECT_EQ(again.images, 4);
  EXPECT_EQ(again.added, 0);
  EXPECT_EQ(ask_text(path, all), before);
  EXPECT_EQ(ask(path, "SELECT count(*) FROM shards"), 1);
}

TEST(Collect, ManyShardsAreReadAtOnce) {
  const TemporaryFolder folder;
  for (int shard = 0; shard < 9; ++shard) {
    std::vector<models::StillResult> stills;
    for (int i = 0; i < 20; ++i) stills.push_back(sample_still(20 * shard + i, detector));
    write_shard(folder / fmt::format("idx-{:04d}.shard", shard), stills);
  }
  const auto collected = collect_run(folder.path().string(), local_machine());
  EXPECT_EQ(collected.shards, 9);
  EXPECT_EQ(collected.added, 180);
  EXPECT_EQ(ask(folder / ledger_name, "SELECT count(DISTINCT frame) FROM images"), 180);
  EXPECT_EQ(ask(folder / ledger_name, "SELECT count(*) FROM lattices"), 360);
  EXPECT_EQ(ask(folder / ledger_name, "SELECT count(*) FROM shards"), 9);
}

TEST(Collect, TheLaterRecordOfAnImageCounts) {
  for (const bool later_first : {false, true}) {
    const TemporaryFolder folder;
    auto failed = sample_still(5, nullptr, ExitState::PreprocessException);
    failed.source.content_id.clear(); // the file could not even be opened
    auto done = sample_still(5, detector);
    done.processing.started = failed.processing.started + 100;
    write_shard(folder / (later_first ? "idx-0002.shard" : "idx-0001.shard"), {failed});
    write_shard(folder / (later_first ? "idx-0001.shard" : "idx-0002.shard"), {done});
    const auto collected = collect_run(folder.path().string(), local_machine());
    EXPECT_EQ(collected.images, 2);
    EXPECT_EQ(collected.added, 1);
    EXPECT_EQ(ask_text(folder / ledger_name, "SELECT state || content_id FROM images"),
              "integrate_okabcd");
    EXPECT_EQ(ask(folder / ledger_name, "SELECT count(*) FROM lattices"), 2);
  }
}

TEST(Collect, AnUnopenedFileGivesWayToItsImages) {
  for (const double later : {100., -100.}) {
    const TemporaryFolder folder;
    auto unopened = sample_still(0, nullptr, ExitState::PreprocessException);
    unopened.source = {"/images/run.h5", "", 0, ""};
    auto image = sample_still(0, detector);
    image.processing.started = unopened.processing.started + later;
    write_shard(folder / "idx-0001.shard", {unopened});
    write_shard(folder / "idx-0002.shard", {image});
    collect_run(folder.path().string(), local_machine());
    // The last state of an input wins: a file that went away counts beside its results.
    EXPECT_EQ(ask(folder / ledger_name, "SELECT count(*) FROM images"), later > 0 ? 1 : 2);
    EXPECT_EQ(ask(folder / ledger_name, "SELECT count(*) FROM inputs"), later > 0 ? 1 : 2);
    EXPECT_EQ(ask(folder / ledger_name, "SELECT count(*) FROM lattices"), 2);
  }
}

TEST(Collect, AShardThatCannotBeReadStopsNoOther) {
  const TemporaryFolder output, scratch;
  for (const int bad : {0, 3})
    core::write_file(output / fmt::format("idx-{:04d}.shard", bad), "no");
  write_shard(output / "idx-0001.shard", some_stills());
  write_shard(output / "idx-0002.shard", {sample_still(9, detector)});
  const MachineView shared{[](const std::string&) { return false; }, scratch.path().string()};
  for (const auto& machine : {shared, local_machine()}) {
    try {
      collect_run(output.path().string(), machine);
      ADD_FAILURE() << "does not say that shards are bad";
    } catch (const core::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("idx-0000.shard"));
      EXPECT_THAT(error.what(), HasSubstr("idx-0003.shard"));
    }
    EXPECT_EQ(ask(output / ledger_name, "SELECT count(*) FROM images"), 5);
    fs::remove(output / ledger_name);
  }
}

TEST(Collect, OnlyShardsOfRanksAreTheRuns) {
  const TemporaryFolder folder;
  write_shard(folder / "idx-0001.shard", some_stills());
  write_shard(folder / "x.shard", {sample_still(9, detector)});
  EXPECT_EQ(collect_run(folder.path().string(), local_machine()).images, 4);
}

TEST(Collect, ATornEndIsCountedAndLeftOut) {
  const TemporaryFolder folder;
  const std::string shard = folder / "idx-0003.shard";
  write_shard(shard, some_stills());
  fs::resize_file(shard, fs::file_size(shard) - 5);
  const auto collected = collect_run(folder.path().string(), local_machine());
  EXPECT_EQ(collected.images, 3);
  EXPECT_EQ(collected.torn, 1);
  EXPECT_THAT(format_collected(collected), HasSubstr("1 end in a record that is not whole"));
  EXPECT_EQ(ask(folder / ledger_name, "SELECT records * 10 + torn FROM shards"), 31);
  EXPECT_EQ(ask(folder / ledger_name, "SELECT bytes FROM shards"),
            static_cast<std::int64_t>(
                io::read_shard_digests(shard, [](io::StillDigest&&) {}).good_bytes));
}

TEST(Collect, PublishesIntoASharedFolder) {
  const TemporaryFolder output, scratch;
  write_shard(output / "idx-0001.shard", some_stills());
  const MachineView machine{[](const std::string&) { return false; }, scratch.path().string()};
  for (int round = 0; round < 2; ++round) {
    const auto collected = collect_run(output.path().string(), machine);
    EXPECT_EQ(collected.added, round == 0 ? 4 : 0);
    EXPECT_EQ(collected.ledger, fs::canonical(output.path()) / "ledger.sqlite");
  }
  EXPECT_EQ(ask(output / ledger_name, "SELECT count(*) FROM images"), 4);
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

TEST(Collect, SaysWhatCannotBeCollected) {
  const TemporaryFolder folder;
  EXPECT_THROW(collect_run(folder / "nothing", local_machine()), core::Error);
  EXPECT_THROW(collect_run(folder.path().string(), local_machine()), core::Error);
  core::write_file(folder / "idx-0001.shard", "no shard at all");
  EXPECT_THROW(collect_run(folder.path().string(), local_machine()), core::Error);
}

/// Statements of a script, without its comments.
std::vector<std::string> statements_of(const std::string& script) {
  std::vector<std::string> statements;
  std::string current, line;
  std::istringstream lines(script);
  while (std::getline(lines, line)) {
    if (line.starts_with("--")) continue;
    current += line + '\n';
    if (line.ends_with(';')) statements.push_back(std::exchange(current, {}));
  }
  EXPECT_TRUE(current.find_first_not_of(" \n") == std::string::npos) << current;
  return statements;
}

TEST(ExampleQueries, FindRows) {
  const TemporaryFolder folder;
  const std::string path = folder / ledger_name;
  write_shard(folder / "idx-0001.shard", some_stills());
  collect_run(folder.path().string(), local_machine());
  {
    RunLedger ledger(path);
    ledger.begin_session(testing::sample_session());
    ledger.add_batches(std::array{testing::sample_batch(1, 0), testing::sample_batch(1, 1)});
  }
  const auto statements =
      statements_of(core::read_text_file(KILOBRAGG_SOURCE_DIR "/examples/ledger_queries.sql"));
  ASSERT_EQ(statements.size(), 5u);
  const std::array first{"2025-11-20 12:00:00", "run_00000", "node0012", "", "/images/run.h5"};
  const std::array rows{2, 4, 1, 3, 1};
  const Database database(path, Database::Mode::Read);
  for (std::size_t i = 0; i < statements.size(); ++i) {
    auto row = database.prepare(statements[i]);
    int count = 0;
    while (row.step()) {
      if (count == 0 && i != 3) {
        EXPECT_EQ(row.text(0), first[i]);
      }
      count += i == 3 ? static_cast<int>(row.integer(1)) : 1; // 77 may fall beside its bin
    }
    EXPECT_EQ(count, rows[i]) << statements[i];
  }
}

} // namespace
} // namespace kilobragg::report
