// The first rank's side of a run: hands out events, hears reports, knows how the run ended.
#pragma once

#include "batch_policy.hpp"
#include "event_queue.hpp"
#include "run_monitor.hpp"

#include <map>
#include <optional>
#include <string>

namespace kilobragg::programs {

class Distribution {
public:
  /// Looks at inputs until there is a first image. Throws core::Error if there is none.
  Distribution(const StillsOptions& options, DoneImages done, RunMonitor& monitor, int ranks);

  /// A packed Batch for `rank`; none if nothing is left, or the run is to stop.
  std::optional<std::string> next(int rank);
  /// Takes a packed BatchReport.
  void finished(int rank, const std::string& report);
  /// Looks at one more input; true if there are more.
  bool idle();

  const EventQueue& queue() const { return queue_; }
  /// Every image was found and processed.
  bool complete() const;
  /// Why it is not, in words for the user; empty if images were lost for no known reason.
  std::string why_incomplete() const;

private:
  void note_signal(int signal);
  bool stopped() const { return signal_ != 0 || !hangs_.empty(); }

  EventQueue queue_;
  std::optional<int> batch_size_;
  BatchPolicy policy_;
  RunMonitor& monitor_;
  int signal_ = 0;                       ///< that asked for an early end, 0 = none
  std::string hangs_;                    ///< why no more inputs can be looked at
  std::map<int, std::int64_t> first_of_; ///< number of the first event that a rank has in hand
};

} // namespace kilobragg::programs
