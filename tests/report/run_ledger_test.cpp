// Ledgers: the documented schema, sessions, batches, copies for readers, kills and full disks.
#include "support/file_size_limit.hpp"
#include "support/ledger_rows.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <thread>

namespace kilobragg::report {
namespace {

using testing::ask;
using testing::ask_text;
using ::testing::HasSubstr;
using testing::sample_batch;
using testing::sample_session;
using testing::TemporaryFolder;

std::map<std::string, std::string> schema_of(const Database& database) {
  std::map<std::string, std::string> tables;
  auto row = database.prepare("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL");
  while (row.step()) tables[row.text(0)] = row.text(1);
  return tables;
}

TEST(RunLedger, HasTheDocumentedSchema) {
  const TemporaryFolder folder;
  const std::string page = core::read_text_file(KILOBRAGG_SOURCE_DIR "/docs/ledger.md");
  Database documented(folder / "documented", Database::Mode::Write);
  const std::string fence = "```sql\n";
  for (std::size_t at = 0; (at = page.find(fence, at)) != std::string::npos;) {
    at += fence.size();
    documented.execute(page.substr(at, page.find("```", at) - at));
  }
  const RunLedger ledger(folder / "ledger.sqlite");
  const auto expected = schema_of(documented);
  EXPECT_GE(expected.size(), 13u);
  EXPECT_EQ(schema_of(Database(folder / "ledger.sqlite", Database::Mode::Read)), expected);
  EXPECT_EQ(ask(folder / "ledger.sqlite", "PRAGMA user_version"), ledger_schema_version);
}

TEST(RunLedger, TellsOfSessionsAndBatches) {
  const TemporaryFolder folder;
  const std::string path = folder / "ledger.sqlite";
  RunLedger ledger(path);
  EXPECT_EQ(ledger.begin_session(sample_session()), 1);
  EXPECT_EQ(ask_text(path, "SELECT value FROM run WHERE key='state'"), "running");
  ledger.add_batches(std::array{sample_batch(1, 0), sample_batch(2, 0), sample_batch(1, 1)});
  ledger.end_session(SessionState::Finished, 1763640100);
  EXPECT_EQ(ask_text(path, "SELECT value FROM run WHERE key='state'"), "finished");
  EXPECT_EQ(ask_text(path, "SELECT value FROM run WHERE key='ended'"), "1763640100.000");
  EXPECT_EQ(ask(path, "SELECT count(*) FROM run WHERE key IN ('program','version','commit',"
                      "'options','host','ranks','started','events_total','schema_version')"),
            9);
  EXPECT_EQ(
      ask(path, "SELECT integrated*1000000 + hits*10000 + indexed*100 + lattices FROM batches"),
      2'050'203);
  EXPECT_EQ(ask(path, "SELECT seconds_write FROM batches WHERE rank = 2"), 6);
  EXPECT_EQ(ask_text(path, "SELECT states FROM batches"),
            R"({"not_enough_spots":5,"indexing_failed":3,"integrate_ok":2})");
}

TEST(RunLedger, ViewsAddUp) {
  const TemporaryFolder folder;
  const std::string path = folder / "ledger.sqlite";
  RunLedger ledger(path);
  ledger.begin_session(sample_session());
  ledger.add_batches(std::array{sample_batch(1, 0), sample_batch(2, 0), sample_batch(1, 1)});
  EXPECT_EQ(ask(path, "SELECT count(*) FROM rates"), 2);
  EXPECT_EQ(ask(path, "SELECT minute FROM rates"), 1763640000);
  EXPECT_EQ(ask(path, "SELECT images FROM rates"), 20);
  EXPECT_EQ(ask_text(path, "SELECT hit_rate FROM rates"), "0.5");
  EXPECT_EQ(ask_text(path, "SELECT index_rate FROM rates"), "0.4");
  EXPECT_EQ(ask_text(path, "SELECT integration_rate FROM rates"), "0.2");
  EXPECT_EQ(ask(path, "SELECT images FROM exit_states WHERE state = 'indexing_failed'"), 9);
  EXPECT_EQ(ask_text(path, "SELECT fraction FROM exit_states WHERE state = 'indexing_failed'"),
            "0.3");
  EXPECT_EQ(ask(path, "SELECT seconds_index FROM ranks WHERE rank = 1"), 6);
}

TEST(RunLedger, AResumedRunAddsASessionAndNotesTheKilledOne) {
  const TemporaryFolder folder;
  const std::string path = folder / "ledger.sqlite";
  {
    RunLedger ledger(path);
    ledger.begin_session(sample_session());
    ledger.add_batches(std::array{sample_batch(1, 0)});
  }
  RunLedger ledger(path);
  EXPECT_EQ(ledger.begin_session(sample_session(1763650000)), 2);
  ledger.add_batches(std::array{sample_batch(1, 200)});
  ledger.end_session(SessionState::Stopped, 1763650300);
  EXPECT_EQ(ask_text(path, "SELECT group_concat(state) FROM sessions"), "killed,stopped");
  EXPECT_EQ(ask_text(path, "SELECT group_concat(session) FROM batches"), "1,2");
  EXPECT_EQ(ask_text(path, "SELECT value FROM run WHERE key='started'"), "1763640000.000");
}

TEST(RunLedger, ASessionThatKnowsNoNumberOfImagesLeavesTheOneBefore) {
  const TemporaryFolder folder;
  RunLedger ledger(folder / "ledger.sqlite");
  SessionInfo session = sample_session();
  ledger.begin_session(session);
  session.events_total = 0;
  ledger.begin_session(session);
  EXPECT_EQ(ask_text(folder / "ledger.sqlite", "SELECT value FROM run WHERE key='events_total'"),
            "1000");
}

/// The record of an input that could not be opened.
io::StillDigest unopened(const std::string& path, double started) {
  io::StillDigest digest;
  digest.source.path = path;
  digest.state = models::ExitState::PreprocessException;
  digest.processing.started = started;
  return digest;
}

TEST(RunLedger, InputsThatCouldNotBeOpenedAreOfTheLastSession) {
  const TemporaryFolder folder;
  const std::string path = folder / "ledger.sqlite";
  SessionInfo session = sample_session();
  const std::array before{unopened("/a/late.h5", 100), unopened("/a/gone.h5", 101)};
  {
    RunLedger ledger(path);
    ledger.begin_session(session);
    ledger.add_inputs(std::array{InputRow{"/a/late.h5", "", 1, "", "no such file"},
                                 InputRow{"/a/gone.h5", "", 1, "", "no such file"}});
    ledger.add_images(before);
    EXPECT_EQ(ask(path, "SELECT count(*) FROM images"), 2);
  }
  session.retried_until = 101;
  {
    RunLedger ledger(path);
    ledger.begin_session(session);
    EXPECT_EQ(ask(path, "SELECT count(*) FROM inputs"), 0) << "every one is tried again";
    ledger.add_inputs(std::array{InputRow{"/a/late.h5", "/data", 20, "", ""},
                                 InputRow{"/a/gone.h5", "", 1, "", "no such file"}});
    ledger.add_images(std::array{unopened("/a/gone.h5", 200)});
  }
  RunLedger ledger(path); // collecting everything once more
  ledger.add_images(before);
  EXPECT_EQ(ask_text(path, "SELECT group_concat(path || started) FROM images"), "/a/gone.h5200.0");
  EXPECT_EQ(ask_text(path, "SELECT group_concat(path) FROM inputs WHERE problem IS NOT NULL"),
            "/a/gone.h5");
}

TEST(RunLedger, InputsAreUpdatedNotRepeated) {
  const TemporaryFolder folder;
  const std::string path = folder / "ledger.sqlite";
  RunLedger ledger(path);
  ledger.add_inputs(std::array{InputRow{"/a/run_1.h5", "/entry/data", 500, "", ""},
                               InputRow{"/a/run_2.h5", "", 0, "", "no such file"}});
  ledger.add_inputs(std::array{InputRow{"/a/../a/run_1.h5", "/entry/data", 0, "c0ffee", ""}});
  EXPECT_EQ(ask(path, "SELECT count(*) FROM inputs"), 2);
  EXPECT_EQ(ask_text(path, "SELECT stem || frames || content_id FROM inputs"), "run_1500c0ffee");
  EXPECT_EQ(ask(path, "SELECT count(*) FROM inputs WHERE frames IS NULL AND content_id IS NULL AND "
                      "problem = 'no such file'"),
            1);
}

TEST(RunLedger, RefusesWhatItCannotUse) {
  const TemporaryFolder folder;
  std::ofstream(folder / "text") << std::string(5000, 'x');
  EXPECT_THROW(RunLedger(folder / "text"), core::Error);
  Database(folder / "other", Database::Mode::Write).execute("CREATE TABLE mine(x)");
  EXPECT_THROW(RunLedger(folder / "other"), core::Error);
  Database(folder / "later", Database::Mode::Write).execute("PRAGMA user_version=99");
  try {
    RunLedger(folder / "later");
    ADD_FAILURE() << "opened a ledger of a later version";
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("later version (99"));
    EXPECT_THAT(error.what(), HasSubstr(folder / "later"));
  }
  EXPECT_THROW(RunLedger(folder / "no/such/folder"), core::Error);
  std::filesystem::create_symlink(folder / "elsewhere", folder / "link");
  EXPECT_THROW(RunLedger(folder / "link"), core::Error); // /tmp is everybody's
  RunLedger ledger(folder / "new");
  EXPECT_THROW(ledger.add_batches(std::array{sample_batch(0, 0)}), core::Error); // no session
}

TEST(RunLedger, SnapshotsAreWholeWhileTheLedgerGrows) {
  const TemporaryFolder folder;
  const std::string path = folder / "live.sqlite", target = folder / "ledger.sqlite";
  RunLedger ledger(path);
  ledger.begin_session(sample_session());
  ledger.snapshot(target);
  std::atomic<bool> done = false;
  std::atomic<int> reads = 0;
  std::thread reader([&] {
    std::int64_t before = 0;
    while (!done || reads < 3) {
      const Database copy(target, Database::Mode::Read);
      const auto rows = copy.integer("SELECT count(*) FROM batches");
      EXPECT_EQ(rows % 5, 0);
      EXPECT_GE(rows, before);
      before = rows;
      ++reads;
    }
  });
  for (int i = 0; i < 40; ++i) {
    ledger.add_batches(std::vector<BatchRow>(5, sample_batch(1, i)));
    ledger.snapshot(target);
  }
  done = true;
  reader.join();
  EXPECT_EQ(ask(target, "SELECT count(*) FROM batches"), 200);
  EXPECT_EQ(ask_text(target, "PRAGMA integrity_check"), "ok");
  EXPECT_EQ(ask_text(target, "PRAGMA journal_mode"), "delete");
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".part")));
}

/// The exit status of `check` in a process without root's rights, to which every folder can be written;
/// -1 if they cannot be laid down.
int without_rights_of_root(const std::function<int()>& check) {
  constexpr int cannot = 255, nobody = 65534;
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_root = ::geteuid() == 0;
    if (is_root && (::setgroups(0, nullptr) != 0 || ::setgid(nobody) != 0 || ::setuid(nobody) != 0))
      ::_exit(cannot);
    try {
      ::_exit(check());
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  return code == cannot ? -1 : code;
}

TEST(RunLedger, ASnapshotIsReadInAFolderThatCannotBeWritten) {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  std::filesystem::create_directory(folder / "out");
  RunLedger ledger(folder / "live.sqlite");
  ledger.begin_session(sample_session());
  ledger.snapshot(folder / "out/ledger.sqlite");
  std::filesystem::permissions(folder / "out", std::filesystem::perms(0555));
  const int status = without_rights_of_root([&] {
    EXPECT_NE(::access((folder / "out").c_str(), W_OK), 0);
    EXPECT_EQ(ask(folder / "out/ledger.sqlite", "SELECT count(*) FROM sessions"), 1);
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  std::filesystem::permissions(folder / "out", std::filesystem::perms(0755));
  if (status < 0) GTEST_SKIP() << "root cannot lay down its rights here";
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "out/ledger.sqlite-wal"));
}

TEST(RunLedger, AFailedSnapshotLeavesTheOneBefore) {
  const TemporaryFolder folder;
  const std::string target = folder / "ledger.sqlite";
  RunLedger ledger(folder / "live.sqlite");
  ledger.begin_session(sample_session());
  ledger.snapshot(target);
  ledger.add_batches(std::vector<BatchRow>(3000, sample_batch(1, 0)));
  {
    const testing::FileSizeLimit limit(100'000);
    EXPECT_THROW(ledger.snapshot(target), core::Error);
  }
  EXPECT_EQ(ask(target, "SELECT count(*) FROM batches"), 0);
  ledger.snapshot(target);
  EXPECT_EQ(ask(target, "SELECT count(*) FROM batches"), 3000);
}

TEST(RunLedger, AFullDiskKeepsWhatWasWrittenBefore) {
  const TemporaryFolder folder;
  const std::string path = folder / "ledger.sqlite";
  {
    RunLedger ledger(path);
    ledger.begin_session(sample_session());
    ledger.add_batches(std::vector<BatchRow>(10, sample_batch(1, 0)));
    const testing::FileSizeLimit limit(200'000);
    try {
      ledger.add_batches(std::vector<BatchRow>(5000, sample_batch(1, 0)));
      ADD_FAILURE() << "wrote beyond the limit";
    } catch (const core::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(path));
    }
    EXPECT_EQ(ask(path, "SELECT count(*) FROM batches"), 10);
  }
  EXPECT_EQ(ask_text(path, "PRAGMA integrity_check"), "ok");
  RunLedger again(path);
  again.begin_session(sample_session());
  again.add_batches(std::vector<BatchRow>(5, sample_batch(1, 0)));
  EXPECT_EQ(ask(path, "SELECT count(*) FROM batches"), 15);
}

/// Adds batches in sevens until it is killed; says so after the first seven.
[[noreturn]] void write_until_killed(const std::string& path, int tell) {
  RunLedger ledger(path);
  ledger.begin_session(sample_session());
  ledger.add_batches(std::vector<BatchRow>(7, sample_batch(1, 0)));
  if (::write(tell, "!", 1) != 1) std::abort();
  while (true) ledger.add_batches(std::vector<BatchRow>(7, sample_batch(1, 0)));
}

TEST(RunLedger, AKilledProcessLeavesWholeTransactions) {
  const TemporaryFolder folder;
  const std::string path = folder / "ledger.sqlite";
  { RunLedger(folder / "ledger.sqlite"); }
  std::mt19937 random(1);
  std::int64_t before = 0;
  for (int round = 0; round < 15; ++round) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(path, pipe[1]);
    ::close(pipe[1]);
    char said = 0;
    EXPECT_EQ(::read(pipe[0], &said, 1), 1) << "it ended by itself";
    ::close(pipe[0]);
    ::usleep(useconds_t(random() % 50'000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const Database database(path, Database::Mode::Write); // which may set right what was half done
    const auto rows = database.integer("SELECT count(*) FROM batches");
    EXPECT_EQ(rows % 7, 0);
    EXPECT_GE(rows, before + 7);
    before = rows;
    auto check = database.prepare("PRAGMA quick_check");
    ASSERT_TRUE(check.step());
    EXPECT_EQ(check.text(0), "ok");
  }
}

} // namespace
} // namespace kilobragg::report
