// Hands out work on request: the first rank serves items, the others come back for more.
#pragma once

#include "kilobragg/parallel/communicator.hpp"

#include <functional>
#include <optional>
#include <string>

namespace kilobragg::parallel {

/// What the first rank does. The functions are called on that rank only, never at the same time, but
/// not always from the thread that called dispatch().
struct WorkSource {
  /// The next item for `rank`, as bytes; none when there is nothing now. A rank that gets none is
  /// asked again after each report, and let go when no item is out any more: a report may bring
  /// items back.
  std::function<std::optional<std::string>(int rank)> next;
  /// The report that `rank` made of an item, in the order in which reports arrive.
  std::function<void(int rank, std::string&& report)> finished;
  /// Called again and again while no request waits, if given: small jobs of the first rank's own.
  /// True = there is more to do at once. Never called where there is one rank only.
  std::function<bool()> idle = {};
};

/// What became of an item: the report, and whether this rank takes no more items.
struct Worked {
  Worked(std::string text, bool last = false) // NOLINT(google-explicit-constructor): most stay
      : report(std::move(text))
      , leaves(last) {}
  std::string report;
  bool leaves;
};

struct DispatchParams {
  /// With at most this many ranks the first rank works too and serves the others from a helper
  /// thread that polls every `poll_microseconds`: it would be a waste to keep one of two cores for
  /// serving. With more ranks it serves alone, at full message rate.
  int working_root_ranks = 16;
  int poll_microseconds = 200;
};

/// Runs until the source is exhausted and every report has arrived, or every rank has left. `work`
/// turns an item into a report; it runs on every rank that works, in the calling thread. The report of
/// an item rides on the request for the next one. Collective. An exception from `work` or the source
/// must end the job (run_guarded does): the other ranks would wait for ever.
void dispatch(const Communicator& communicator, const WorkSource& source,
              const std::function<Worked(const std::string& item)>& work,
              const DispatchParams& params = {});

} // namespace kilobragg::parallel
