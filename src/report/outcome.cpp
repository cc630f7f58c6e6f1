// Groups of exit states and their colours.
#include "kilobragg/report/outcome.hpp"

namespace kilobragg::report {

Outcome outcome_of(models::ExitState state) {
  using models::ExitState;
  switch (state) {
  case ExitState::NotEnoughSpots:
  case ExitState::TooManySpots:
    return Outcome::NoHit;
  case ExitState::SpotfindingOk:
  case ExitState::IndexingFailed:
    return Outcome::NotIndexed;
  case ExitState::IndexOk:
  case ExitState::RefineFailed:
  case ExitState::IntegrateFailed:
    return Outcome::Indexed;
  case ExitState::IntegrateOk:
    return Outcome::Integrated;
  case ExitState::PreprocessException:
  case ExitState::SpotfindingException:
  case ExitState::Timeout:
    break;
  }
  return Outcome::Failed;
}

const std::array<Key, outcome_count>& outcome_keys() {
  static constexpr std::array<Key, outcome_count> keys{{{"#111111", "unreadable or timeout"},
                                                        {"#b9bec4", "no hit"},
                                                        {"#e69f00", "hit, not indexed"},
                                                        {"#56b4e9", "indexed, not integrated"},
                                                        {"#0072b2", "integrated"}}};
  return keys;
}

const std::array<Key, models::step_count>& step_keys() {
  static constexpr std::array<Key, models::step_count> keys{{{"#009e73", "read"},
                                                             {"#56b4e9", "find spots"},
                                                             {"#e69f00", "index"},
                                                             {"#cc79a7", "refine"},
                                                             {"#0072b2", "integrate"},
                                                             {"#111111", "write"}}};
  return keys;
}

} // namespace kilobragg::report
