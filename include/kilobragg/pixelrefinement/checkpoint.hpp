// Checkpoints of a minimisation over ranks: it goes on, bit for bit, on another number of them.
#pragma once

#include "kilobragg/pixelrefinement/spread_lbfgs.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Elements next to each other among those that a rank owns, by what they belong to.
struct OwnedBlock {
  std::string name; ///< identifier of a shot or lattice; no other block of the job has it
  std::size_t size = 0;
};

/// What a checkpoint must agree with.
struct CheckpointProblem {
  std::string digest; ///< of data and options, as the caller likes; the same on all ranks
  std::vector<OwnedBlock> blocks; ///< of this rank, in the order of its owned elements
};

struct Checkpoint {
  SpreadLbfgsState state;
  std::string caller; ///< bytes that the caller gave
};

/// Writes the whole state, with its history and the line search in hand, and `caller` as the first rank has
/// it. The file is a record log of
///
///     1 head    version, digest, numbers of variables, blocks and pairs, scalars of the state
///     2 caller  its bytes
///     3 names   of the blocks that one rank owned: text and size in turn; ranks in order
///     4 values  of one vector: which (point, x, g, direction, the diagonal if there is one, s and y from the
///               oldest), position of the first, doubles; shared elements come first, then the blocks in
///               the order of their names
///     5 end     the number of records before it
///
/// and appears under its name only when whole: on failure (disk full) it throws core::Error on all ranks, and
/// an earlier checkpoint of that name stays. The first rank holds one vector and 256 MB at once.
/// Collective.
void write_checkpoint(const std::string& path, const SpreadVectors& vectors,
                      const CheckpointProblem& problem, const SpreadLbfgsState& state,
                      std::string_view caller);

/// Gives each rank the elements that it shares and those of the blocks that it now owns. Throws core::Error
/// on all ranks if the file is cut short or damaged, or if it belongs to another problem: another digest,
/// number of variables, or other blocks. The first rank reads. Collective.
Checkpoint read_checkpoint(const std::string& path, const SpreadVectors& vectors,
                           const CheckpointProblem& problem);

} // namespace kilobragg::pixelrefinement
