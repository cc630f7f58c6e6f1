// Batch sizes aimed at a time, shared out as the end comes near.
#include "batch_policy.hpp"

#include <algorithm>

namespace kilobragg::programs {

BatchPolicy::BatchPolicy(int workers, const BatchPolicyParams& params)
    : params_(params)
    , workers_(std::max(workers, 1))
    , period_(std::max(params.seconds, workers_ / params.requests_per_second)) {}

BatchPolicy::Speed& BatchPolicy::speed(int rank) {
  const auto index = static_cast<std::size_t>(rank);
  if (index >= speeds_.size()) speeds_.resize(index + 1);
  return speeds_[index];
}

double BatchPolicy::rate_of_all() const { return known_rates_ / known_ * workers_; }

std::int64_t BatchPolicy::next(int rank, std::int64_t available, bool growing) {
  if (available <= 0) return 0;
  Speed& mine = speed(rank);
  std::int64_t count = params_.first;
  if (mine.known()) {
    // A third of what is left at the present speed of all, so that late batches are small; while the
    // index grows there is no end to share out, and small batches would only make more requests.
    const double left = static_cast<double>(available) / rate_of_all();
    const double least = growing ? period_ / 4 : params_.end_seconds;
    const double seconds = std::min(period_, std::max(left / 3, least));
    // Blank and diffracting images differ tenfold and come in runs: what was seen last counts. But a
    // batch sized for blanks that meets hits instead must not hold up the end of the run.
    constexpr double trusted_excess = 2;
    const double rate = std::min(mine.rate(), trusted_excess * all_events_ / all_seconds_);
    const double wanted = std::min(rate * seconds, static_cast<double>(params_.most));
    count = std::min(static_cast<std::int64_t>(wanted), mine.last * params_.growth);
  }
  mine.last = std::clamp<std::int64_t>(count, 1, std::min(available, params_.most));
  return mine.last;
}

void BatchPolicy::finished(int rank, std::int64_t events, double seconds) {
  if (events <= 0) return;
  Speed& mine = speed(rank);
  if (mine.known())
    known_rates_ -= mine.rate();
  else
    ++known_;
  constexpr double fading = 0.5, shortest = 1e-6;
  seconds = std::max(seconds, shortest);
  mine.events = fading * mine.events + static_cast<double>(events);
  mine.seconds = fading * mine.seconds + seconds;
  all_events_ += static_cast<double>(events);
  all_seconds_ += seconds;
  known_rates_ += mine.rate();
}

} // namespace kilobragg::programs
