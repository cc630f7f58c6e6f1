// What the model of a refined shot says of its pixels.
#pragma once

#include "kilobragg/pixelrefinement/refine_shot.hpp"

namespace kilobragg::pixelrefinement {

/// Bragg photons of all pixels of boxes in use, the intensity of each box free within the error of its F, and
/// of those left out, by F as it is.
ShotImage model_image(const ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                      const FactorSphere& sphere, const Stage1Params& params);

} // namespace kilobragg::pixelrefinement
