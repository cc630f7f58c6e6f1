// Planes of background: weights from the plane, outliers by deviance.
#include "background_plane.hpp"

#include "kilobragg/core/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace kilobragg::pixelrefinement {
namespace {

using core::median;
using core::squared;

constexpr int max_rounds = 6; // of fitting and rejecting

/// Deviance of `photons` from a Poisson mean beyond `limit`. It never exceeds twice the square of the
/// normal deviation, which spares most pixels the logarithm.
bool is_outlier(double photons, double mean, double limit) {
  const double normal = squared(photons - mean);
  if (normal * 2 < limit * mean) return false;
  const double logarithm = photons > 0 ? photons * std::log(photons / mean) : 0;
  return 2 * (logarithm - photons + mean) > limit;
}

/// Decides anew which pixels are kept; true if any changed.
bool reject(std::span<BackgroundPixel> pixels, const PlaneWeights& weights, double nsigma) {
  const double limit = squared(nsigma);
  bool changed = false;
  for (BackgroundPixel& pixel : pixels) {
    const double mean = weights.variance(pixel);
    const double shift = mean - weights.plane.at(pixel.x, pixel.y);
    const bool kept = !is_outlier(pixel.photons + shift, mean, limit);
    changed = changed || kept != pixel.kept;
    pixel.kept = kept;
  }
  return changed;
}

/// Keeps what is near the median. A plane that an outlier has pulled would reject good pixels.
void keep_near_median(std::span<BackgroundPixel> pixels, double nsigma) {
  std::vector<double> values;
  for (const BackgroundPixel& pixel : pixels) values.push_back(pixel.photons);
  const double middle = median(values);
  for (double& value : values) value = std::abs(value - middle);
  const double spread = 1.4826 * median(std::move(values));
  const double poisson = std::max(middle, 1.0); // most pixels may have no photon at all
  for (BackgroundPixel& pixel : pixels)
    pixel.kept = squared(pixel.photons - middle) <=
                 squared(nsigma) * std::max(squared(spread), poisson + pixel.other_variance);
}

} // namespace

double PlaneWeights::variance(const BackgroundPixel& pixel) const {
  return std::max(plane.at(pixel.x, pixel.y), lowest) + pixel.other_variance;
}

PlaneWeights weights_from(const Plane& plane, double mean) { return {plane, 0.1 * mean}; }

bool fit_plane(std::span<const BackgroundPixel> pixels, const PlaneWeights& weights,
               PlaneFit& fit) {
  PlaneSums s;
  std::size_t count = 0;
  for (const BackgroundPixel& pixel : pixels) {
    if (!pixel.kept) continue;
    const double w = weights.lowest > 0 ? 1 / weights.variance(pixel) : 1;
    const double wx = w * pixel.x, wy = w * pixel.y;
    s.w += w, s.x += wx, s.y += wy;
    s.xx += wx * pixel.x, s.xy += wx * pixel.y, s.yy += wy * pixel.y;
    s.p += w * pixel.photons, s.xp += wx * pixel.photons, s.yp += wy * pixel.photons;
    ++count;
  }
  if (!solve_plane(s, fit.plane)) return false;
  const Plane& p = fit.plane;
  fit.mean = s.p / s.w;
  fit.slope_chi2 = p.a * p.a * (s.xx - s.x * s.x / s.w) + p.b * p.b * (s.yy - s.y * s.y / s.w) +
                   2 * p.a * p.b * (s.xy - s.x * s.y / s.w);
  fit.pixels = count;
  return true;
}

bool fit_robust_plane(std::span<BackgroundPixel> pixels, double nsigma, std::size_t min_pixels,
                      PlaneFit& fit) {
  const auto enough = [&] { return fit.pixels >= min_pixels; };
  if (!fit_plane(pixels, {}, fit) || !enough()) return false;
  if (!(fit.mean > 0)) return true;
  if (reject(pixels, weights_from(fit.plane, fit.mean), nsigma)) {
    keep_near_median(pixels, nsigma);
    if (!fit_plane(pixels, {}, fit) || !enough()) return false;
  }
  for (int round = 0; round < max_rounds && fit.mean > 0; ++round) {
    if (!fit_plane(pixels, weights_from(fit.plane, fit.mean), fit) || !enough()) return false;
    if (fit.mean > 0 && !reject(pixels, weights_from(fit.plane, fit.mean), nsigma)) break;
  }
  return true;
}

double lowest_in(const diffraction::Shoebox& box, const Plane& plane) {
  const double x = 0.5 * (box.x1 - box.x0 - 1), y = 0.5 * (box.y1 - box.y0 - 1);
  return plane.c - std::abs(plane.a) * x - std::abs(plane.b) * y;
}

Plane on_panel(const diffraction::Shoebox& box, Plane plane) {
  plane.c -= plane.a * 0.5 * (box.x0 + box.x1) + plane.b * 0.5 * (box.y0 + box.y1);
  return plane;
}

} // namespace kilobragg::pixelrefinement
