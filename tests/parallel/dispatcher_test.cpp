// Every item is worked on exactly once and every report comes back, in both modes of the root.
#include "support/temporary_folder.hpp"

#include "kilobragg/parallel/dispatcher.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>

namespace kilobragg::parallel {
namespace {

/// Something that the root tells all ranks apart from dispatch(): by a file, since all tests run on one
/// machine. Ranks that wait for it keep their items, so that slow ranks get theirs in time.
class Sign {
public:
  Sign() {
    const auto comm = Communicator::world();
    if (comm.is_root()) folder_ = std::make_unique<testing::TemporaryFolder>();
    if (folder_) file_ = *folder_ / "given";
    comm.broadcast(file_);
  }
  void give() const { std::ofstream(file_).flush(); }
  /// Until it is given; gives up after a minute, and at once from then on.
  void wait() {
    for (; !std::filesystem::exists(file_) && waited_ < 60'000; ++waited_)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

private:
  std::unique_ptr<testing::TemporaryFolder> folder_;
  std::string file_;
  int waited_ = 0;
};

struct Run {
  std::map<std::string, int> reports; ///< on the root: report -> how often
  std::set<int> ranks;                ///< that reported
};

/// The first items are not done before `workers` ranks have got one.
Run run(int items, const DispatchParams& params, std::size_t workers = 0) {
  const auto comm = Communicator::world();
  Run result;
  int handed_out = 0;
  Sign all_work;
  std::set<int> asked;
  const WorkSource source{[&](int rank) -> std::optional<std::string> {
                            if (handed_out == items) return std::nullopt;
                            ++handed_out;
                            asked.insert(rank);
                            if (asked.size() == workers) all_work.give();
                            return handed_out == 1
                                       ? ""
                                       : std::to_string(handed_out); // an empty item is an item
                          },
                          [&](int rank, std::string&& report) {
                            ++result.reports[report];
                            result.ranks.insert(rank);
                          }};
  dispatch(
      comm, source,
      [&](const std::string& item) {
        if (workers > 0) all_work.wait();
        return item == "3" ? "" : "did " + item; // an empty report is a report
      },
      params);
  return result;
}

void check(const Run& result, int items) {
  if (!Communicator::world().is_root()) {
    EXPECT_TRUE(result.reports.empty());
    return;
  }
  EXPECT_EQ(result.reports.size(), std::size_t(items));
  for (const auto& [report, times] : result.reports) EXPECT_EQ(times, 1) << report;
}

TEST(Dispatcher, WorkingRoot) { check(run(500, {.working_root_ranks = 100}), 500); }
TEST(Dispatcher, ServingRoot) { check(run(500, {.working_root_ranks = 1}), 500); }
TEST(Dispatcher, FewerItemsThanRanks) {
  check(run(1, {.working_root_ranks = 100}), 1);
  check(run(1, {.working_root_ranks = 1}), 1);
  check(run(0, {}), 0);
}

TEST(Dispatcher, WhoWorks) {
  const auto comm = Communicator::world();
  const std::size_t ranks = std::size_t(comm.size());
  const auto working = run(40, {.working_root_ranks = 100}, ranks);
  const auto serving = run(40, {.working_root_ranks = 1}, ranks - 1);
  if (!comm.is_root() || comm.size() == 1) return;
  EXPECT_TRUE(working.ranks.count(0));
  EXPECT_EQ(working.ranks.size(), ranks);
  EXPECT_FALSE(serving.ranks.count(0));
  EXPECT_EQ(serving.ranks.size(), ranks - 1);
}

TEST(Dispatcher, LongItemsAndReports) {
  const auto comm = Communicator::world();
  const std::string item(3'000'000, 'i');
  int left = 6, good = 0;
  dispatch(comm,
           {[&](int) { return left-- > 0 ? std::optional(item) : std::nullopt; },
            [&](int, std::string&& report) { good += report == item + "!"; }},
           [](const std::string& text) { return text + "!"; });
  EXPECT_EQ(good, comm.is_root() ? 6 : 0);
}

/// Items that a rank gives back are done by another, though all that was left is out by then.
void give_back(const DispatchParams& params) {
  const auto comm = Communicator::world();
  const int quitter = comm.size() - 1;
  if (quitter == 0) return;
  std::deque<int> items;
  for (int i = 0; i < 50; ++i) items.push_back(i);
  std::set<std::string> done;
  bool given_back = false;
  Sign quitter_has_one, all_are_out;
  const WorkSource source{[&](int rank) -> std::optional<std::string> {
                            if (items.empty()) return std::nullopt;
                            const int item = items.front();
                            items.pop_front();
                            if (rank == quitter) quitter_has_one.give();
                            if (items.empty()) all_are_out.give();
                            return std::to_string(item);
                          },
                          [&](int rank, std::string&& report) {
                            if (report.front() == '-') {
                              EXPECT_EQ(rank, quitter);
                              EXPECT_FALSE(given_back);
                              given_back = true;
                              items.push_back(std::stoi(report.substr(1)));
                            } else {
                              EXPECT_TRUE(done.insert(report).second) << report;
                            }
                          }};
  dispatch(
      comm, source,
      [&](const std::string& item) -> Worked {
        (comm.rank() == quitter ? all_are_out : quitter_has_one).wait();
        if (comm.rank() != quitter) return item;
        return {"-" + item, true};
      },
      params);
  if (!comm.is_root()) return;
  EXPECT_EQ(done.size(), 50U);
  EXPECT_TRUE(given_back);
}

TEST(Dispatcher, WhatARankGivesBackIsDoneByAnother) {
  give_back({.working_root_ranks = 100});
  if (Communicator::world().size() > 2) give_back({.working_root_ranks = 1});
}

TEST(Dispatcher, EndsWhenEveryRankHasLeft) {
  const auto comm = Communicator::world();
  int reports = 0;
  dispatch(comm,
           {[](int) { return std::optional<std::string>("again"); },
            [&](int, std::string&&) { ++reports; }},
           [](const std::string& item) { return Worked(item, true); });
  EXPECT_EQ(reports, comm.is_root() ? comm.size() : 0);
}

TEST(Dispatcher, IdleJobsOfTheRootFindMoreItems) {
  const auto comm = Communicator::world();
  if (comm.size() == 1) return; // alone, next() is asked until it has nothing
  int found = 0, handed_out = 0, done = 0;
  dispatch(comm,
           {[&](int) -> std::optional<std::string> {
              if (handed_out == found && found < 20) ++found;
              if (handed_out == found) return std::nullopt;
              return std::to_string(++handed_out);
            },
            [&](int, std::string&&) { ++done; },
            [&] {
              if (found < 20) ++found;
              return found < 20;
            }},
           [](const std::string& item) { return Worked(item); });
  EXPECT_EQ(done, comm.is_root() ? 20 : 0);
}

} // namespace
} // namespace kilobragg::parallel
