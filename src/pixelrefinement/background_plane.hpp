// Planes of background through photons of few and many counts; for the sources of this room alone.
#pragma once

#include "kernels/integration/plane_fit.hpp"

#include "kilobragg/diffraction/shoebox_model.hpp"

#include <cstddef>
#include <span>

namespace kilobragg::pixelrefinement {

/// A pixel of the fit; x and y are relative to the middle of the box.
struct BackgroundPixel {
  double x = 0, y = 0;
  double photons = 0;
  double other_variance = 0; ///< what is not the background's own: readout, Bragg photons
  std::size_t at = 0;        ///< in the columns of the shot
  bool kept = true;          ///< false: an outlier
};

/// Where weights come from: V = max(plane, lowest) + other_variance; lowest = 0: all weights are 1.
struct PlaneWeights {
  Plane plane;
  double lowest = 0;
  double variance(const BackgroundPixel& pixel) const;
};
/// Weights from a plane with that mean: no pixel's variance falls below a tenth of the mean.
PlaneWeights weights_from(const Plane& plane, double mean);

/// A plane through the kept pixels.
struct PlaneFit {
  Plane plane;
  double mean = 0;       ///< photons, weighted
  double slope_chi2 = 0; ///< how much worse a constant fits: chi^2 of two degrees
  std::size_t pixels = 0;
};
/// False where the pixels span no plane.
bool fit_plane(std::span<const BackgroundPixel> pixels, const PlaneWeights& weights, PlaneFit& fit);

/// Fits and rejects in turn. False where fewer than `min_pixels` are kept.
bool fit_robust_plane(std::span<BackgroundPixel> pixels, double nsigma, std::size_t min_pixels,
                      PlaneFit& fit);

/// Lowest value at the pixel centres of a box, of a plane in coordinates about its middle.
double lowest_in(const diffraction::Shoebox& box, const Plane& plane);

/// The same plane over the panel's coordinates.
Plane on_panel(const diffraction::Shoebox& box, Plane plane);

} // namespace kilobragg::pixelrefinement
