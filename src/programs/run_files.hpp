// Names and places of what a run of stills_process writes.
#pragma once

#include "kilobragg/io/shard.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <string>
#include <vector>

namespace kilobragg::programs {

std::string log_path(const OutputOptions& output);
/// The options in effect, to give to another run.
std::string phil_path(const OutputOptions& output);
std::string shard_path(const OutputOptions& output, int rank);

/// Makes the output folder and removes the shards and composites of an earlier run in it, which
/// would otherwise be taken for results of this one. Throws core::Error if it cannot, and as
/// require_ended_run() does.
void prepare_output(const OutputOptions& output);
/// Throws core::Error if the run in the folder did not come to its end: a shard from which nothing
/// was derived since it was written may be all there is.
void require_ended_run(const OutputOptions& output);

/// Those from which composites are wanted and missing, or older than the shard.
std::vector<std::string> underived(const std::vector<std::string>& shards,
                                   const OutputOptions& output);
/// Derives the composites of one shard beside it; returns the files written.
std::vector<std::string> derive_composites(const std::string& shard, const OutputOptions& output);
/// Makes the output folder if there is none. Throws core::Error.
void make_output_folder(const OutputOptions& output);

/// Derives the composites of shards, as idx-0003.shard, beside each; returns the files written.
/// Throws core::Error for what is no shard or is not named so.
std::vector<std::string> derive_composites(const std::vector<std::string>& shards,
                                           const OutputOptions& output);

/// JSON header of a shard: program, version, source commit and the options in effect.
std::string run_header(const std::string& phil);

/// output.*_filename as the names of composites: %s becomes idx-{:04d}, the extension goes.
io::CompositeNames composite_names(const OutputOptions& output);

} // namespace kilobragg::programs
