// Which rank refines which shots: an even share of pixels for each, and moving the shots there.
#pragma once

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/pixelrefinement/shot_record.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::pixelrefinement {

struct ShotLoad {
  std::string identifier;
  std::uint64_t pixels = 0;
};

/// The rank of each shot by longest processing time first: shots go by pixels (the most first, ties by
/// identifier) to the rank with the fewest pixels so far (ties: with the fewest shots, then the lowest).
/// No rank gets more than 4/3 of the least possible maximum (Graham, 1969, SIAM J. Appl. Math. 17, 416).
/// The order of `shots` does not matter. Throws core::Error where two have one identifier.
std::vector<int> place_shots(std::span<const ShotLoad> shots, int ranks);

/// Moves shots: shots[i] goes to rank destinations[i]. Returns what came here, in no particular order. Equal
/// detectors become one object, and are sent once to each rank. Collective; throws core::Error on all
/// ranks.
std::vector<ShotRecord> send_shots(const parallel::Communicator& communicator,
                                   std::vector<ShotRecord> shots,
                                   std::span<const int> destinations);

/// Moves the shots of all ranks to where place_shots() puts them, wherever they are now, and returns this
/// rank's in order of their identifiers. Collective; throws core::Error on all ranks.
std::vector<ShotRecord> distribute_shots(const parallel::Communicator& communicator,
                                         std::vector<ShotRecord> shots);

} // namespace kilobragg::pixelrefinement
