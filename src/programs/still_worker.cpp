// One batch after the other.
#include "still_worker.hpp"

#include "event_queue.hpp"
#include "host_name.hpp"
#include "stopwatch.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/unix_time.hpp"

#include <chrono>

namespace kilobragg::programs {
namespace {

using Clock = std::chrono::steady_clock;

/// What a user should hear of without asking for a line per image.
bool needs_a_word(models::ExitState state) {
  return state == models::ExitState::PreprocessException ||
         state == models::ExitState::SpotfindingException || state == models::ExitState::Timeout;
}

std::string tag_of(const Task& task) {
  return event_tag(task.source->path, task.source->several_frames, task.event.frame);
}

} // namespace

std::string state_line(const std::string& tag, const models::StillResult& result) {
  std::string text = fmt::format("{} {}", tag, result.state_line());
  for (const auto& found : result.lattices)
    text +=
        fmt::format("  {} indexed, RMSD indexed (px) {:.3f}, cell {}", found.lattice.spots.size(),
                    found.lattice.rmsd_px, found.lattice.crystal.unit_cell().to_string());
  if (!result.message.empty()) {
    std::string message = result.message;
    for (auto& c : message)
      if (c == '\n') c = ' ';
    text += "  (" + message + ")";
  }
  return text;
}

StillWorker::StillWorker(const StillsOptions& options, StepLog& log, Setup setup)
    : log_(log)
    , setup_(std::move(setup))
    , host_(host_name())
    , processor_(options, options.timeout, [&log](const std::string& step) { log.step(step); },
                 {.signal = setup_.stop_signal}) {}

BatchReport StillWorker::work(const std::string& batch) {
  const auto start = Clock::now();
  if (!writer_) writer_.emplace(setup_.shard, setup_.run);
  BatchReport report;
  for (BatchEvent& event : receiver_.unpack(batch)) {
    report.stop = setup_.stop_signal();
    if (report.stop != 0 || processor_.is_stuck()) {
      report.undone.push_back(event.number);
      continue;
    }
    const Task task{receiver_.source(event.source), std::move(event)};
    log_.begin(tag_of(task));
    const double started = core::unix_time();
    std::optional<TaskResult> done = processor_.process(task);
    if (!done) {
      report.undone.push_back(task.event.number);
      continue;
    }
    done->still.processing = {host_, setup_.rank, started};
    finish(task, std::move(*done), report);
  }
  report.leaves = processor_.is_stuck();
  report.stop = setup_.stop_signal();
  report.seconds = seconds_since(start);
  return report;
}

void StillWorker::finish(const Task& task, TaskResult&& done, BatchReport& report) {
  models::StillResult& still = done.still;
  const auto start = Clock::now();
  writer_->append(still);
  still.seconds[std::size_t(models::Step::Write)] = seconds_since(start);
  log_.end(still);
  report.summary.add(still);
  if (setup_.report_lines || needs_a_word(still.state))
    report.lines.push_back(state_line(tag_of(task), still));
  if (setup_.report_lines) report.lines.push_back(still_details(still));
  if (setup_.report_ranges && !done.ranges.empty())
    report.learnt.push_back({task.event.number, std::move(done.ranges)});
}

} // namespace kilobragg::programs
