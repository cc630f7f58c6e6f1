// Stage 1: the model of one shot refined against its shoeboxes.
#pragma once

#include "kilobragg/pixelrefinement/shot_target.hpp"

#include <string>
#include <vector>

namespace kilobragg::pixelrefinement {

struct Stage1Params {
  ParameterRules rules;
  ShotTargetParams target;
  int max_evaluations = 60;
  double tolerance = 1e-3; ///< converged where the gradient promises less than this (in f) to gain
  double slack = 0.004;    ///< orientations may be that wrong (rad)
  /// A pixel is left out where |z - median| exceeds this many robust deviations of its box's z (at least 1).
  double outlier_z = 12;
  /// A shot is given up above it (the worst thousandth of pixels aside), or where its light explains less
  /// than its parameters would by chance.
  double max_sigma_z = 10;
  int min_boxes = 8; ///< ... or with fewer boxes than this
};

/// Of one parameter at the end.
struct RefinedParameter {
  std::string name;
  double value = 0, sigma = 0; ///< sigma from the Fisher information
};

struct Stage1Result {
  double f = 0;       ///< at the end
  double sigma_z = 0; ///< root of the mean of (d - m)^2 / V over the pixels used, e^t as fitted
  double sigma_z_known = 0; ///< the same with all t = 0
  std::size_t pixels = 0, boxes = 0, outliers = 0;
  int evaluations = 0;
  std::vector<RefinedParameter> parameters;
};

/// Moves `shot` to the best model and sets its state; marks outlying pixels in `pixels` as not used.
/// L-BFGS in coordinates in which the Fisher information is the unit matrix: that at the start, then that
/// at the point reached. Before, only pixels that outshine the model everywhere are marked; after, outliers
/// as outlier_z says, and where there are any the descent goes on without them. A shot that cannot be
/// refined keeps its model and gets the state that says why.
Stage1Result refine_shot(ShotModel& shot, ShotPixels& pixels, const FactorTable& table,
                         const FactorSphere& sphere, const Stage1Params& params);

struct ShotToRefine {
  ShotModel* shot;
  ShotPixels* pixels;
};

/// Many shots in step: what their models are asked for goes through the same launches. Each ends as it
/// would alone, bit for bit.
std::vector<Stage1Result> refine_shots(std::span<const ShotToRefine> shots,
                                       const FactorTable& table, const FactorSphere& sphere,
                                       const Stage1Params& params);

/// Brings the scales of a shot's lattices to the photons of its boxes: all are multiplied by
/// sum w (value - background) / sum w bragg, w = bragg / (background + readout^2), which is least squares.
/// Returns the factor, 0 where there is nothing to compare.
double set_first_scale(ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                       const FactorSphere& sphere, const Stage1Params& params);

} // namespace kilobragg::pixelrefinement
