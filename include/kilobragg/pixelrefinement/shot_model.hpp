// Everything that the forward model needs to know of one shot, as refinement moves it.
#pragma once

#include "kilobragg/diffraction/renderer.hpp"
#include "kilobragg/diffraction/shoebox_model.hpp"
#include "kilobragg/models/experiment.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Named ends of a shot: what stands in tables and logs.
enum class ShotState : std::uint8_t {
  Fresh,         ///< not refined yet
  Refined,       ///< converged
  Limit,         ///< stopped by the limit of evaluations, still falling
  NoPixels,      ///< its image could not be read, or no shoebox is left
  NotFinite,     ///< the model or the likelihood gave NaN or infinity
  Singular,      ///< too few pixels for its parameters
  BadFit,        ///< sigma-Z beyond the limit: bad pixels, a wrong lattice
  Contradiction, ///< its cell does not fit the merge's
};
const char* word_of(ShotState state);
inline constexpr std::array all_shot_states = {
    ShotState::Fresh,     ShotState::Refined,  ShotState::Limit,  ShotState::NoPixels,
    ShotState::NotFinite, ShotState::Singular, ShotState::BadFit, ShotState::Contradiction};

/// One image with all its lattices.
struct ShotModel {
  std::string identifier; ///< the least of its lattices' identifiers
  models::ImageSource source;
  std::shared_ptr<const models::Detector> detector;
  models::Beam beam; ///< with its spectrum where that is known
  std::vector<std::string> lattice_identifiers;
  std::vector<diffraction::ShotLattice> lattices; ///< Gaussian; scale is exp(ln G)
  diffraction::WavelengthShift wavelength;
  double distance = 0; ///< shift of all panels away from the sample, along the beam (mm)
  double b_factor = 0; ///< I ~ exp(-B / (2 d^2)) (angstrom^2)
  ShotState state = ShotState::Fresh;
};

/// True for shots whose model stage 2 takes.
inline bool is_refined(const ShotModel& shot) {
  return shot.state == ShotState::Refined || shot.state == ShotState::Limit;
}

/// The detector moved by `distance`; where that is 0, the shot's own.
std::shared_ptr<const models::Detector> moved_detector(const ShotModel& shot);

} // namespace kilobragg::pixelrefinement
