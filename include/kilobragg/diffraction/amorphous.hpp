// Background in absolute units: photons that water, air or any material without order scatters.
#pragma once

#include "kilobragg/diffraction/scattering_table.hpp"
#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"

#include <span>
#include <vector>

namespace kilobragg::diffraction {

/// A material in the beam.
struct Medium {
  ScatteringTable table;
  double path = 0;       ///< length that the beam goes through it (mm)
  double density = 1;    ///< g/cm^3
  double molar_mass = 1; ///< g/mol of the molecule that `table` describes
};

/// Liquid water at 20 C.
Medium water(double path_mm);
/// Dry air at 20 C and 101.325 kPa.
Medium air(double path_mm);

/// Molecules in path x beam_area: 1e-3 path area density Avogadro / molar_mass.
double molecules_in_beam(const Medium& medium, double beam_area_mm2);

/// The exposure that lights the media.
struct AmorphousShot {
  models::Beam beam;    ///< wavelength or spectrum; direction and polarisation are the renderer's
  double fluence = 0;   ///< photons/m^2
  double beam_area = 0; ///< cross section of the beam (mm^2)
  bool per_channel = true; ///< each channel of a spectrum by itself, else all at their mean
};

/// Adds such background on one detector. Const members are safe to call in parallel.
///     I = r_e^2 fluence P Omega c sum_media N sum_channels w F|F|(sin(theta) / lambda)
/// with N molecules in the beam; P, Omega, c as for Bragg peaks (pixel_factors.hpp), once at each
/// pixel's centre. Shadows, absorption and the air path behind the beam stop are not modelled.
class AmorphousScattering {
public:
  /// Throws core::Error on a detector without pixels.
  AmorphousScattering(const models::Detector& detector, const models::Beam& beam);

  std::size_t pixel_count() const { return factor_.size(); }
  /// Adds mean photons of all media to `photons`. Throws core::Error on a wrong size or on a medium
  /// or shot that has no sense.
  void add(const AmorphousShot& shot, std::span<const Medium> media,
           std::span<float> photons) const;

private:
  std::vector<float> factor_;    ///< polarisation, solid angle (sr), capture
  std::vector<float> sin_theta_; ///< of each pixel's centre
  double largest_ = 0;           ///< largest of them
};

} // namespace kilobragg::diffraction
