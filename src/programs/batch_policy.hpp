// How many events a rank gets at once: some tenths of a second of work, less at the start and the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kilobragg::programs {

struct BatchPolicyParams {
  /// A rank should come back about so often, so that counts on the first rank are fresh ...
  double seconds = 0.5;
  /// ... but all ranks together not more often than this. At 10 us a request the first rank is then
  /// 2.5 % busy; 4096 ranks come back every 1.6 s.
  double requests_per_second = 2500;
  /// Least work of a batch when the end is near: ranks then end within about so long of each other.
  double end_seconds = 0.05;
  std::int64_t first = 1;   ///< events of a rank's first batch, which tells how fast it is
  std::int64_t growth = 4;  ///< a batch is at most so many times the one before on that rank
  std::int64_t most = 1024; ///< events in a batch
};

/// Sizes of batches from what ranks report of their speed. Plain numbers in and out: no clock, no
/// messages, no randomness. Sizes never change results, only who computes them and when.
class BatchPolicy {
public:
  /// `workers` ranks process events; rank numbers may go up to any value.
  explicit BatchPolicy(int workers, const BatchPolicyParams& params = {});

  /// Events for `rank` out of `available` that are known and not handed out; between 1 and
  /// `available`, 0 if there are none. `growing`: more events are still being found, so the end of
  /// those that are known is not the end of the run.
  std::int64_t next(int rank, std::int64_t available, bool growing);

  /// `rank` needed `seconds` for `events`.
  void finished(int rank, std::int64_t events, double seconds);

  /// How often a rank should come back in the middle of a run (s).
  double period() const { return period_; }

private:
  struct Speed {
    double events = 0, seconds = 0; ///< of the last batches, older ones fading
    std::int64_t last = 0;          ///< events of the latest batch
    bool known() const { return seconds > 0; }
    double rate() const { return events / seconds; }
  };
  Speed& speed(int rank);
  double rate_of_all() const;

  BatchPolicyParams params_;
  int workers_;
  double period_;
  std::vector<Speed> speeds_;
  double known_rates_ = 0; ///< sum over ranks that have reported
  int known_ = 0;
  double all_events_ = 0, all_seconds_ = 0; ///< of all ranks since the start
};

} // namespace kilobragg::programs
