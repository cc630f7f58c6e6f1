// Images that take too long are given up, whatever they hang in, and the next ones are processed.
#include "support/child_process.hpp"
#include "watched_processor.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace kilobragg::programs {
namespace {

using models::ExitState;

/// What takes too long is given up after this many s: enough for frames that take no time, on any machine.
constexpr double patience = 5;

/// Frames 100 and up take until `released`, those from 200 while they are read; 50 throws.
std::atomic<bool> released;
std::atomic<int> ended; ///< frames that took so long

Processing slow_for_some() {
  return [](const Task& task, std::atomic<bool>& reading,
            const std::function<void(const std::string&)>& step) {
    const auto frame = task.event.frame;
    if (frame == 50) throw std::runtime_error("frame 50");
    reading = frame >= 200;
    if (frame >= 100) testing::wait_until(120, [] { return released.load(); });
    reading = false;
    step("late " + std::to_string(frame));
    ended += frame >= 100;
    return TaskResult{unread_still(task, ExitState::IntegrateOk, ""), {}};
  };
}

Task task(std::int64_t frame) {
  auto source = std::make_shared<SourceInfo>();
  source->path = "/images.h5";
  Task one;
  one.source = source;
  one.event.frame = frame;
  return one;
}

class Watched : public ::testing::Test {
protected:
  void SetUp() override {
    released = false;
    ended = 0;
  }
  /// Lets the frame that was given up come to its end, long after.
  static bool release() {
    released = true;
    return testing::wait_until(120, [] { return ended == 1; });
  }

  std::vector<std::string> steps_;
  int made_ = 0;
  WatchedProcessor watched(std::optional<double> timeout) {
    return {[this] {
              ++made_;
              return slow_for_some();
            },
            timeout, [this](const std::string& step) { steps_.push_back(step); }};
  }
};

TEST_F(Watched, ProcessesOneAfterTheOther) {
  for (const std::optional<double> timeout : {std::optional<double>(), std::optional<double>(60)}) {
    made_ = 0;
    steps_.clear();
    WatchedProcessor processor = watched(timeout);
    for (int frame = 0; frame < 5; ++frame) {
      const auto done = processor.process(task(frame)).value().still;
      EXPECT_EQ(done.state, ExitState::IntegrateOk);
      EXPECT_EQ(done.source.frame, frame);
    }
    EXPECT_EQ(made_, 1);
    EXPECT_EQ(steps_.size(), 5U);
    EXPECT_THROW(processor.process(task(50)), std::runtime_error);
    EXPECT_EQ(processor.process(task(6)).value().still.state, ExitState::IntegrateOk);
    EXPECT_FALSE(processor.is_stuck());
  }
  EXPECT_FALSE(WatchedProcessor::has_abandoned_threads());
}

TEST_F(Watched, GivesUpWhatComputesForTooLongAndGoesOn) {
  WatchedProcessor processor = watched(patience);
  const auto lost = processor.process(task(100)).value().still;
  EXPECT_EQ(lost.state, ExitState::Timeout);
  EXPECT_EQ(lost.source.frame, 100);
  EXPECT_NE(lost.message.find("while it was processed"), std::string::npos) << lost.message;
  EXPECT_FALSE(processor.is_stuck());
  EXPECT_EQ(processor.process(task(1)).value().still.state, ExitState::IntegrateOk);
  EXPECT_EQ(made_, 2);
  EXPECT_TRUE(WatchedProcessor::has_abandoned_threads());
  ASSERT_TRUE(release());
  EXPECT_EQ(steps_, std::vector<std::string>{"late 1"}) << "what was given up is heard no more";
}

TEST_F(Watched, ARunThatIsToStopDoesNotWaitForTheTimeout) {
  int signal = 0;
  WatchedProcessor processor([] { return slow_for_some(); }, 300, [](const std::string&) {},
                             {.signal = [&] { return signal; }, .patience = patience});
  EXPECT_TRUE(processor.process(task(1)));
  signal = 15;
  EXPECT_TRUE(processor.process(task(2))) << "the image in hand may end";
  EXPECT_FALSE(processor.process(task(200))) << "but not hang";
  EXPECT_TRUE(processor.is_stuck());
  EXPECT_TRUE(release());
}

TEST_F(Watched, IsStuckAfterAReadThatHangs) {
  WatchedProcessor processor = watched(patience);
  // The thread is there by then: the read begins long before the watch ends.
  EXPECT_EQ(processor.process(task(1)).value().still.state, ExitState::IntegrateOk);
  const auto lost = processor.process(task(200)).value().still;
  EXPECT_EQ(lost.state, ExitState::Timeout);
  EXPECT_NE(lost.message.find("while it was read"), std::string::npos) << lost.message;
  EXPECT_TRUE(processor.is_stuck());
  EXPECT_TRUE(release());
}

} // namespace
} // namespace kilobragg::programs
