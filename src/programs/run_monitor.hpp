// What the first rank shows and records of a run while it goes on.
#pragma once

#include "batch_messages.hpp"
#include "event_queue.hpp"

#include "kilobragg/report/live_ledger.hpp"
#include "kilobragg/report/progress.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace kilobragg::programs {

/// Adds reports up, keeps the line of progress and the ledger. Used by one thread at a time.
class RunMonitor {
public:
  /// `ledger`: keep one in `directory`. `verbose`: show every line of the reports, else the first ones.
  /// `retried_until` is SessionInfo's.
  RunMonitor(const std::string& directory, bool ledger, bool verbose, const std::string& phil,
             int ranks, double retried_until = 0);

  /// A batch that `rank` has finished; `first` is the number of its first image.
  void add(int rank, std::int64_t first, const BatchReport& report);
  /// Redraws progress when it is time, and notes inputs.
  void tick(const EventQueue& queue);
  /// Inputs that were found since the last call. To be called before finish(), for a run that finds
  /// nothing to do has no other occasion.
  void note_inputs(const EventQueue& queue);
  /// Ends the line of progress; the ledger collects the images of `shards`.
  void finish(report::SessionState state, const std::vector<std::string>& shards);

  const report::RunSummary& total() const { return total_; }

private:
  double now() const;
  void show(const std::vector<std::string>& lines);

  bool verbose_;
  std::int64_t lines_shown_ = 0;

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  report::RunSummary total_;
  report::Progress progress_;
  std::optional<report::LiveLedger> ledger_;
  std::size_t inputs_told_ = 0;
  std::int64_t images_told_ = -1; ///< of the inputs, which can be counted after they are found
};

} // namespace kilobragg::programs
