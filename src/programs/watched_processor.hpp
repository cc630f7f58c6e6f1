// Processes events under a watch: an image that takes too long is given up, and work goes on.
#pragma once

#include "event_processor.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace kilobragg::programs {

/// What processes events, made in the thread that uses it: as EventProcessor::process.
using Processing = std::function<TaskResult(const Task&, std::atomic<bool>& reading,
                                            const std::function<void(const std::string&)>& step)>;
using MakeProcessing = std::function<Processing()>;

/// How a run that is to stop treats the image in hand.
struct StopRequest {
  std::function<int()> signal; ///< not 0 = stop
  double patience = 6;         ///< what the image may take from then on (s)
};

/// Runs an EventProcessor in a thread of its own and waits for it no longer than it may take. A
/// thread that is given up cannot be stopped: it is left alone with all that it uses, and another
/// takes its place. Without a limit everything happens in the calling thread.
class WatchedProcessor {
public:
  using StepListener = std::function<void(const std::string&)>;

  /// `timeout` (s): the most that one image may take, none = any time. `step` hears the steps of
  /// images that are not given up. `options` must live as long as the process.
  WatchedProcessor(const StillsOptions& options, std::optional<double> timeout, StepListener step,
                   StopRequest stop = {});
  /// The same with something else than an EventProcessor.
  WatchedProcessor(MakeProcessing make, std::optional<double> timeout, StepListener step,
                   StopRequest stop = {});
  ~WatchedProcessor();
  WatchedProcessor(const WatchedProcessor&) = delete;
  WatchedProcessor& operator=(const WatchedProcessor&) = delete;

  /// The result, or one with the exit state timeout, or none: given up because the run is to stop.
  std::optional<TaskResult> process(const Task& task);
  /// An image was given up in the middle of a read: what it hangs in holds everybody else up, so this
  /// rank can do no more.
  bool is_stuck() const { return stuck_; }
  /// Threads were given up. The process must then end without running destructors (std::_Exit).
  static bool has_abandoned_threads();

private:
  struct Worker;
  enum class Wait { Done, TimeOver, Stopped };
  Wait wait_for_worker(std::unique_lock<std::mutex>& lock) const;
  void give_up();

  MakeProcessing make_;
  std::optional<double> timeout_;
  StepListener step_;
  StopRequest stop_;
  Processing here_;                ///< without a limit
  std::shared_ptr<Worker> worker_; ///< shared with its thread
  std::thread thread_;
  bool stuck_ = false;
};

} // namespace kilobragg::programs
