// A set of shards with all shots of a run: one shard for each rank that holds some.
#pragma once

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/pixelrefinement/shot_record.hpp"

#include <string>
#include <vector>

namespace kilobragg::programs {

/// Writes "<stem>NNNN.shard", NNNN being the rank, and removes other shards of that stem. `set` is what the
/// shards have in common. They appear under their names only when all are whole; until then those of before
/// stay. Collective; throws parallel::CommonError (merge_failed).
void write_shot_set(const parallel::Communicator& communicator, const std::string& stem,
                    const std::string& set, const std::vector<pixelrefinement::ShotRecord>& shots);

/// The shots of this rank, placed by pixels, and what was given as `set`. Collective; throws
/// parallel::CommonError (merge_usage) if there are none, if shards are missing or of different sets.
std::vector<pixelrefinement::ShotRecord> read_shot_set(const parallel::Communicator& communicator,
                                                       const std::string& stem, std::string& set);

/// Removes what `pattern` behind `stem` matches; errors do not matter.
void remove_matching(const std::string& stem, const std::string& pattern);

} // namespace kilobragg::programs
