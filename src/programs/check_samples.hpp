// Some images of a dry run, processed in memory: what they cost and what results weigh.
#pragma once

#include "check_inputs.hpp"

#include "kilobragg/report/run_summary.hpp"

namespace kilobragg::programs {

struct SampleOutcome {
  report::RunSummary summary;
  double bytes_per_image = 0;      ///< shard and composites, mean over the images
  double bytes_of_largest = 0;     ///< of the image with most results
  std::int64_t files_per_rank = 1; ///< the shard and its composites
};

/// Processes up to limits.samples images, spread over the run, as the run would, writing only into
/// a temporary folder that is removed again. Says how it went; stills that fail by an exception
/// become doubts. Empty if there is nothing to process.
SampleOutcome check_samples(const StillsOptions& options, const io::EventIndex& index,
                            const std::optional<io::ReferenceGeometry>& reference,
                            const CheckLimits& limits, CheckReport& report);

} // namespace kilobragg::programs
