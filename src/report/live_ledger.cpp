// The writing thread of a run's ledger.
#include "kilobragg/report/live_ledger.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/unix_time.hpp"
#include "kilobragg/report/collect.hpp"

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

namespace kilobragg::report {
namespace {

using Clock = std::chrono::steady_clock;

/// A thread that no signal interrupts: those that stop a run are for the thread that runs it.
template <typename Work>
std::thread quiet_thread(Work work) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(work);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

/// What waits for the writing thread.
struct Waiting {
  std::vector<BatchRow> batches;
  std::vector<InputRow> inputs;
  std::optional<std::int64_t> events_total;
};

} // namespace

struct LiveLedger::State {
  LiveOptions options;
  LedgerPlace place;

  std::mutex file_guard; ///< for the file: taken before `guard` where both are
  std::optional<RunLedger> file;

  mutable std::mutex guard; ///< for what follows; never held while the disk is at work
  std::condition_variable wake;
  Waiting waiting;
  bool recording = false, stopping = false, publish_failed = false;
  std::string problem, unsaid;

  std::thread writer;

  void open(const std::string& output_dir, const SessionInfo& session);
  void work();
  void write(Waiting&& work);
  bool publish();
  void stop();
  template <typename Action>
  bool attempt(Action action);
  bool is_recording() const;
  void note(const std::string& text);
  void say();
};

/// Runs `action` on the file; after an error nothing more is recorded.
template <typename Action>
bool LiveLedger::State::attempt(Action action) {
  try {
    action();
    return true;
  } catch (const std::exception& error) {
    const std::lock_guard lock(guard);
    recording = false;
    waiting = {};
    note(fmt::format("{}; the run ledger ends here, the run goes on", error.what()));
    return false;
  }
}

bool LiveLedger::State::is_recording() const {
  const std::lock_guard lock(guard);
  return recording;
}

/// Keeps a text for the log; `guard` is held.
void LiveLedger::State::note(const std::string& text) {
  if (problem.empty()) problem = text;
  unsaid += unsaid.empty() ? text : '\n' + text;
}

/// Writes to the log what the writing thread has found, from the thread that asks.
void LiveLedger::State::say() {
  std::string text;
  {
    const std::lock_guard lock(guard);
    text.swap(unsaid);
  }
  if (!text.empty()) core::log_warning("{}", text);
}

void LiveLedger::State::open(const std::string& output_dir, const SessionInfo& session) {
  attempt([&] {
    place = place_ledger(output_dir, options.machine);
    file.emplace(open_ledger(place));
    file->begin_session(session);
    recording = true;
    writer = quiet_thread([this] { work(); });
  });
  say();
}

void LiveLedger::State::write(Waiting&& work) {
  const std::lock_guard lock(file_guard);
  attempt([&] {
    if (!work.inputs.empty()) file->add_inputs(work.inputs);
    if (work.events_total) file->set("events_total", std::to_string(*work.events_total));
    if (!work.batches.empty()) file->add_batches(work.batches);
  });
}

/// A copy into the output folder. Failing to make one does not end the recording.
bool LiveLedger::State::publish() {
  try {
    const std::lock_guard lock(file_guard);
    file->snapshot(place.published);
    return true;
  } catch (const std::exception& error) {
    const std::lock_guard lock(guard);
    if (!std::exchange(publish_failed, true)) note(error.what());
    return false;
  }
}

void LiveLedger::State::work() {
  const auto seconds = [](double value) { return std::chrono::duration<double>(value); };
  const bool publishing = !place.in_place() && options.publish_seconds > 0;
  auto published = Clock::now();
  for (bool last = false; !last;) {
    Waiting taken;
    {
      std::unique_lock lock(guard);
      wake.wait_for(lock, seconds(options.write_seconds), [&] { return stopping; });
      last = stopping;
      std::swap(taken, waiting);
      if (!recording) return;
    }
    write(std::move(taken));
    if (publishing && !last && Clock::now() - published >= seconds(options.publish_seconds)) {
      publish();
      published = Clock::now();
    }
  }
}

/// Lets the writing thread finish what waits.
void LiveLedger::State::stop() {
  if (!writer.joinable()) return;
  {
    const std::lock_guard lock(guard);
    stopping = true;
  }
  wake.notify_all();
  writer.join();
}

LiveLedger::LiveLedger(const std::string& output_dir, const SessionInfo& session,
                       LiveOptions options)
    : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  state_->open(output_dir, session);
}

LiveLedger::~LiveLedger() {
  state_->stop();
  state_->say();
}

void LiveLedger::add_inputs(std::vector<InputRow> inputs, std::int64_t events_total) {
  {
    const std::lock_guard lock(state_->guard);
    if (!state_->recording) return;
    auto& known = state_->waiting.inputs;
    known.insert(known.end(), std::make_move_iterator(inputs.begin()),
                 std::make_move_iterator(inputs.end()));
    state_->waiting.events_total = events_total;
  }
  state_->say();
}

void LiveLedger::add_batch(const BatchRow& batch) {
  {
    const std::lock_guard lock(state_->guard);
    State& s = *state_;
    if (s.recording && s.waiting.batches.size() >= s.options.queue) {
      s.recording = false;
      s.note(
          fmt::format("{} batches wait for {} (the disk hangs); the run ledger ends here, the run "
                      "goes on",
                      s.waiting.batches.size(), s.place.live));
    }
    if (s.recording) s.waiting.batches.push_back(batch);
  }
  state_->say();
}

std::int64_t LiveLedger::collect(const std::vector<std::string>& shards) {
  std::int64_t images = 0;
  try {
    const std::lock_guard lock(state_->file_guard);
    if (state_->is_recording()) images = collect_shards(*state_->file, shards).images;
  } catch (const std::exception& error) { // a shard may be at fault: recording goes on
    const std::lock_guard lock(state_->guard);
    state_->note(error.what());
  }
  state_->say();
  return images;
}

void LiveLedger::finish(SessionState session) {
  State& s = *state_;
  s.stop();
  if (s.file) {
    s.attempt([&] {
      if (!s.problem.empty()) s.file->set("problem", s.problem);
      s.file->end_session(session, core::unix_time());
    });
    const bool published = s.place.in_place() || s.publish();
    s.file.reset();
    if (!published)
      s.note(fmt::format("the run ledger is left in {}", s.place.live));
    else if (!s.place.in_place())
      remove_ledger(s.place.live);
    s.recording = false;
  }
  s.say();
}

std::string LiveLedger::problem() const {
  const std::lock_guard lock(state_->guard);
  return state_->problem;
}

const std::string& LiveLedger::path() const { return state_->place.published; }

} // namespace kilobragg::report
