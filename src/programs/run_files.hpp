// Names and places of what a run of stills_process writes.
#pragma once

#include "kilobragg/io/shard.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <string>
#include <vector>

namespace kilobragg::programs {

std::string log_path(const OutputOptions& output);
std::string shard_path(const OutputOptions& output, int rank);

/// Makes the output folder and removes the shards and composites of an earlier run in it, which
/// would otherwise be taken for results of this one. Throws core::Error if it cannot.
void prepare_output(const OutputOptions& output);

/// JSON header of a shard: program, version, source commit and the options in effect.
std::string run_header(const std::string& phil);

/// output.*_filename as the names of composites: %s becomes idx-{:04d}, the extension goes.
io::CompositeNames composite_names(const OutputOptions& output);

} // namespace kilobragg::programs
