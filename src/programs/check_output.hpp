// The output folder of a dry run: can it be written, what lies in it, is there room.
#pragma once

#include "check_samples.hpp"

namespace kilobragg::programs {

/// How the run would be started.
struct RunStart {
  int ranks = 1;
  bool resume = false; ///< it would go on with what is in the folder
  std::string phil{};  ///< its options; empty: they are not compared with those of the run before
};

/// Says what an output folder holds, whether the run may go on there and whether results would fit.
/// Returns how many images would be processed.
std::int64_t check_output(const StillsOptions& options, const io::EventIndex& index,
                          const SampleOutcome& sample, const RunStart& start,
                          const CheckLimits& limits, CheckReport& report);

} // namespace kilobragg::programs
