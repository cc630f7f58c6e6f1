// What becomes of one still: its exit state and everything that was found.
#pragma once

#include "kilobragg/models/experiment.hpp"
#include "kilobragg/models/lattice.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::models {

/// How a still ends; each image ends in exactly one. The words written to logs are DIALS's where it
/// has one: `not_enough_spots_N`, `too_many_spots_N`, `indexing_failed_N`, `refine_failed_N`,
/// `integrate_failed_N`, `integrate_ok_N`, `spotfinding_exception`, `preprocess_exception`;
/// `timeout` is ours.
enum class ExitState {
  PreprocessException, ///< the image could not be read or decoded
  SpotfindingException,
  SpotfindingOk, ///< finished there because dispatch.index=False
  NotEnoughSpots,
  TooManySpots,
  IndexingFailed,
  IndexOk, ///< finished there because dispatch.integrate=False
  RefineFailed,
  IntegrateFailed,
  IntegrateOk,
  Timeout, ///< took longer than dispatch.timeout allows and was given up
};
inline constexpr int exit_state_count = 11;

/// "integrate_ok" and so on: the word without its number.
std::string_view word(ExitState state);
/// Inverse of word(); throws core::Error on an unknown word.
ExitState exit_state_from_word(std::string_view word);

/// Steps whose time is kept for each still.
enum class Step { Read, Spotfind, Index, Refine, Integrate, Write };
inline constexpr int step_count = 6;

/// A lattice with its integrated reflections.
struct IntegratedLattice {
  Lattice lattice;
  std::string identifier;
  std::vector<IntegratedReflection> reflections;
};

/// Who processed a still, and when; nothing that results are made of.
struct Processing {
  std::string host;
  int rank = 0;
  double started = 0; ///< Unix time (s), 0 = unknown
};

struct StillResult {
  ImageSource source;
  Beam beam;
  std::shared_ptr<const Detector> detector;
  ExitState state = ExitState::PreprocessException;
  int count = 0;       ///< the N of the state line: spots, indexed spots or reflections
  std::string message; ///< why, for a failing state; what was done in another way than asked
  SpotList spots;
  std::vector<IntegratedLattice> lattices;
  std::array<double, step_count> seconds{}; ///< wall time of each Step
  Processing processing;

  /// "integrate_ok_200": word and count as in DIALS's debug_<rank>.txt.
  std::string state_line() const;
};

} // namespace kilobragg::models
