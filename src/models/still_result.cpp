// Words of exit states, as users' scripts read them.
#include "kilobragg/models/still_result.hpp"

#include "kilobragg/core/error.hpp"

#include <fmt/format.h>

namespace kilobragg::models {
namespace {

constexpr std::array<std::string_view, exit_state_count> words = {
    "preprocess_exception", "spotfinding_exception", "spotfinding_ok", "not_enough_spots",
    "too_many_spots",       "indexing_failed",       "index_ok",       "refine_failed",
    "integrate_failed",     "integrate_ok",          "timeout"};

} // namespace

std::string_view word(ExitState state) { return words[static_cast<std::size_t>(state)]; }

ExitState exit_state_from_word(std::string_view text) {
  for (std::size_t i = 0; i < words.size(); ++i)
    if (words[i] == text) return static_cast<ExitState>(i);
  core::fail("unknown exit state '{}'", text);
}

std::string StillResult::state_line() const {
  if (state == ExitState::PreprocessException || state == ExitState::SpotfindingException ||
      state == ExitState::Timeout)
    return std::string(word(state));
  return fmt::format("{}_{}", word(state), count);
}

} // namespace kilobragg::models
