// The steps of merge, from files to files.
#pragma once

#include "merge_options.hpp"

#include "kilobragg/parallel/communicator.hpp"

#include <string>

namespace kilobragg::programs {

/// Merges; `phil` holds all options, for the record beside the results. Collective. Throws
/// parallel::CommonError with the status for wrong inputs, and when nothing is left to merge.
void run_merge(const parallel::Communicator& communicator, const MergeOptions& options,
               const std::string& phil);

} // namespace kilobragg::programs
