// Exit states in five groups, as rates and colours need them, and the colours of a report.
#pragma once

#include "kilobragg/models/still_result.hpp"

#include <array>

namespace kilobragg::report {

/// What came of an image, in the order in which a hit gets farther.
enum class Outcome { Failed, NoHit, NotIndexed, Indexed, Integrated };
inline constexpr int outcome_count = 5;

/// NoHit: not_enough_spots, too_many_spots. NotIndexed: indexing_failed, spotfinding_ok. Indexed:
/// index_ok, refine_failed, integrate_failed. Failed: the exceptions and timeout.
Outcome outcome_of(models::ExitState state);

inline bool is_hit(Outcome outcome) { return outcome >= Outcome::NotIndexed; }
inline bool is_indexed(Outcome outcome) { return outcome >= Outcome::Indexed; }

/// A colour that colour-blind readers tell from its neighbours (after Okabe and Ito), and its word.
struct Key {
  const char* colour; ///< "#rrggbb"
  const char* name;
};
const std::array<Key, outcome_count>& outcome_keys();
const std::array<Key, models::step_count>& step_keys();

} // namespace kilobragg::report
