// Runs that are killed, stopped by signals or by a full disk lose nothing: --resume goes on.
#include "stop_signals.hpp"
#include "support/child_process.hpp"
#include "support/comparable_results.hpp"
#include "support/stills_process_runs.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <fstream>
#include <functional>
#include <random>

namespace kilobragg::programs {
namespace {

using testing::ChildProcess;
using testing::comparable_results;
using testing::expect_same_runs;
using testing::wait_until;

constexpr int frames_a = 16, frames_b = 8;
constexpr std::size_t all_frames = frames_a + frames_b;

// What a test does in the middle of a run comes late at times, on a machine that is busy: it may then
// try again so often.
constexpr int attempts = 5;

std::uint64_t shard_bytes(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".shard") bytes += entry.file_size(ignored);
  return bytes;
}

/// Name, size and time of last change of the files of results in a folder.
std::map<std::string, std::pair<std::uint64_t, fs::file_time_type>>
result_files(const std::string& folder) {
  std::map<std::string, std::pair<std::uint64_t, fs::file_time_type>> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().rfind("idx-", 0) == 0)
      found[entry.path().filename().string()] = {entry.file_size(), entry.last_write_time()};
  return found;
}

class Resume : public StillsProcess {
protected:
  static void SetUpTestSuite() {
    folder = std::make_unique<testing::TemporaryFolder>();
    write_images(path("run_a.h5"), frames_a);
    write_images(path("run_b.h5"), frames_b, 500);
    ASSERT_EQ(run(arguments("whole")).status, 0);
    ASSERT_EQ(comparable_results(path("whole")).size(), all_frames);
  }

  static std::string images() { return path("run_a.h5") + " " + path("run_b.h5") + " "; }
  static std::string arguments(const std::string& out, const std::string& more = "") {
    return known_symmetry + images() + "output_dir=" + path(out) + " " + more;
  }
  static std::string log_of(const ChildProcess&) { return core::read_text_file(path("child.txt")); }

  /// The report of a run has one exit state for each of its `images`, and no input that is missing.
  static void expect_all_accounted_for(const std::string& out, int images) {
    const std::string html = core::read_text_file(path(out + "/report.html"));
    const auto at = html.find("<section id=\"states\">");
    ASSERT_NE(at, std::string::npos);
    const std::string states = html.substr(at, 600);
    EXPECT_TRUE(has(states, fmt::format("add up to the {} images", images))) << states;
    EXPECT_FALSE(has(states, "cannot open")) << states;
  }

  /// A run that has written `bytes` of results; it may have ended by then.
  static std::unique_ptr<ChildProcess> started(const std::string& out, int ranks,
                                               const std::string& more, std::uint64_t bytes) {
    auto child =
        std::make_unique<ChildProcess>(command(arguments(out, more), ranks), path("child.txt"));
    EXPECT_TRUE(wait_until(120, [&] { return !child->runs() || shard_bytes(path(out)) >= bytes; }));
    return child;
  }

  struct Disturbed {
    std::optional<int> status; ///< none: it runs on
    std::string said;
    std::size_t results = 0;
  };
  /// A run in whose middle something is done to its ranks; anew if all was over before.
  static Disturbed disturbed(const std::string& out, int ranks, const std::string& more,
                             std::uint64_t bytes,
                             const std::function<void(const std::vector<pid_t>&)>& disturb) {
    Disturbed run;
    for (int i = 0; i < attempts; ++i) {
      fs::remove_all(path(out));
      const auto child = started(out, ranks, more, bytes);
      disturb(child->named("stills_process"));
      run.status = child->wait(60);
      run.said = log_of(*child);
      run.results = comparable_results(path(out)).size();
      if (run.results < all_frames) break;
    }
    return run;
  }

  /// Kills runs in the middle and resumes them, then lets one end.
  static void kill_and_resume(const std::string& out, int ranks, const std::string& more,
                              bool single_rank, int kills, std::uint64_t seed) {
    SCOPED_TRACE(out);
    std::mt19937_64 random(seed);
    const std::uint64_t all = shard_bytes(path("whole"));
    int killed = 0;
    for (int i = 0; i < kills; ++i) {
      const std::uint64_t at =
          shard_bytes(path(out)) + 1 + random() % (all / std::uint64_t(2 * kills));
      const auto child = started(out, ranks, i == 0 ? more : more + " --resume", at);
      killed += child->runs();
      const auto workers = child->named("stills_process");
      if (single_rank && !workers.empty()) {
        ::kill(workers[random() % workers.size()], SIGKILL);
        const auto status = child->wait(60);
        ASSERT_TRUE(status) << "the others wait for ever: " << log_of(*child);
        EXPECT_TRUE(*status != 0 || comparable_results(path(out)).size() == all_frames);
      } else {
        child->kill_family();
        ASSERT_TRUE(child->wait(60));
      }
    }
    EXPECT_GT(killed, 0) << "every run ended before it was killed";
    const auto finished = run(arguments(out, more + " --resume"), ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    expect_same_runs(path(out), path("whole"));
  }
};

TEST_F(Resume, EveryNumberOfRanksAndSizeOfBatchGivesTheSameBytes) {
  const std::vector<std::pair<int, std::string>> ways = {
      {2, "1"}, {3, "3"}, {5, "None"}, {2, "64"}};
  for (const auto& [ranks, batch] : ways) {
    const std::string out = "ranks" + std::to_string(ranks) + "_" + batch;
    const auto finished = run(arguments(out, "dispatch.batch_size=" + batch), ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    expect_same_runs(path(out), path("whole"));
  }
}

TEST_F(Resume, AKilledJobGoesOn) {
  kill_and_resume("job1", 1, "dispatch.batch_size=3", false, 3, 1);
  kill_and_resume("job2", 2, "dispatch.batch_size=1", false, 2, 2);
  kill_and_resume("job3", 3, "dispatch.batch_size=64", false, 2, 3);
  kill_and_resume("job5", 5, "", false, 1, 4);
}

TEST_F(Resume, AKilledRankEndsTheJobWhichGoesOn) { kill_and_resume("rank3", 3, "", true, 2, 5); }

TEST_F(Resume, WithAnotherNumberOfRanks) {
  {
    const auto three = started("others", 3, "", 20'000);
    EXPECT_TRUE(wait_until(60, [] { return fs::exists(path("others/idx-0002.shard")); }));
  }
  started("others", 2, "--resume", 3 * shard_bytes(path("whole")) / 5)->kill_family();
  const auto finished = run(arguments("others", "--resume"), 1);
  ASSERT_EQ(finished.status, 0) << finished.out;
  EXPECT_TRUE(fs::exists(path("others/idx-0002.shard")));
  expect_same_runs(path("others"), path("whole"));
}

TEST_F(Resume, ShardsCutAnywhereAndEmptyOnes) {
  started("cut", 2, "", shard_bytes(path("whole")) / 2)->kill_family();
  for (const auto& entry : fs::directory_iterator(path("cut")))
    if (entry.path().extension() == ".shard" && entry.file_size() > 1000)
      fs::resize_file(entry.path(), entry.file_size() - 777);
  std::ofstream(path("cut/idx-0001.shard"), std::ios::trunc); // killed while it was made
  std::ofstream(path("cut/idx-0007.shard"), std::ios::trunc) << "KBREC";
  const auto finished = run(arguments("cut", "--resume"), 2);
  ASSERT_EQ(finished.status, 0) << finished.out;
  expect_same_runs(path("cut"), path("whole"));
}

class Signals : public Resume, public ::testing::WithParamInterface<int> {};

TEST_P(Signals, StopARunWhicheverRankTheyReach) {
  struct Way {
    int ranks, target; ///< the rank that gets the signal, -1: all
  };
  std::vector<Way> ways = {{1, 0}, {3, 2}, {3, -1}};
  if (GetParam() == SIGUSR1) ways.push_back({3, 0});
  for (const auto& [ranks, target] : ways) {
    const std::string out = fmt::format("signal{}_{}_{}", GetParam(), ranks, target);
    SCOPED_TRACE(out);
    const auto [status, said, results] = disturbed(
        out, ranks, "", 1 + shard_bytes(path("whole")) / 6,
        [target = std::size_t(target), all = target < 0](const std::vector<pid_t>& workers) {
          for (std::size_t i = 0; i < workers.size(); ++i)
            if (all || target == i) ::kill(workers[i], GetParam());
        });
    ASSERT_TRUE(status) << "runs on: " << said;
    EXPECT_EQ(*status, 75) << said;
    EXPECT_TRUE(has(said, std::string("stopped by ") + signal_name(GetParam()))) << said;
    EXPECT_TRUE(has(said, "--resume")) << said;
    EXPECT_GT(results, 0U);
    EXPECT_LT(results, all_frames);
    EXPECT_TRUE(has(said, std::to_string(results) + " of ")) << said;
    const auto finished = run(arguments(out, "--resume"), ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    // Inputs are still being looked at when the run begins: the sum at its end is the whole one.
    EXPECT_TRUE(has(finished.out, "of them have results already")) << finished.out;
    EXPECT_TRUE(has(finished.out, fmt::format("Summary of {} inputs", all_frames - results)))
        << finished.out;
    expect_same_runs(path(out), path("whole"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Signals, ::testing::Values(SIGUSR1, SIGUSR2, SIGTERM, SIGINT));

TEST_F(Resume, OfAWholeRunDoesNothingAndSaysSo) {
  for (const int ranks : {1, 2}) {
    const auto before = result_files(path("whole"));
    const auto finished = run(arguments("whole", "--resume"), ranks);
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_TRUE(has(finished.out, "there is nothing to do")) << finished.out;
    EXPECT_TRUE(result_files(path("whole")) == before);
    expect_all_accounted_for("whole", frames_a + frames_b);
  }
}

TEST_F(Resume, OfNothingIsARun) {
  const auto finished = run(arguments("fresh", "--resume max_images=4"), 2);
  EXPECT_EQ(finished.status, 0) << finished.out;
  EXPECT_EQ(comparable_results(path("fresh")).size(), 4U);
}

TEST_F(Resume, WithOtherOptionsIsRefused) {
  fs::copy(path("whole"), path("options"), fs::copy_options::recursive);
  const auto before = result_files(path("options"));
  const std::string phil = core::read_text_file(path("options/stills_process.phil"));
  for (const int ranks : {1, 2}) {
    const auto refused =
        run(arguments("options", "--resume spotfinder.filter.min_spot_size=4"), ranks);
    EXPECT_EQ(refused.status, 2) << refused.out;
    EXPECT_TRUE(has(refused.out, "spotfinder.filter.min_spot_size is 4, was")) << refused.out;
  }
  EXPECT_TRUE(result_files(path("options")) == before);
  EXPECT_EQ(core::read_text_file(path("options/stills_process.phil")), phil)
      << "the options of the run before stay on record";
  // What results do not depend on may differ.
  EXPECT_EQ(run(arguments("options", "--resume dispatch.timeout=7 dispatch.batch_size=2")).status,
            0);
}

TEST_F(Resume, ProcessesImagesThatWereAdded) {
  const std::string out = "output_dir=" + path("added") + " ";
  ASSERT_EQ(run(known_symmetry + path("run_a.h5") + " " + out).status, 0);
  const auto finished = run(known_symmetry + images() + out + "--resume", 2);
  EXPECT_EQ(finished.status, 0) << finished.out;
  EXPECT_TRUE(has(finished.out, "Summary of " + std::to_string(frames_b) + " inputs"))
      << finished.out;
  EXPECT_TRUE(has(finished.out, std::to_string(frames_a) + " of them have results already"));
  expect_same_runs(path("added"), path("whole"));
}

TEST_F(Resume, AFileThatIsAnotherOneNowIsSaid) {
  const std::string file = path("changing.h5");
  write_images(file, 6);
  const std::string line = known_symmetry + file + " output_dir=" + path("changing") + " ";
  ASSERT_EQ(run(line + "max_images=2").status, 0);
  const auto before = comparable_results(path("changing"));
  // The same name, other pixels.
  io::NxmxLayout layout;
  layout.detector = testing::drawn_detector();
  layout.frames = 6;
  io::NxmxWriter writer(file, layout);
  for (int frame = 0; frame < 6; ++frame)
    writer.write_frame(frame, testing::draw_still(99, false).pixels, 1.3);
  writer.close();
  const auto finished = run(line + "--resume");
  EXPECT_TRUE(has(finished.out, "is not the file that the results are of")) << finished.out;
  const auto after = comparable_results(path("changing"));
  for (const auto& [name, bytes] : before) EXPECT_TRUE(after.at(name) == bytes) << name;
}

TEST_F(Resume, AFileThatWasMissingIsProcessedOnceItIsThere) {
  const std::string line = known_symmetry + path("run_a.h5") + " " + path("late.h5") + " " +
                           path("late.expt") + " output_dir=" + path("late") + " ";
  const auto first = run(line, 2);
  EXPECT_EQ(first.status, 0) << first.out;
  EXPECT_TRUE(has(first.out, "late.h5") && has(first.out, "late.expt")) << first.out;
  // Still missing: tried again, and counted once.
  const auto again = run(line + "--resume", 2);
  EXPECT_EQ(again.status, 0) << again.out;
  const std::string html = core::read_text_file(path("late/report.html"));
  EXPECT_TRUE(has(html, fmt::format("add up to the {} images", frames_a + 2)));
  EXPECT_TRUE(has(html, "cannot open"));
  write_images(path("late.h5"), frames_b, 500);
  write_images(path("listed.h5"), 3, 900);
  ASSERT_EQ(run(known_symmetry + path("listed.h5") + " output_dir=" + path("listed")).status, 0);
  fs::copy(path("listed/idx-0000_integrated.expt"), path("late.expt"));
  for (const int ranks : {2, 1}) { // the second has nothing to do
    const auto finished = run(line + "--resume", ranks);
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_EQ(has(finished.out, "there is nothing to do"), ranks == 1) << finished.out;
    expect_all_accounted_for("late", frames_a + frames_b + 2);
  }
  ASSERT_EQ(run("--collect " + path("late")).status, 0);
  expect_all_accounted_for("late", frames_a + frames_b + 2);
}

TEST_F(Resume, AFileThatIsGoneLeavesItsResults) {
  write_images(path("leaving.h5"), 4, 700);
  const std::string line = known_symmetry + path("run_a.h5") + " " + path("leaving.h5") +
                           " output_dir=" + path("leaving") + " ";
  ASSERT_EQ(run(line).status, 0);
  fs::rename(path("leaving.h5"), path("hidden.h5"));
  const auto without = run(line + "--resume");
  EXPECT_EQ(without.status, 0) << without.out;
  const std::string html = core::read_text_file(path("leaving/report.html"));
  EXPECT_TRUE(has(html, fmt::format("add up to the {} images", frames_a + 4 + 1)));
  EXPECT_TRUE(has(html, "cannot open"));
  fs::rename(path("hidden.h5"), path("leaving.h5"));
  EXPECT_EQ(run(line + "--resume").status, 0);
  expect_all_accounted_for("leaving", frames_a + 4);
}

TEST_F(Resume, DerivesFilesThatAreMissing) {
  fs::copy(path("whole"), path("deleted"), fs::copy_options::recursive);
  for (const char* name : {"strong.refl", "refined.expt", "integrated.expt", "integrated.refl"}) {
    fs::remove(path("deleted/idx-0000_" + std::string(name)));
    const auto finished = run(arguments("deleted", "--resume"));
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_TRUE(fs::exists(path("deleted/idx-0000_" + std::string(name)))) << name << finished.out;
    expect_same_runs(path("deleted"), path("whole"));
  }
}

TEST_F(Resume, AfterAFullDisk) {
  for (const int ranks : {1, 2}) {
    const std::string out = "full" + std::to_string(ranks), options = "output.ledger=False ";
    // A limit on the size of files stands in for the disk.
    const rlimit limit{shard_bytes(path("whole")) / 3, RLIM_INFINITY};
    const auto [status, said, results] =
        disturbed(out, ranks, options, 1000, [&](const std::vector<pid_t>& workers) {
          for (const pid_t pid : workers) ::prlimit(pid, RLIMIT_FSIZE, &limit, nullptr);
        });
    ASSERT_TRUE(status) << said;
    EXPECT_EQ(*status, 1) << said;
    EXPECT_TRUE(has(said, "cannot write") && has(said, ".shard")) << said;
    EXPECT_GT(results, 0U);
    EXPECT_LT(results, all_frames);
    const auto finished = run(arguments(out, "--resume " + options), ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    expect_same_runs(path(out), path("whole"));
  }
}

TEST_F(Resume, AnIndexOfPlacesGivesTheSame) {
  const std::string index = path("places.kbi");
  ASSERT_EQ(run(arguments("indexing", "--write-index=" + index), 2).status, 0);
  const auto from = [&](const std::string& out, int ranks = 1) {
    return run(known_symmetry + index + " output_dir=" + path(out), ranks);
  };
  const auto good = from("indexed", 2);
  EXPECT_EQ(good.status, 0) << good.out;
  expect_same_runs(path("indexed"), path("whole"));
  // A data file of another length: its places are forgotten, its frames found anew.
  const auto bytes = core::read_file(path("run_b.h5"));
  std::ofstream(path("run_b.h5"), std::ios::app | std::ios::binary) << "tail";
  const auto longer = from("longer");
  EXPECT_EQ(longer.status, 0) << longer.out;
  expect_same_runs(path("longer"), path("whole"));
  core::write_file(path("run_b.h5"), bytes);
  for (const std::uint64_t size : {fs::file_size(index) - 5, std::uint64_t(3)}) {
    fs::resize_file(index, size);
    const auto damaged = from("damaged" + std::to_string(size));
    EXPECT_NE(damaged.status, 0) << damaged.out;
    EXPECT_TRUE(has(damaged.out, "places.kbi") && has(damaged.out, "no event index"))
        << damaged.out;
  }
}

} // namespace
} // namespace kilobragg::programs
