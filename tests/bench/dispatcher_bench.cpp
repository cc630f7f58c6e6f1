// Requests per second of the dispatcher under mpirun; alone, the model of 4096 ranks on top of that.
//
//   mpirun -n 4 --oversubscribe bench_dispatcher       measures
//   bench_dispatcher 5e-6                              plays jobs with this service time (s)
#include "batch_policy.hpp"
#include "support/dispatch_simulation.hpp"

#include "kilobragg/core/log.hpp"
#include "kilobragg/parallel/dispatcher.hpp"

#include <fmt/format.h>
#include <time.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace kilobragg {
namespace {

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Case {
  bool working_root; ///< a helper thread polls, instead of blocking
  std::size_t item, report;
  int requests;
  int work_microseconds; ///< 0: ranks ask at once, the root is never without a request
};

void measure(const parallel::Communicator& comm, const Case& test) {
  using namespace std::chrono;
  const std::string item(test.item, 'i'), report(test.report, 'r');
  int left = test.requests, answered = 0;
  std::size_t bytes = 0;
  const parallel::WorkSource source{[&](int rank) -> std::optional<std::string> {
                                      if (left == 0) return std::nullopt;
                                      --left;
                                      if (rank != 0) ++answered;
                                      return item;
                                    },
                                    [&](int, std::string&& text) { bytes += text.size(); }};
  const auto work = [&](const std::string&) {
    // The root's own share must not be a race through the items without any message.
    if (comm.is_root()) std::this_thread::sleep_for(20ms);
    if (test.work_microseconds > 0)
      std::this_thread::sleep_for(microseconds(test.work_microseconds));
    return report;
  };
  comm.barrier();
  const double wall = wall_seconds(), cpu = cpu_seconds();
  parallel::dispatch(comm, source, work, {.working_root_ranks = test.working_root ? 1 << 20 : 0});
  if (!comm.is_root()) return;
  const double seconds = wall_seconds() - wall, busy = cpu_seconds() - cpu;
  fmt::print("{:5} {:9} {:6} {:7} {:8} {:12.0f} {:12.2f}\n", comm.size(),
             test.working_root ? "polling" : "blocking", test.item, test.report,
             test.work_microseconds, answered / seconds, 1e6 * busy / answered);
  std::fflush(stdout);
}

void measure_all(const parallel::Communicator& comm) {
  if (comm.is_root())
    fmt::print("{:>5} {:9} {:>6} {:>7} {:>8} {:>12} {:>12}\n", "ranks", "root", "item", "report",
               "work us", "requests/s", "CPU us each");
  for (const bool working_root : {false, true}) {
    for (const auto& [item, report] : {std::pair{100, 200}, {4096, 200}, {4096, 15000}})
      measure(comm, {working_root, std::size_t(item), std::size_t(report),
                     working_root ? 2000 : 20000, 0});
    measure(comm, {working_root, 100, 200, 200 * comm.size(), 10000});
  }
}

void time_policy() {
  constexpr int ranks = 4096, rounds = 200;
  programs::BatchPolicy policy(ranks);
  const double start = cpu_seconds();
  std::int64_t left = std::int64_t{1} << 40;
  for (int round = 0; round < rounds; ++round)
    for (int rank = 0; rank < ranks; ++rank) {
      const auto count = policy.next(rank, left, false);
      policy.finished(rank, count, static_cast<double>(count) * 0.01);
      left -= count;
    }
  fmt::print("policy: {:.1f} ns per request\n\n", 1e9 * (cpu_seconds() - start) / (ranks * rounds));
}

/// CPU seconds that a line per image in the log costs the first rank.
double time_lines() {
  const std::string file =
      (std::filesystem::temp_directory_path() / "dispatcher_bench.log").string();
  core::start_log({.level = core::LogLevel::Info, .console = false, .file = file, .prefix = ""});
  const std::string line(150, 'l');
  constexpr int lines = 200'000;
  const double start = cpu_seconds();
  for (int i = 0; i < lines; ++i) core::log_info("{}", line);
  core::flush_log();
  const double each = (cpu_seconds() - start) / lines;
  core::start_log({.level = core::LogLevel::Info, .console = false, .file = "", .prefix = ""});
  std::filesystem::remove(file);
  fmt::print("log: {:.2f} us per line of 150 bytes\n", 1e6 * each);
  return each;
}

/// 1: single images. 2: a quarter of an even share, at most 64. 3: BatchPolicy.
testing::JobOutcome play(const testing::Job& job, int kind) {
  programs::BatchPolicy policy(job.ranks);
  if (kind == 1) return simulate(job, {[](int, std::int64_t, bool) { return std::int64_t{1}; }});
  if (kind == 2)
    return simulate(job, {[&](int, std::int64_t left, bool) {
                      return std::clamp<std::int64_t>(left / (4 * job.ranks), 1, 64);
                    }});
  return simulate(job, {[&](int rank, std::int64_t left, bool growing) {
                          return policy.next(rank, left, growing);
                        },
                        [&](int rank, std::int64_t events, double seconds) {
                          policy.finished(rank, events, seconds);
                        }});
}

void show(const char* name, const testing::Job& job) {
  const char* const kinds[] = {"one image", "share, <= 64", "time"};
  for (int kind = 1; kind <= 3; ++kind) {
    const auto o = play(job, kind);
    fmt::print("{:34} {:13} {:8.2f} {:8.2f} {:7.2f} {:7.2f} {:7.3f} {:7.3f} {:9}\n", name,
               kinds[kind - 1], o.seconds, o.ideal, 100 * o.load, o.idle_at_end, o.first_result,
               o.longest_wait, o.requests);
  }
}

void play_all(double service) {
  time_policy();
  const double line = time_lines();
  fmt::print("service {:.2f} us; seconds of the run, with no idle rank, load of rank 0 (%), mean "
             "idle at the end,\nfirst result, longest wait for rank 0, requests\n",
             1e6 * service);
  testing::Job job;
  job.service = service;
  job.cost = testing::mixed_image;
  for (const std::int64_t images : {100'000, 1'000'000, 10'000'000}) {
    job.images = images;
    show(fmt::format("{:.0e} images, 100/s", static_cast<double>(images)).c_str(), job);
  }
  auto growing = job;
  growing.known_at_start = 1000;
  growing.found_per_second = 1e6;
  show("1e+07, found at 1e6/s", growing);
  growing.found_per_second = 2e5;
  show("1e+07, found at 2e5/s", growing);
  auto bursts = job;
  bursts.cost = [](std::int64_t i) { return i / 1'000'000 % 2 ? 0.001 : testing::mixed_image(i); };
  show("1e+07, every other 1e6 blank", bursts);
  bursts.cost = [](std::int64_t) { return 0.001; };
  show("1e+07, all blank, 1000/s", bursts);
  auto lines = job;
  lines.per_image = line;
  show("1e+07, a log line per image", lines);
  auto small = job;
  small.images = 5000;
  small.ranks = 7;
  show("5000 images, 7 ranks", small);
}

} // namespace
} // namespace kilobragg

int main(int argc, char** argv) {
  const kilobragg::parallel::Environment environment(argc, argv);
  const auto comm = kilobragg::parallel::Communicator::world();
  if (comm.size() > 1)
    kilobragg::measure_all(comm);
  else
    kilobragg::play_all(argc > 1 ? std::atof(argv[1]) : 10e-6);
  return 0;
}
