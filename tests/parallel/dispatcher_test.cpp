// Every item is worked on exactly once and every report comes back, in both modes of the root.
#include "kilobragg/parallel/dispatcher.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <set>
#include <thread>

namespace kilobragg::parallel {
namespace {

struct Run {
  std::map<std::string, int> reports; ///< on the root: report -> how often
  std::set<int> ranks;                ///< that reported
};

Run run(int items, const DispatchParams& params, int work_microseconds = 0) {
  const auto comm = Communicator::world();
  Run result;
  int handed_out = 0;
  const WorkSource source{[&](int) -> std::optional<std::string> {
                            if (handed_out == items) return std::nullopt;
                            ++handed_out;
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
        std::this_thread::sleep_for(std::chrono::microseconds(work_microseconds));
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
  const auto working = run(40, {.working_root_ranks = 100}, 3000);
  const auto serving = run(40, {.working_root_ranks = 1}, 3000);
  if (!comm.is_root() || comm.size() == 1) return;
  EXPECT_TRUE(working.ranks.count(0));
  EXPECT_EQ(working.ranks.size(), std::size_t(comm.size()));
  EXPECT_FALSE(serving.ranks.count(0));
  EXPECT_EQ(serving.ranks.size(), std::size_t(comm.size() - 1));
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
  const WorkSource source{[&](int) -> std::optional<std::string> {
                            if (items.empty()) return std::nullopt;
                            const int item = items.front();
                            items.pop_front();
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
        std::this_thread::sleep_for(std::chrono::milliseconds(comm.rank() == quitter ? 100 : 3));
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
