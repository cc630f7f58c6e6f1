// Predict: which reflections, strong and weak, the model of a shot lights, where, and how brightly.
#pragma once

#include "kilobragg/pixelrefinement/shoeboxes.hpp"
#include "kilobragg/pixelrefinement/shot_reflections.hpp"

#include <vector>

namespace kilobragg::pixelrefinement {

struct ShotPredictionParams {
  /// Least photons of a spot at the mean |F|^2 of its resolution, so that the choice does not depend
  /// on what is known of the reflection itself, and weak ones are measured as often as strong ones.
  double threshold = 5;
  double core_share = 0.02; ///< the core holds the pixels above this part of the brightest one
  int margin = 0; ///< ... and so many around them: spots may be larger than a model not yet refined
  double tail = 1e-4; ///< of ShoeboxOptions
  int oversample = 1; ///< points per pixel edge
};

/// Sorted by lattice and index; a reflection on two panels is listed on the one with more of its light.
/// `f_squared` by row of the table (mean_intensities()), weakened by the shot's B.
std::vector<PredictedSpot> predict_shot(const ShotModel& shot, const FactorSphere& sphere,
                                        const std::vector<double>& f_squared,
                                        const ShotPredictionParams& params);

} // namespace kilobragg::pixelrefinement
