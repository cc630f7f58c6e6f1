// A mailbox between the watching and the processing thread.
#include "watched_processor.hpp"

#include "library_gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace kilobragg::programs {
namespace {

std::atomic<int> abandoned_threads = 0;

} // namespace

/// What both threads see; the processing thread keeps it alive.
struct WatchedProcessor::Worker {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Task> task;         ///< to be done
  std::optional<TaskResult> result; ///< done
  std::exception_ptr error;         ///< or failed, with dispatch.squash_errors off
  bool end = false;
  bool given_up = false;
  std::atomic<bool> reading = false;
  StepListener step; ///< called under the mutex, not once given up

  void say(const std::string& message) {
    const std::lock_guard lock(mutex);
    if (!given_up) step(message);
  }

  void run(const MakeProcessing& make) {
    Processing process;
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return task || end; });
      if (end) return;
      const Task now = std::move(*task);
      task.reset();
      lock.unlock();
      std::optional<TaskResult> done;
      std::exception_ptr failure;
      try {
        if (!process) process = make();
        done = process(now, reading, [this](const std::string& m) { say(m); });
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (given_up) return;
      result = std::move(done);
      error = failure;
      changed.notify_all();
    }
  }
};

WatchedProcessor::WatchedProcessor(const StillsOptions& options, std::optional<double> timeout,
                                   StepListener step, StopRequest stop)
    : WatchedProcessor(
          [&options]() -> Processing {
            // Shared because a std::function must be one that can be copied.
            const auto processor = std::make_shared<EventProcessor>(options);
            return [processor](const Task& task, std::atomic<bool>& reading,
                               const StepListener& listener) {
              return processor->process(task, reading, listener);
            };
          },
          timeout, std::move(step), std::move(stop)) {}

WatchedProcessor::WatchedProcessor(MakeProcessing make, std::optional<double> timeout,
                                   StepListener step, StopRequest stop)
    : make_(std::move(make))
    , timeout_(timeout)
    , step_(std::move(step))
    , stop_(std::move(stop)) {}

WatchedProcessor::~WatchedProcessor() {
  if (!worker_) return;
  {
    const std::lock_guard lock(worker_->mutex);
    worker_->end = true;
    worker_->changed.notify_all();
  }
  thread_.join();
}

bool WatchedProcessor::has_abandoned_threads() { return abandoned_threads > 0; }

WatchedProcessor::Wait WatchedProcessor::wait_for_worker(std::unique_lock<std::mutex>& lock) const {
  using Clock = std::chrono::steady_clock;
  const auto after = [](double seconds) {
    return Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  };
  const auto timeout = after(*timeout_);
  std::optional<Clock::time_point> stop;
  while (!worker_->result && !worker_->error) {
    if (Clock::now() >= timeout) return Wait::TimeOver;
    if (stop && Clock::now() >= *stop) return Wait::Stopped;
    if (!stop && stop_.signal && stop_.signal() != 0) stop = after(stop_.patience);
    // A signal handler cannot notify: it is looked for ten times a second.
    worker_->changed.wait_until(lock, std::min(timeout, after(0.1)));
  }
  return Wait::Done;
}

std::optional<TaskResult> WatchedProcessor::process(const Task& task) {
  if (!timeout_) {
    std::atomic<bool> reading = false;
    if (!here_) here_ = make_();
    return here_(task, reading, step_);
  }
  if (!worker_) {
    worker_ = std::make_shared<Worker>();
    worker_->step = step_;
    thread_ = std::thread([worker = worker_, make = make_] { worker->run(make); });
  }
  std::unique_lock lock(worker_->mutex);
  worker_->task = task;
  worker_->changed.notify_all();
  const Wait ended = wait_for_worker(lock);
  if (ended != Wait::Done) {
    worker_->given_up = true;
    lock.unlock();
    give_up();
    if (ended == Wait::Stopped) return {};
    return TaskResult{
        unread_still(task, models::ExitState::Timeout,
                     fmt::format("given up after {} s while {} (dispatch.timeout)", *timeout_,
                                 stuck_ ? "it was read" : "it was processed")),
        {}};
  }
  if (worker_->error) std::rethrow_exception(std::exchange(worker_->error, nullptr));
  TaskResult result = std::move(*worker_->result);
  worker_->result.reset();
  return result;
}

void WatchedProcessor::give_up() {
  stuck_ = worker_->reading;
  if (stuck_) LibraryPass::give_up_holder();
  ++abandoned_threads;
  thread_.detach();
  worker_.reset();
}

} // namespace kilobragg::programs
