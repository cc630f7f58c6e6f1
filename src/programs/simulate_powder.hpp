// Powder rings of ice and salt on simulated images; for the sources of simulate_stills alone.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace kilobragg::programs {

/// One ring: all indices of one d spacing.
struct PowderLine {
  double d = 0;         ///< angstrom
  double intensity = 0; ///< crest of the ring, the strongest = 1: multiplicity |F|^2 d^2
};

/// Rings of hexagonal ice (oxygen atoms; cell at 100 K, Roettger et al. 1994) and of sodium chloride,
/// from the largest d spacing to `d_min`; those below a thousandth of the strongest are left out.
std::vector<PowderLine> ice_lines(double d_min);
std::vector<PowderLine> salt_lines(double d_min);

/// Sum of Gaussian rings over 1/d (1/angstrom), relative full width at half maximum `width`.
class PowderProfile {
public:
  PowderProfile(const std::vector<PowderLine>& lines, double width);
  /// Linear between tabulated points; 0 beyond the table.
  float at(float reciprocal_d) const {
    const float position = reciprocal_d * per_step_;
    if (!(position >= 0) || position >= static_cast<float>(table_.size() - 1)) return 0;
    const auto i = static_cast<std::size_t>(position);
    const float part = position - static_cast<float>(i);
    return table_[i] + part * (table_[i + 1] - table_[i]);
  }

private:
  float per_step_ = 0;
  std::vector<float> table_;
};

/// What powder rings need to know of each pixel, in the order of images.
class PowderScreen {
public:
  PowderScreen(const models::Detector& detector, const models::Beam& beam);
  /// Adds level x profile, weakened by polarisation, solid angle and capture as the pixel's place
  /// says (1 for the pixel that receives most), for a beam of `wavelength` (angstrom).
  void add(const PowderProfile& profile, double level, double wavelength,
           std::span<float> photons) const;

private:
  std::vector<float> momentum_; ///< 2 sin(theta)
  std::vector<float> factor_;
};

} // namespace kilobragg::programs
