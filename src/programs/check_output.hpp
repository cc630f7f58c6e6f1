// The output folder of a dry run: can it be written, what lies in it, is there room.
#pragma once

#include "check_samples.hpp"

namespace kilobragg::programs {

/// Says what an output folder holds and whether results would fit. `resume`: the run would go on
/// with what is there. Returns how many images would be processed.
std::int64_t check_output(const StillsOptions& options, const io::EventIndex& index,
                          const SampleOutcome& sample, int ranks, bool resume,
                          const CheckLimits& limits, CheckReport& report);

} // namespace kilobragg::programs
