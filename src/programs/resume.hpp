// What an earlier run left in the output folder, so that a run can go on where it ended.
#pragma once

#include "event_queue.hpp"

#include <string>
#include <vector>

namespace kilobragg::programs {

/// The images that have results in this rank's share of `shards`, as bytes for the first rank.
std::string read_done_share(const std::vector<std::string>& shards, int rank, int size);
/// The shares of all ranks together. Throws core::Error if shards were made with other options than
/// `phil` in what results depend on; an empty `phil` is not compared.
DoneImages join_done_shares(const std::vector<std::string>& shares, const std::string& phil);

/// Lines "name = now, name = before" for options that results depend on and that differ.
std::vector<std::string> differing_options(const std::string& now, const std::string& before);

} // namespace kilobragg::programs
