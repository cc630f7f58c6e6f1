// A job of many ranks on paper: who asks the first rank when, how busy that rank is, who waits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

namespace kilobragg::testing {

/// Uniform in (0, 1), a hash of `n`, so that every policy meets the same images.
inline double hashed_fraction(std::uint64_t n) {
  n = (n + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
  n = (n ^ (n >> 27)) * 0x94d049bb133111ebU;
  return (static_cast<double>((n ^ (n >> 31)) >> 11) + 0.5) * 0x1p-53;
}

struct Job {
  int ranks = 4096;
  std::int64_t images = 1'000'000;
  /// Seconds that an image takes.
  std::function<double(std::int64_t image)> cost;
  double service = 10e-6;  ///< of the first rank, per request (s)
  double per_image = 0;    ///< and per image in the report (s)
  double latency = 5e-6;   ///< of a message (s)
  double open_file = 0.05; ///< that a rank's first image takes longer (s)
  /// Known from the start, and found later at so many images per second in files of `file_images`.
  std::int64_t known_at_start = INT64_MAX;
  double found_per_second = 0;
  std::int64_t file_images = 1000;
};

/// 10 ms on average: a fixed part, an exponential one, and one image in 1000 that takes a second.
inline double mixed_image(std::int64_t image) {
  const auto n = static_cast<std::uint64_t>(image);
  if (hashed_fraction(2 * n + 1) < 1e-3) return 1;
  return 0.0045 - 0.0045 * std::log(hashed_fraction(2 * n));
}

struct JobOutcome {
  double seconds = 0;      ///< from the start until the last rank is done
  double ideal = 0;        ///< the work divided by the ranks
  double load = 0;         ///< busy part of the first rank's time
  double idle_at_end = 0;  ///< mean over ranks of the time between their last image and the end (s)
  double first_result = 0; ///< when the first report is in (s)
  double last_first = 0;   ///< when the last rank has got its first batch (s)
  double longest_wait = 0; ///< of a request for its turn (s)
  std::int64_t requests = 0, images = 0;
};

/// How a policy sizes batches and hears of finished ones.
struct PolicyUnderTest {
  std::function<std::int64_t(int rank, std::int64_t available, bool growing)> next;
  std::function<void(int rank, std::int64_t events, double seconds)> finished =
      [](int, std::int64_t, double) {};
};

/// Plays the job. Requests are answered in the order of their arrival, one after the other; a rank
/// for which nothing is known yet waits until the next file is found.
class JobSimulation {
public:
  JobSimulation(const Job& job, const PolicyUnderTest& policy)
      : job_(job)
      , policy_(policy)
      , known_(std::min(job.images, job.known_at_start))
      , next_file_(job.found_per_second > 0
                       ? static_cast<double>(job.file_images) / job.found_per_second
                       : 0)
      , done_at_(std::size_t(job.ranks), 0.0) {}

  JobOutcome play() {
    for (int rank = 0; rank < job_.ranks; ++rank) requests_.push({job_.latency, rank, 0, 0, true});
    while (!requests_.empty() || !parked_.empty()) step();
    double sum = 0;
    for (const double at : done_at_) sum += at;
    outcome_.seconds = *std::max_element(done_at_.begin(), done_at_.end());
    outcome_.idle_at_end = outcome_.seconds - sum / job_.ranks;
    outcome_.ideal = work_ / job_.ranks;
    outcome_.load = busy_ / outcome_.seconds;
    outcome_.images = handed_out_;
    return outcome_;
  }

private:
  struct Request {
    double at;
    int rank;
    std::int64_t events; ///< of the report that rides on it
    double seconds;
    bool first;
    bool operator>(const Request& other) const {
      return at != other.at ? at > other.at : rank > other.rank;
    }
  };

  bool growing() const { return known_ < job_.images; }

  void step() {
    // The first rank hears of a file in the background, at once.
    if (growing() && (requests_.empty() || next_file_ <= requests_.top().at)) return find_file();
    const Request request = requests_.top();
    requests_.pop();
    outcome_.longest_wait = std::max(outcome_.longest_wait, free_at_ - request.at);
    serve(request.at, job_.service + job_.per_image * static_cast<double>(request.events));
    ++outcome_.requests;
    if (request.events > 0) {
      policy_.finished(request.rank, request.events, request.seconds);
      if (outcome_.first_result == 0) outcome_.first_result = free_at_;
    }
    if (known_ == handed_out_ && growing())
      parked_.push_back(request);
    else
      hand_out(request);
  }

  void serve(double from, double cost) {
    free_at_ = std::max(from, free_at_) + cost;
    busy_ += cost;
  }

  void find_file() {
    known_ = std::min(job_.images, known_ + job_.file_images);
    while (!parked_.empty() && (known_ > handed_out_ || !growing())) {
      serve(next_file_, job_.service / 2);
      hand_out(parked_.front());
      parked_.pop_front();
    }
    next_file_ += static_cast<double>(job_.file_images) / job_.found_per_second;
  }

  void hand_out(const Request& request) {
    const std::int64_t left = known_ - handed_out_;
    const auto count = std::min(left, policy_.next(request.rank, left, growing()));
    if (request.first) outcome_.last_first = free_at_;
    if (count <= 0) return;
    double seconds = request.first ? job_.open_file : 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const double image = job_.cost(handed_out_ + i);
      seconds += image;
      work_ += image;
    }
    handed_out_ += count;
    const double done = free_at_ + job_.latency + seconds;
    done_at_[std::size_t(request.rank)] = done;
    requests_.push({done + job_.latency, request.rank, count, seconds, false});
  }

  const Job& job_;
  const PolicyUnderTest& policy_;
  std::priority_queue<Request, std::vector<Request>, std::greater<>> requests_;
  std::deque<Request> parked_;
  std::int64_t known_, handed_out_ = 0;
  double next_file_, free_at_ = 0, busy_ = 0, work_ = 0;
  std::vector<double> done_at_;
  JobOutcome outcome_;
};

inline JobOutcome simulate(const Job& job, const PolicyUnderTest& policy) {
  return JobSimulation(job, policy).play();
}

} // namespace kilobragg::testing
