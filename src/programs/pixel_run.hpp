// Merge's second half: shots and structure factors refined against the pixels.
#pragma once

#include "merge_input.hpp"
#include "merge_output.hpp"

#include "kilobragg/merging/resolution_shells.hpp"
#include "kilobragg/parallel/communicator.hpp"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// What the merge leaves to refinement.
struct PixelInput {
  const std::vector<merging::MergedIndex>& merged; ///< the same on all ranks
  OutputFrame frame;
  merging::ResolutionShells shells;
  const std::vector<LoadedExperiments>& loaded; ///< of this rank, with detectors
  std::set<std::string> accepted; ///< identifiers of this rank's lattices that were merged
  std::string digest;             ///< of all identifiers
  std::string options;            ///< all, as phil
};

/// Stage 1 (shots), predict (shoeboxes anew), stage 2 (structure factors), as options.pixels says; writes
/// what docs/pixel-refinement.md lists. `step` announces a step in the log. Collective. Throws
/// parallel::CommonError: merge_nothing_left where no shot has pixels or none could be refined,
/// merge_stopped after a signal: what is needed to go on with --resume then lies in PREFIX_pixels.state,
/// PREFIX_resume-*.shard and PREFIX_stage2*.checkpoint, which a run that ends removes. A predict that is
/// stopped without stage 1 leaves the shards of before, and begins anew.
void run_pixel_refinement(const parallel::Communicator& communicator, const MergeOptions& options,
                          const PixelInput& input,
                          const std::function<void(const std::string&)>& step);

} // namespace kilobragg::programs
