// Hands out work on request: the first rank serves items, the others come back for more.
#pragma once

#include "kilobragg/parallel/communicator.hpp"

#include <functional>
#include <optional>
#include <string>

namespace kilobragg::parallel {

/// What the first rank does. Both functions are called on that rank only, never at the same time,
/// but not always from the thread that called dispatch().
struct WorkSource {
  /// The next item for `rank`, as bytes; none when nothing is left for good.
  std::function<std::optional<std::string>(int rank)> next;
  /// The report that `rank` made of an item, in the order in which reports arrive.
  std::function<void(int rank, std::string&& report)> finished;
};

struct DispatchParams {
  /// With at most this many ranks the first rank works too and serves the others from a helper
  /// thread that polls every `poll_microseconds`: it would be a waste to keep one of two cores for
  /// serving. With more ranks it serves alone, blocking, at full message rate.
  int working_root_ranks = 16;
  int poll_microseconds = 200;
};

/// Runs until the source is exhausted and every report has arrived. `work` turns an item into a
/// report; it runs on every rank that works, in the calling thread. The report of an item rides on
/// the request for the next one. Collective. An exception from `work` or the source must end the
/// job (run_guarded does): the other ranks would wait for ever.
void dispatch(const Communicator& communicator, const WorkSource& source,
              const std::function<std::string(const std::string& item)>& work,
              const DispatchParams& params = {});

} // namespace kilobragg::parallel
