// From the model of a shot to what stage 2 streams over.
#pragma once

#include "kilobragg/pixelrefinement/shot_pixels.hpp"
#include "kilobragg/pixelrefinement/shot_reflections.hpp"
#include "kilobragg/pixelrefinement/shot_stream.hpp"

namespace kilobragg::pixelrefinement {

struct StreamParams {
  int oversample = 1;
  double tail = 1e-5; ///< ShoeboxOptions
  /// Light of a reflection in a pixel that at the mean |F|^2 of its resolution is less than this part of
  /// the background's standard deviation is counted as background, at the F of the table.
  double negligible = 0.01;
};

/// Kernels of every reflection that lights a pixel that counts, in boxes Used or LeftOut. Pixels that
/// nothing lights say nothing about F and are left out. Each lattice's G and the shot's B are in the
/// kernels as they stand. `f_squared`: mean_intensities().
ShotStream make_stream(const ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                       const FactorSphere& sphere, const std::vector<double>& f_squared,
                       const StreamParams& params);

} // namespace kilobragg::pixelrefinement
