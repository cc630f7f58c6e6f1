// Fit of the spread of delta-psi and its causes, by iterated weighted least squares.
#include "kilobragg/refinement/psi_weights.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::refinement {
namespace {

using models::PsiSpread;

constexpr double least_spread = 1e-5;   ///< rad; keeps perfect input from infinite weight
constexpr double least_explained = 0.2; ///< of the variance of the excess, to believe in bandwidth
constexpr double most_bandwidth = 0.03; ///< sigma / mean; a pink beam and more

double square(double v) { return v * v; }

/// Weighted sums for a straight line y = slope x + constant.
struct Line {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  void add(double at, double value, double weight) {
    n += weight, x += weight * at, y += weight * value;
    xx += weight * at * at, xy += weight * at * value;
  }
  double determinant() const { return n * xx - x * x; }
  double slope() const { return (n * xy - x * y) / determinant(); }
  double constant() const { return (xx * y - x * xy) / determinant(); }
};

/// One step of Fisher's scoring for alpha and beta at fixed bandwidth.
void step_widths(PsiSpread& spread, std::span<const PsiObservation> spots) {
  Line line;
  for (const PsiObservation& s : spots) {
    const double rest = square(spread.bandwidth * std::tan(s.theta));
    line.add(square(s.d), square(s.delta_psi) - rest, 1 / square(spread.variance(s.d, s.theta)));
  }
  double slope = line.slope(), constant = line.constant();
  if (!(line.determinant() > 1e-12 * line.n * line.xx) || slope < 0)
    slope = 0, constant = line.y / line.n;
  else if (constant < 0)
    slope = std::max(0.0, line.xy / line.xx), constant = 0;
  spread.alpha = std::sqrt(slope);
  spread.beta = std::sqrt(std::max(constant, square(least_spread)));
}

/// Bandwidth at fixed variances: its share of delta-psi moves the ray by twice itself.
void step_bandwidth(PsiSpread& spread, std::span<const PsiObservation> spots) {
  double xx = 0, xy = 0, yy = 0;
  for (const PsiObservation& s : spots) {
    const double share = square(std::tan(s.theta)) / spread.variance(s.d, s.theta);
    const double x = 2 * share * s.delta_psi;
    xx += x * x;
    xy += x * s.excess;
    yy += s.excess * s.excess;
  }
  const bool believed = xy > 0 && xy * xy > least_explained * xx * yy;
  const double squared = believed ? xy / xx : 0.0;
  spread.bandwidth = std::min(std::sqrt(squared), most_bandwidth);
}

} // namespace

models::PsiSpread fit_psi_spread(std::span<const PsiObservation> spots) {
  PsiSpread spread;
  double mean = 0;
  for (const PsiObservation& s : spots)
    mean += square(s.delta_psi) / static_cast<double>(spots.size());
  spread.beta = std::sqrt(std::max(mean, square(least_spread)));
  for (int iteration = 0; iteration < 12; ++iteration) {
    step_widths(spread, spots);
    step_bandwidth(spread, spots);
  }
  return spread;
}

} // namespace kilobragg::refinement
