// The progress line says what is known, no more; it appears when it should and leaves no trace.
#include "kilobragg/report/progress.hpp"

#include <gtest/gtest.h>

namespace kilobragg::report {
namespace {

TEST(ProgressLine, EverythingKnown) {
  EXPECT_EQ(progress_line({.done = 12345,
                           .hits = 2852,
                           .indexed = 2311,
                           .known = 100000,
                           .growing = false,
                           .rate = 98.2}),
            "12 345 of 100 000 images (12.3 %)  98.2/s  hits 23.1 %  indexed 81.0 %  ETA 15 min");
}

TEST(ProgressLine, WhatIsNotKnownIsLeftOut) {
  EXPECT_EQ(progress_line({}), "0 of 0 images");
  EXPECT_EQ(progress_line({.known = 70}), "0 of 70 images (0.0 %)");
  EXPECT_EQ(progress_line({.done = 5, .known = 1000, .growing = true, .rate = 2}),
            "5 of 1000+ images  2.00/s  hits 0.0 %");
  EXPECT_EQ(progress_line({.done = 5, .known = 10, .rate = 0}),
            "5 of 10 images (50.0 %)  0.00/s  hits 0.0 %")
      << "no ETA from a standstill";
  EXPECT_EQ(progress_line({.done = 10, .hits = 1, .indexed = 1, .known = 10, .rate = 1234567}),
            "10 of 10 images (100.0 %)  1 234 567/s  hits 10.0 %  indexed 100.0 %");
}

TEST(ProgressLine, AHundredPercentIsAll) {
  const std::int64_t many = 10'000'000;
  const auto line = progress_line({.done = many - 1, .known = many});
  EXPECT_NE(line.find("9 999 999 of 10 000 000 images (99.9 %)"), std::string::npos) << line;
}

TEST(ProgressLine, TheEndIsForeseenInSecondsThenInMinutes) {
  const auto eta = [](std::int64_t seconds) {
    const auto line = progress_line({.done = 0, .known = seconds, .rate = 1});
    return line.substr(line.find("ETA ") + 4);
  };
  EXPECT_EQ(eta(1), "1 s");
  EXPECT_EQ(eta(59), "59 s");
  EXPECT_EQ(eta(99), "1 min 39 s");
  EXPECT_EQ(eta(100), "2 min");
  EXPECT_EQ(eta(14 * 60 + 20), "14 min");
  EXPECT_EQ(eta(125 * 60), "2 h 5 min");
  EXPECT_EQ(eta(76 * 3600), "3 d 4 h");
}

TEST(RollingRate, TheLastMinuteCounts) {
  RollingRate rate;
  EXPECT_FALSE(rate.per_second());
  rate.add(100, 0);
  EXPECT_FALSE(rate.per_second());
  rate.add(100, 5);
  EXPECT_FALSE(rate.per_second()) << "no time has passed";
  for (int i = 1; i <= 1000; ++i) rate.add(100 + 0.1 * i, 10 * i); // 100/s
  EXPECT_NEAR(*rate.per_second(), 100, 1e-6);
  for (int i = 1; i <= 600; ++i) rate.add(200 + 0.1 * i, 10000 + i); // 10/s for a minute
  EXPECT_NEAR(*rate.per_second(), 10, 2);
  rate.add(300, 10600); // nothing for 40 s
  EXPECT_LT(*rate.per_second(), 10);
}

TEST(RollingRate, AYoungRunHasARateAtOnce) {
  RollingRate rate;
  rate.add(0, 0);
  for (int i = 1; i <= 4; ++i) rate.add(0.1 * i, 3 * i);
  EXPECT_NEAR(*rate.per_second(), 30, 1e-9);
}

struct Screen {
  std::vector<std::string> writes;
  ProgressSetup setup(bool terminal, int columns = 200) {
    ProgressSetup result;
    result.terminal = terminal;
    result.columns = [columns] { return columns; };
    result.write = [this](const std::string& text) { writes.push_back(text); };
    return result;
  }
};

RunSummary stills(std::int64_t done) {
  RunSummary totals;
  totals.stills = done;
  totals.by_state[static_cast<std::size_t>(models::ExitState::IntegrateOk)] = done;
  return totals;
}

TEST(Progress, ALogHasALineNowAndThen) {
  Screen screen;
  Progress progress(screen.setup(false), 1000);
  for (int i = 1; i <= 700; ++i) progress.update(stills(i), 700, false, 1000 + 0.1 * i);
  ASSERT_EQ(screen.writes.size(), 3U) << "after 5, 35 and 65 s";
  EXPECT_EQ(screen.writes[0],
            "50 of 700 images (7.1 %)  10.0/s  hits 100.0 %  indexed 100.0 %  ETA 1 min 5 s");
  EXPECT_EQ(screen.writes[1].substr(0, 11), "350 of 700 ");
  progress.erase();
  EXPECT_EQ(screen.writes.size(), 3U) << "nothing to erase in a log";
  progress.update(stills(700), 700, false, 1200);
  EXPECT_EQ(screen.writes.size(), 4U) << "a run that stands still says so too";
}

TEST(Progress, ATerminalIsRedrawnFiveTimesASecond) {
  Screen screen;
  Progress progress(screen.setup(true), 0);
  for (int i = 1; i <= 1000; ++i) progress.update(stills(i), 1000, false, 0.01 * i);
  EXPECT_GE(screen.writes.size(), 45U);
  EXPECT_LE(screen.writes.size(), 50U);
  for (const auto& text : screen.writes) {
    EXPECT_EQ(text.substr(0, 4), "\r\033[K");
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

TEST(Progress, EraseLeavesACleanLineOnce) {
  Screen screen;
  Progress progress(screen.setup(true), 0);
  progress.erase();
  EXPECT_TRUE(screen.writes.empty());
  progress.update(stills(1), 10, false, 1);
  progress.erase();
  progress.erase();
  ASSERT_EQ(screen.writes.size(), 2U);
  EXPECT_EQ(screen.writes[1], "\r\033[K");
  progress.update(stills(2), 10, false, 1.1);
  EXPECT_EQ(screen.writes.size(), 2U) << "not sooner because of log lines";
  progress.update(stills(2), 10, false, 1.3);
  EXPECT_EQ(screen.writes.size(), 3U);
}

TEST(Progress, NeverWiderThanTheTerminal) {
  Screen screen;
  Progress progress(screen.setup(true, 20), 0);
  progress.update(stills(1), 1'000'000, false, 1);
  EXPECT_EQ(screen.writes.at(0), "\r\033[K1 of 1 000 000 imag");
  Screen none;
  Progress hidden(none.setup(true, 0), 0);
  hidden.update(stills(1), 10, false, 1);
  EXPECT_EQ(none.writes.at(0), "\r\033[K");
}

TEST(Progress, ImagesOfAnEarlierRunDoNotCountForTheRate) {
  Screen screen;
  Progress progress(screen.setup(false), 0, 5000);
  progress.update(stills(5100), 10000, false, 10);
  EXPECT_NE(screen.writes.at(0).find("  10.0/s"), std::string::npos) << screen.writes[0];
}

} // namespace
} // namespace kilobragg::report
