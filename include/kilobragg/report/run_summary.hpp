// What a run of stills_process adds up to: exit states, rates and times per step.
#pragma once

#include "kilobragg/models/still_result.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace kilobragg::report {

/// Counts over stills; plain numbers, so that summaries of ranks add up.
struct RunSummary {
  std::int64_t stills = 0;
  std::array<std::int64_t, models::exit_state_count> by_state{};
  std::int64_t lattices = 0, spots = 0, indexed_spots = 0, reflections = 0;
  std::array<double, models::step_count> seconds{};    ///< summed over stills
  std::array<std::int64_t, models::step_count> runs{}; ///< stills that reached the step

  void add(const models::StillResult& result);
  void add(const RunSummary& other);
  std::int64_t accounted() const; ///< sum over exit states
  std::int64_t hits() const;      ///< stills with enough spots
  std::int64_t indexed() const;   ///< stills with a lattice
};

/// The table printed at the end of a run. `inputs` is what was handed out, `elapsed` wall seconds.
/// Says so in plain words if inputs and exit states do not add up.
std::string format_summary(const RunSummary& summary, std::int64_t inputs, double elapsed,
                           int ranks);

} // namespace kilobragg::report
