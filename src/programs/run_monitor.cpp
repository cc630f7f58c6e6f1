// Progress, ledger and sums of a run.
#include "run_monitor.hpp"

#include "host_name.hpp"

#include "kilobragg/core/log.hpp"
#include "kilobragg/core/unix_time.hpp"
#include "kilobragg/core/version.hpp"

namespace kilobragg::programs {
namespace {

report::SessionInfo session_info(const std::string& phil, int ranks, double retried_until) {
  report::SessionInfo info;
  info.program = "stills_process";
  info.version = core::version();
  info.commit = core::source_commit();
  info.options = phil;
  info.host = host_name();
  info.ranks = ranks;
  info.started = core::unix_time();
  info.retried_until = retried_until;
  return info;
}

} // namespace

RunMonitor::RunMonitor(const std::string& directory, bool ledger, bool verbose,
                       const std::string& phil, int ranks, double retried_until)
    : verbose_(verbose)
    , progress_(report::console_progress(), 0) {
  if (ledger) ledger_.emplace(directory, session_info(phil, ranks, retried_until));
}

double RunMonitor::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void RunMonitor::add(int rank, std::int64_t first, const BatchReport& report) {
  total_.add(report.summary);
  show(report.lines);
  if (ledger_ && report.summary.stills > 0)
    ledger_->add_batch({core::unix_time(), rank, first, report.summary});
}

void RunMonitor::show(const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  progress_.erase();
  for (const auto& line : lines) {
    // A run of a million unreadable images needs no million lines.
    constexpr std::int64_t most_lines = 200;
    if (!verbose_ && ++lines_shown_ > most_lines) continue;
    core::log_info("{}", line);
    if (!verbose_ && lines_shown_ == most_lines)
      core::log_info("(more images like these are counted but not shown; -v shows all)");
  }
  core::flush_log();
}

void RunMonitor::tick(const EventQueue& queue) {
  progress_.update(total_, queue.known(), queue.growing(), now());
  note_inputs(queue);
}

void RunMonitor::note_inputs(const EventQueue& queue) {
  const auto& sources = queue.index().sources;
  const std::int64_t images = queue.known() + queue.already_done();
  if (!ledger_ || (inputs_told_ == sources.size() && images_told_ == images)) return;
  std::vector<report::InputRow> rows;
  for (; inputs_told_ < sources.size(); ++inputs_told_) {
    const auto& source = sources[inputs_told_];
    rows.push_back({source.path, source.dataset, source.frames, "",
                    queue.problem(static_cast<std::uint32_t>(inputs_told_))});
  }
  images_told_ = images;
  ledger_->add_inputs(std::move(rows), images);
}

void RunMonitor::finish(report::SessionState state, const std::vector<std::string>& shards) {
  progress_.erase();
  if (!ledger_) return;
  ledger_->collect(shards);
  ledger_->finish(state);
}

} // namespace kilobragg::programs
