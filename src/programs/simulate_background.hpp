// Background in absolute units on simulated images; for the sources of simulate_stills alone.
#pragma once

#include "kilobragg/core/options.hpp"
#include "kilobragg/diffraction/amorphous.hpp"
#include "kilobragg/programs/simulate_shots.hpp"

#include <optional>
#include <span>
#include <vector>

namespace kilobragg::programs {

/// Declares background.*.
void add_background_options(core::OptionSet& options, SimulateBackground& background);

/// Throws core::Error for media that cannot be.
void check_background(const SimulateBackground& background);

/// What the beam goes through.
struct BackgroundMedia {
  std::vector<diffraction::Medium> jet;    ///< with the crystals
  std::vector<diffraction::Medium> around; ///< always there
};

/// Those of the options. Throws core::Error naming the table's file.
BackgroundMedia make_media(const SimulateBackground& background);

/// Scattering of water, air and a table, which follows the fluence of the shot and the cross section
/// of the beam. Holds geometry of every pixel only if one of them is asked for.
class AbsoluteBackground {
public:
  /// `planes`: the detector on which photons fall. What is given by reference must outlive it.
  AbsoluteBackground(const SimulateParams& params, const BackgroundMedia& media,
                     const models::Detector& planes, const models::Beam& beam);
  /// Blank shots have background.blank of water and table, which come with the jet, and all the air.
  void add(const DrawnShot& shot, std::span<float> photons) const;

private:
  const SimulateParams& params_;
  const BackgroundMedia& media_;
  std::optional<diffraction::AmorphousScattering> scattering_;
};

} // namespace kilobragg::programs
