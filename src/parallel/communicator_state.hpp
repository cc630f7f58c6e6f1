// The MPI handle behind a Communicator; for the sources of this room alone.
#pragma once

#include "kilobragg/core/error.hpp"
#include "kilobragg/parallel/communicator.hpp"

#include <mpi.h>

#include <algorithm>

namespace kilobragg::parallel {

struct Communicator::State {
  MPI_Comm comm = MPI_COMM_NULL; ///< null: alone, no MPI call is made
  int rank = 0, size = 1;
};

namespace detail {

/// Counts of one MPI call stay below this.
inline constexpr std::size_t max_piece = std::size_t{1} << 30;

/// Calls `move(offset, bytes)` for consecutive pieces of a long message.
template <typename Move>
void in_pieces(std::size_t bytes, std::size_t piece, const Move& move) {
  for (std::size_t offset = 0; offset < bytes; offset += piece)
    move(offset, static_cast<int>(std::min(piece, bytes - offset)));
}

} // namespace detail
} // namespace kilobragg::parallel
