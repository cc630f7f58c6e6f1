// A mailbox between the watching and the processing thread.
#include "watched_processor.hpp"

#include <fmt/format.h>

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
                                   StepListener step)
    : WatchedProcessor(
          [&options]() -> Processing {
            // Shared because a std::function must be one that can be copied.
            const auto processor = std::make_shared<EventProcessor>(options);
            return [processor](const Task& task, std::atomic<bool>& reading,
                               const StepListener& listener) {
              return processor->process(task, reading, listener);
            };
          },
          timeout, std::move(step)) {}

WatchedProcessor::WatchedProcessor(MakeProcessing make, std::optional<double> timeout,
                                   StepListener step)
    : make_(std::move(make))
    , timeout_(timeout)
    , step_(std::move(step)) {}

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

TaskResult WatchedProcessor::process(const Task& task) {
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
  const auto done = [this] { return worker_->result || worker_->error; };
  if (!worker_->changed.wait_for(lock, std::chrono::duration<double>(*timeout_), done)) {
    worker_->given_up = true;
    lock.unlock();
    return give_up(task);
  }
  if (worker_->error) std::rethrow_exception(std::exchange(worker_->error, nullptr));
  TaskResult result = std::move(*worker_->result);
  worker_->result.reset();
  return result;
}

TaskResult WatchedProcessor::give_up(const Task& task) {
  const bool reading = worker_->reading;
  ++abandoned_threads;
  stuck_ = reading;
  thread_.detach();
  worker_.reset();
  return {unread_still(task, models::ExitState::Timeout,
                       fmt::format("given up after {} s while {} (dispatch.timeout)", *timeout_,
                                   reading ? "it was read" : "it was processed")),
          {}};
}

} // namespace kilobragg::programs
