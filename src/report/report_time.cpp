// Cuts pauses out of a run's time.
#include "report_time.hpp"

#include <algorithm>

namespace kilobragg::report {

RunClock::RunClock(const std::vector<SessionTimes>& sessions) {
  for (const SessionTimes& session : sessions) {
    if (!stretches_.empty() && session.started <= stretches_.back().ended)
      stretches_.back().ended = std::max(stretches_.back().ended, session.ended);
    else
      stretches_.push_back({session.started, session.ended, 0});
  }
  for (Stretch& stretch : stretches_) {
    stretch.position = duration_;
    duration_ += stretch.ended - stretch.started;
  }
}

double RunClock::position(double unix_time) const {
  double position = 0;
  for (const Stretch& stretch : stretches_) {
    if (unix_time < stretch.started) break;
    position = stretch.position + std::min(unix_time, stretch.ended) - stretch.started;
  }
  return position;
}

std::vector<double> RunClock::pauses() const {
  std::vector<double> positions;
  for (std::size_t i = 1; i < stretches_.size(); ++i) positions.push_back(stretches_[i].position);
  return positions;
}

} // namespace kilobragg::report
