// Shoeboxes about predicted spots, cut from an image: photons, planes of background, what counts.
#pragma once

#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/image.hpp"
#include "kilobragg/models/reflections.hpp"
#include "kilobragg/pixelrefinement/shot_pixels.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace kilobragg::pixelrefinement {

/// A reflection that the model expects on a panel.
struct PredictedSpot {
  models::Miller hkl; ///< in the lattice's own P1 indexing
  int lattice = 0;    ///< of the shot
  int panel = 0;
  models::PixelBox
      core; ///< where nearly all of its light falls: may be a streak, or leave the panel
  models::PanelPoint px; ///< its centre
  double photons = 0;    ///< expected of the current model; every spot is cut out, also the weakest
};

struct ShoeboxParams {
  int border = 4;         ///< pixels around the core on each side
  int smallest_edge = 10; ///< pixels; smaller boxes are widened
  double gain = 1;        ///< counts per photon, on top of the panel's own gain and pedestal
  double readout = 0;     ///< rms noise of the readout in raw counts
  /// The same for each pixel of the image's buffer, in place of `readout`; empty = one value for all.
  /// Must outlive the call.
  std::span<const float> dark_rms = {};
  int min_core_pixels = 3;        ///< trusted ones that a core needs, ...
  double min_core_share = 0.75;   ///< ... also as a part of the whole core, on the panel or not
  double min_own_share = 0.3;     ///< of the trusted core that other boxes must leave to it
  int min_background_pixels = 20; ///< around the spots
  double outlier_nsigma = 6; ///< beyond which a pixel of the background is hot, a zinger or dead
  int tail = 2;              ///< pixels around a core in which outliers may be the spot's light
  double left_out = 0;       ///< part of the boxes that is kept for cross-validation
};

/// Boxes about the spots, one for each and in their order. A panel's trusted range is of raw counts, and
/// pixels outside it, masked or not finite have value 0. Where a box is not good, none of its pixels has
/// used = 1.
///
/// The plane is fitted to trusted pixels outside the cores of all spots, with weights 1/V, V = plane +
/// readout^2 of the plane before (at first 1), never of the pixel's own value: then it holds as many
/// photons as the pixels do, however few. Where a slope within its error (3 sigma) makes it negative
/// somewhere in the box, a constant takes its place. Outliers have a deviance from the plane of
/// outlier_nsigma^2 and more, 2 (p ln(p/m) - p + m) with p = value + readout^2, m = V (at many photons
/// the usual (p-m)^2/m; at few a photon or two is no outlier); a fit that meets one begins again at the
/// median. They have used = 0, except beside a core: to drop what is bright of a spot's tail would bias
/// the fit of the spot, so there they are only kept out of the plane.
///
/// A pixel in several boxes is used in that of the nearest centre (a tie: in the first); boxes that are
/// not good give up theirs, but for cores of saturated spots, which count nowhere. Boxes are left out by
/// a hash of identifier, lattice and index: the same on any number of ranks. Throws core::Error for
/// spots on absent panels, a gain that is not positive, or a dark map of another size.
ShotPixels cut_shoeboxes(const models::Image& image, const models::Detector& detector,
                         std::span<const PredictedSpot> spots, const std::string& identifier,
                         const ShoeboxParams& params);

/// Fits each plane again to value - bragg of all used pixels, weights 1/(background + bragg +
/// readout^2), and sets `background`. `bragg` are the model's photons of every pixel. Boxes whose new
/// plane is not positive all over, or that have too few pixels, stay as they are.
void fit_backgrounds(ShotPixels& pixels, std::span<const double> bragg,
                     const ShoeboxParams& params);

/// Sets `background` from the planes of the boxes, for as many pixels as they have.
void evaluate_backgrounds(ShotPixels& pixels);

/// Number of boxes by BoxState.
using BoxCounts = std::array<std::size_t, 7>;
BoxCounts count_boxes(std::span<const ReflectionBox> boxes);

} // namespace kilobragg::pixelrefinement
