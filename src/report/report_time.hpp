// The time axis of a report: sessions one after the other, with the pauses between them cut out.
#pragma once

#include <vector>

namespace kilobragg::report {

struct SessionTimes {
  double started = 0, ended = 0; ///< Unix times (s), ended >= started
};

class RunClock {
public:
  /// Sessions in order of their start; those that overlap or touch become one.
  explicit RunClock(const std::vector<SessionTimes>& sessions);
  RunClock() = default;

  /// Seconds since the start without pauses; a moment within a pause is that of the resumption.
  double position(double unix_time) const;
  double duration() const { return duration_; }
  /// Positions at which the run was resumed.
  std::vector<double> pauses() const;

private:
  struct Stretch {
    double started, ended, position;
  };
  std::vector<Stretch> stretches_;
  double duration_ = 0;
};

} // namespace kilobragg::report
