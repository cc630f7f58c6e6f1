// Images that take too long are given up, whatever they hang in, and the next ones are processed.
#include "watched_processor.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace kilobragg::programs {
namespace {

using models::ExitState;

/// Frames 100 and up take for ever, those from 200 while they are read; 50 throws.
Processing slow_for_some() {
  return [](const Task& task, std::atomic<bool>& reading,
            const std::function<void(const std::string&)>& step) {
    const auto frame = task.event.frame;
    if (frame == 50) throw std::runtime_error("frame 50");
    reading = frame >= 200;
    if (frame >= 100) std::this_thread::sleep_for(std::chrono::seconds(1));
    reading = false;
    step("late " + std::to_string(frame));
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
  for (const std::optional<double> timeout : {std::optional<double>(), std::optional<double>(5)}) {
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
  WatchedProcessor processor = watched(0.1);
  const auto lost = processor.process(task(100)).value().still;
  EXPECT_EQ(lost.state, ExitState::Timeout);
  EXPECT_EQ(lost.source.frame, 100);
  EXPECT_NE(lost.message.find("while it was processed"), std::string::npos) << lost.message;
  EXPECT_FALSE(processor.is_stuck());
  EXPECT_EQ(processor.process(task(1)).value().still.state, ExitState::IntegrateOk);
  EXPECT_EQ(made_, 2);
  EXPECT_TRUE(WatchedProcessor::has_abandoned_threads());
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  EXPECT_EQ(steps_, std::vector<std::string>{"late 1"}) << "what was given up is heard no more";
}

TEST_F(Watched, ARunThatIsToStopDoesNotWaitForTheTimeout) {
  int signal = 0;
  WatchedProcessor processor([] { return slow_for_some(); }, 300, [](const std::string&) {},
                             {.signal = [&] { return signal; }, .patience = 0.2});
  EXPECT_TRUE(processor.process(task(1)));
  signal = 15;
  EXPECT_TRUE(processor.process(task(2))) << "the image in hand may end";
  EXPECT_FALSE(processor.process(task(200))) << "but not hang";
  EXPECT_TRUE(processor.is_stuck());
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
}

TEST_F(Watched, IsStuckAfterAReadThatHangs) {
  WatchedProcessor processor = watched(0.1);
  const auto lost = processor.process(task(200)).value().still;
  EXPECT_EQ(lost.state, ExitState::Timeout);
  EXPECT_NE(lost.message.find("while it was read"), std::string::npos) << lost.message;
  EXPECT_TRUE(processor.is_stuck());
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
}

} // namespace
} // namespace kilobragg::programs
