// What is made of the shards when a run has ended: composites, stream, ledger, report.
#pragma once

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <functional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Derives the composites of shards, in shares, until `stop` is not 0; returns how many files this
/// rank wrote.
std::int64_t derive_share(const parallel::Communicator& comm,
                          const std::vector<std::string>& shards, const OutputOptions& output,
                          const std::function<int()>& stop);
/// One CrystFEL stream of all shards, if asked for.
void write_stream(const StillsOptions& options, const std::vector<std::string>& shards);
/// The report of what the ledger in `directory` holds. What is wrong with it is said, not thrown: the
/// results are there. Without pictures no image file is opened.
void write_report(const OutputOptions& output, const std::string& directory, bool pictures = true);
/// All of that for a run that was killed.
void collect_results(const StillsOptions& options, const std::vector<std::string>& shards);

} // namespace kilobragg::programs
