// Point spread of a detector: how the light of one photon goes to the pixels around.
#pragma once

#include "kilobragg/models/detector.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace kilobragg::diffraction {

enum class PointSpreadShape {
  Gaussian, ///< exp(-4 ln 2 r^2 / fwhm^2)
  Fibre     ///< g / (2 pi) (g^2 + r^2)^(-3/2), fibre-coupled CCDs (Holton, Nielsen & Frankel 2012)
};

struct PointSpreadParams {
  PointSpreadShape shape = PointSpreadShape::Gaussian;
  double fwhm = 0; ///< um
  /// Pixels that the kernel reaches to each side; 0 = chosen: all but 1e-7 of a Gaussian, all but
  /// about 1 % of a fibre's tails, but at most 128.
  int radius = 0;
};

/// One point spread on pixels of one size. A pixel's light starts from its centre and each weight is
/// the exact integral over a pixel. Const members are safe to call in parallel.
///
/// The square kernel of weights is written as a sum of products of a row and a column, so that
/// pixels cost terms (2 r + 1) 2 instead of (2 r + 1)^2: one term for a Gaussian, 8 to 16 for a
/// fibre, found by elimination with complete pivoting until every weight is right to 1e-3 of itself
/// and all together to 1e-6. The share that falls outside the kernel is spread evenly over the panel, so
/// that photons are lost only where the kernel reaches over the panel's edge.
class PointSpread {
public:
  /// Throws core::Error on a width or radius without sense.
  PointSpread(const PointSpreadParams& params, const std::array<double, 2>& pixel_size_mm);

  int radius() const { return radius_; }
  std::size_t terms() const { return terms_.size(); }
  /// Share of a photon's light beyond the kernel.
  double outside() const { return outside_; }
  /// Spreads an image of width x height (fast, slow) in place.
  void apply(std::span<float> image, int width, int height) const;

private:
  /// Weights by distance from the centre, 0 ... radius.
  struct Term {
    std::vector<float> fast, slow;
  };
  int radius_ = 0;
  double outside_ = 0;
  std::vector<Term> terms_;
};

/// The exact weights of the quadrant 0 ... radius: [slow * (radius + 1) + fast].
std::vector<double> point_spread_weights(const PointSpreadParams& params,
                                         const std::array<double, 2>& pixel_size_mm, int radius);

/// Spreads each panel of `image` by itself; panels of one pixel size share one kernel.
void spread_points(const models::Detector& detector, const PointSpreadParams& params,
                   std::span<float> image);

} // namespace kilobragg::diffraction
