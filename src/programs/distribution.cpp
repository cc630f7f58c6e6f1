// Batches by the policy, until there are no more events or a signal came.
#include "distribution.hpp"

#include "library_gate.hpp"
#include "stop_signals.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/parallel/dispatcher.hpp"

#include <algorithm>

namespace kilobragg::programs {

Distribution::Distribution(const StillsOptions& options, DoneImages done, RunMonitor& monitor,
                           int ranks)
    : queue_(options, std::move(done))
    , batch_size_(options.batch_size)
    , policy_(ranks > parallel::DispatchParams().working_root_ranks ? ranks - 1 : ranks)
    , monitor_(monitor) {
  // The first image starts at once; the other inputs are looked at meanwhile.
  while (queue_.available() == 0 && queue_.scan()) {
  }
  core::require(queue_.known() + queue_.already_done() > 0,
                "there is no image to process (the inputs hold no frames) are these the right "
                "files?");
}

void Distribution::note_signal(int signal) {
  if (signal != 0) signal_ = signal;
}

std::optional<std::string> Distribution::next(int rank) {
  note_signal(stop_signal());
  if (stopped()) return std::nullopt;
  const std::int64_t size =
      batch_size_ ? *batch_size_ : policy_.next(rank, queue_.available(), queue_.growing());
  try {
    const auto batch = queue_.next(rank, std::max<std::int64_t>(1, size));
    if (!batch) return std::nullopt;
    first_of_[rank] = batch->events.front().number;
    return batch->pack();
  } catch (const LibraryHangs& error) {
    hangs_ = error.what();
    return std::nullopt;
  }
}

void Distribution::finished(int rank, const std::string& bytes) {
  const auto report = BatchReport::unpack(bytes);
  policy_.finished(rank, report.summary.stills, report.seconds);
  queue_.put_back(report.undone);
  queue_.learn(report.learnt);
  note_signal(report.stop);
  monitor_.add(rank, first_of_[rank], report);
  monitor_.tick(queue_);
}

bool Distribution::idle() {
  monitor_.tick(queue_);
  try {
    return !stopped() && queue_.scan();
  } catch (const LibraryHangs& error) {
    hangs_ = error.what();
    return false;
  }
}

bool Distribution::complete() const {
  return monitor_.total().accounted() == queue_.known() && !queue_.growing();
}

std::string Distribution::why_incomplete() const {
  if (signal_ != 0) return fmt::format("stopped by {}", signal_name(signal_));
  if (!hangs_.empty()) return hangs_;
  if (queue_.available() > 0 || queue_.growing())
    return "every rank hangs in a read that was given up";
  return "";
}

} // namespace kilobragg::programs
