// The ledger of a run in progress: its place, its thread, and what it does when disks fail.
#include "support/file_size_limit.hpp"
#include "support/ledger_rows.hpp"
#include "support/sample_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/report/live_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>

namespace kilobragg::report {
namespace {

namespace fs = std::filesystem;
using testing::ask;
using testing::ask_text;
using ::testing::HasSubstr;
using testing::sample_batch;
using testing::sample_session;
using testing::TemporaryFolder;

/// Output on a shared file system, scratch on the node.
struct SharedMachine {
  TemporaryFolder output, scratch;
  LiveOptions options() const {
    LiveOptions live;
    live.write_seconds = 0.01;
    live.machine = {[this](const std::string& path) { return path == scratch.path().string(); },
                    scratch.path().string()};
    return live;
  }
  std::string ledger() const { return output / ledger_name; }
};

/// Waits for `question` to become `answer`, at most ten seconds.
bool becomes(const std::string& path, const std::string& question, std::int64_t answer) {
  for (int i = 0; i < 1000; ++i) {
    if (fs::exists(path) && ask(path, question) == answer) return true;
    ::usleep(10'000);
  }
  return false;
}

TEST(LedgerPlace, IsTheOutputFolderOnALocalDisk) {
  const TemporaryFolder folder;
  const auto place =
      place_ledger(folder.path().string(), {[](const std::string&) { return true; }, std::nullopt});
  EXPECT_TRUE(place.in_place());
  EXPECT_EQ(place.live, fs::canonical(folder.path()) / "ledger.sqlite");
}

TEST(LedgerPlace, IsTheNodesScratchOtherwise) {
  const SharedMachine machine;
  const auto view = machine.options().machine;
  const auto place = place_ledger(machine.output.path().string(), view);
  EXPECT_FALSE(place.in_place());
  EXPECT_EQ(fs::path(place.live).parent_path(), machine.scratch.path());
  EXPECT_EQ(place.published, fs::canonical(machine.output.path()) / "ledger.sqlite");
  const TemporaryFolder other;
  EXPECT_NE(place_ledger(other.path().string(), view).live, place.live);
}

TEST(LedgerPlace, TakesTheFirstLocalScratchFolder) {
  const TemporaryFolder output, job;
  const std::string before = std::getenv("SLURM_TMPDIR") ? std::getenv("SLURM_TMPDIR") : "";
  ::setenv("SLURM_TMPDIR", job.path().c_str(), 1);
  const auto place = place_ledger(
      output.path().string(),
      {[&](const std::string& path) { return path == job.path().string(); }, std::nullopt});
  EXPECT_EQ(fs::path(place.live).parent_path(), job.path());
  EXPECT_THROW(place_ledger(output.path().string(),
                            {[](const std::string&) { return false; }, std::nullopt}),
               core::Error);
  before.empty() ? ::unsetenv("SLURM_TMPDIR") : ::setenv("SLURM_TMPDIR", before.c_str(), 1);
}

TEST(LedgerPlace, KnowsMemoryFromWhatIsNoFile) {
  if (fs::is_directory("/dev/shm")) {
    EXPECT_TRUE(is_local_disk("/dev/shm"));
  }
  EXPECT_FALSE(is_local_disk("/proc")); // not in the list
  EXPECT_FALSE(is_local_disk("/no/such/folder"));
}

TEST(LiveLedger, RecordsARunInPlace) {
  const TemporaryFolder folder;
  const std::string path = folder / ledger_name;
  LiveOptions options;
  options.write_seconds = 0.01;
  options.machine.is_local = [](const std::string&) { return true; };
  LiveLedger ledger(folder.path().string(), sample_session(), options);
  EXPECT_EQ(ledger.path(), fs::canonical(folder.path()) / "ledger.sqlite");
  ledger.add_inputs({{"/a/run_1.h5", "", 400, "", ""}}, 400);
  for (int i = 0; i < 30; ++i) ledger.add_batch(sample_batch(i % 3, i));
  EXPECT_TRUE(becomes(path, "SELECT count(*) FROM batches", 30)); // read while it is open
  ledger.add_batch(sample_batch(1, 31));
  ledger.finish(SessionState::Finished);
  ledger.add_batch(sample_batch(1, 32)); // too late, and harmless
  EXPECT_EQ(ledger.problem(), "");
  EXPECT_EQ(ask(path, "SELECT count(*) FROM batches"), 31);
  EXPECT_EQ(ask_text(path, "SELECT value FROM run WHERE key='events_total'"), "400");
  EXPECT_EQ(ask_text(path, "SELECT state FROM sessions"), "finished");
  EXPECT_FALSE(fs::exists(path + "-wal"));
}

TEST(LiveLedger, PublishesWhileItRunsAndCleansUp) {
  const SharedMachine machine;
  auto options = machine.options();
  options.publish_seconds = 0.05;
  LiveLedger ledger(machine.output.path().string(), sample_session(), options);
  ledger.add_batch(sample_batch(1, 1));
  EXPECT_TRUE(becomes(machine.ledger(), "SELECT count(*) FROM batches", 1));
  EXPECT_EQ(ask_text(machine.ledger(), "SELECT state FROM sessions"), "running");
  EXPECT_FALSE(fs::is_empty(machine.scratch.path()));
  ledger.finish(SessionState::Stopped);
  EXPECT_EQ(ask_text(machine.ledger(), "SELECT state FROM sessions"), "stopped");
  EXPECT_TRUE(fs::is_empty(machine.scratch.path()));
  EXPECT_EQ(ledger.problem(), "");
}

TEST(LiveLedger, ContinuesFromWhatIsPublished) {
  const SharedMachine machine;
  for (int session = 1; session <= 2; ++session) {
    LiveLedger ledger(machine.output.path().string(), sample_session(), machine.options());
    ledger.add_batch(sample_batch(1, session));
    ledger.finish(session == 1 ? SessionState::Stopped : SessionState::Finished);
  }
  EXPECT_EQ(ask_text(machine.ledger(), "SELECT group_concat(state) FROM sessions"),
            "stopped,finished");
  EXPECT_EQ(ask(machine.ledger(), "SELECT count(*) FROM batches"), 2);
}

TEST(LiveLedger, ReplacesWhatAKilledRunLeftOnTheNode) {
  const SharedMachine machine;
  const auto place = place_ledger(machine.output.path().string(), machine.options().machine);
  for (const char* ending : {"", "-wal", "-shm"})
    std::ofstream(place.live + ending) << "left by a run of yesterday";
  LiveLedger ledger(machine.output.path().string(), sample_session(), machine.options());
  ledger.finish(SessionState::Finished);
  EXPECT_EQ(ledger.problem(), "");
  EXPECT_EQ(ask(machine.ledger(), "SELECT count(*) FROM sessions"), 1);
}

/// Records a batch every now and then until it is killed.
[[noreturn]] void record_until_killed(const std::string& output, const LiveOptions& options) {
  LiveLedger ledger(output, sample_session(), options);
  for (int i = 0;; ++i) {
    ledger.add_batch(sample_batch(1, i));
    ::usleep(500);
  }
}

TEST(LiveLedger, AKilledRunIsContinued) {
  const SharedMachine machine;
  auto options = machine.options();
  options.publish_seconds = 0.02;
  const std::string output = machine.output.path().string();
  const pid_t child = ::fork();
  if (child == 0) record_until_killed(output, options);
  EXPECT_TRUE(becomes(machine.ledger(), "SELECT count(*) > 20 FROM batches", 1));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const auto before = ask(machine.ledger(), "SELECT count(*) FROM batches");
  LiveLedger ledger(output, sample_session(), options);
  ledger.add_batch(sample_batch(1, 1));
  ledger.finish(SessionState::Finished);
  EXPECT_EQ(ledger.problem(), "");
  EXPECT_EQ(ask(machine.ledger(), "SELECT count(*) FROM batches"), before + 1);
  EXPECT_EQ(ask_text(machine.ledger(), "SELECT group_concat(state) FROM sessions"),
            "killed,finished");
}

TEST(LiveLedger, AFullDiskEndsTheRecordingAndNothingElse) {
  const TemporaryFolder folder;
  LiveOptions options;
  options.write_seconds = 0.01;
  options.machine.is_local = [](const std::string&) { return true; };
  ::testing::internal::CaptureStderr();
  {
    LiveLedger ledger(folder.path().string(), sample_session(), options);
    ledger.add_batch(sample_batch(1, 1));
    ASSERT_TRUE(becomes(folder / ledger_name, "SELECT count(*) FROM batches", 1));
    {
      const testing::FileSizeLimit limit(200'000);
      for (int i = 0; i < 5000; ++i) ledger.add_batch(sample_batch(1, i));
      for (int i = 0; i < 1000 && ledger.problem().empty(); ++i) ::usleep(10'000);
    }
    EXPECT_THAT(ledger.problem(), HasSubstr(ledger_name));
    for (int i = 0; i < 5; ++i) ledger.add_batch(sample_batch(1, i));
    ledger.finish(SessionState::Finished); // there is room again
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  const auto said = log.find("the run ledger ends here, the run goes on");
  EXPECT_NE(said, std::string::npos) << log;
  EXPECT_EQ(log.find("the run ledger ends here", said + 1), std::string::npos) << log;
  const std::string path = folder / ledger_name;
  EXPECT_EQ(ask_text(path, "PRAGMA integrity_check"), "ok");
  EXPECT_GE(ask(path, "SELECT count(*) FROM batches"), 1);
  EXPECT_EQ(ask_text(path, "SELECT state FROM sessions"), "finished");
  EXPECT_THAT(ask_text(path, "SELECT value FROM run WHERE key='problem'"), HasSubstr("ends here"));
}

TEST(LiveLedger, AFolderThatIsNotThereIsSaidOnce) {
  ::testing::internal::CaptureStderr();
  LiveLedger ledger("/no/such/folder", sample_session());
  ledger.add_batch(sample_batch(1, 1));
  ledger.add_inputs({}, 0);
  EXPECT_EQ(ledger.collect({"/no/such.shard"}), 0);
  ledger.finish(SessionState::Finished);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("/no/such/folder"));
  EXPECT_THAT(ledger.problem(), HasSubstr("/no/such/folder"));
}

std::atomic<pid_t> signalled = 0;

TEST(LiveLedger, SignalsGoToTheThreadThatRunsTheJob) {
  const TemporaryFolder folder;
  const auto before = std::signal(SIGUSR1, [](int) { signalled = ::gettid(); });
  LiveLedger ledger(folder.path().string(), sample_session());
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, nullptr); // another thread would have to take it
  ::kill(::getpid(), SIGUSR1);
  ::usleep(20'000);
  EXPECT_EQ(signalled, 0);
  pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
  EXPECT_EQ(signalled, ::gettid());
  std::signal(SIGUSR1, before);
}

TEST(LiveLedger, ADiskThatHangsDoesNotFillTheMemory) {
  const TemporaryFolder folder;
  LiveOptions options;
  options.write_seconds = 100;
  options.queue = 3;
  options.machine.is_local = [](const std::string&) { return true; };
  LiveLedger ledger(folder.path().string(), sample_session(), options);
  for (int i = 0; i < 5; ++i) ledger.add_batch(sample_batch(1, i));
  EXPECT_THAT(ledger.problem(), HasSubstr("3 batches wait"));
}

TEST(LiveLedger, AShardThatCannotBeReadDoesNotEndTheRecording) {
  const TemporaryFolder folder;
  LiveOptions options;
  options.machine.is_local = [](const std::string&) { return true; };
  const std::string shard = folder / "idx-0001.shard";
  {
    io::ShardWriter writer(shard, "{}");
    writer.append(testing::sample_still(1, testing::sample_detector()));
  }
  LiveLedger ledger(folder.path().string(), sample_session(), options);
  EXPECT_EQ(ledger.collect({shard}), 1);
  EXPECT_EQ(ledger.collect({folder / "idx-0002.shard"}), 0);
  ledger.finish(SessionState::Finished);
  EXPECT_THAT(ledger.problem(), HasSubstr("idx-0002.shard"));
  EXPECT_EQ(ask(folder / ledger_name, "SELECT count(*) FROM images"), 1);
  EXPECT_EQ(ask_text(folder / ledger_name, "SELECT state FROM sessions"), "finished");
}

} // namespace
} // namespace kilobragg::report
