// Prediction and summation integration of one refined lattice (as DIALS's stills integrator).
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/image.hpp"
#include "kilobragg/models/lattice.hpp"

#include <optional>
#include <vector>

namespace kilobragg::integration {

struct IntegrationParams {
  std::optional<double> d_min;      ///< prediction.d_min; None = finest at any panel corner
  double n_sigma = 3;               ///< profile.gaussian_rs.parameters.n_sigma
  double sigma_b_multiplier = 2;    ///< profile.gaussian_rs.parameters.sigma_b_multiplier
  double sigma_b_cutoff_deg = 0.1;  ///< profile.gaussian_rs.parameters.sigma_b_cutoff
  bool centroid_definition_com = false; ///< profile.gaussian_rs.centroid_definition = s1 | com
  double background_outlier_nsigma = 4; ///< integration.background.simple.outlier.plane.n_sigma
  double detector_gain = 1;         ///< integration.summation.detector_gain
  bool significance_filter = false; ///< significance_filter.enable
  int significance_bins = 20;
  double isigi_cutoff = 1;
};

/// Angular spot size sigma_b (deg) from the strong pixels of the lattice's spots.
/// Throws core::Error if no spot has one.
double measure_sigma_b(const models::Lattice& lattice, const models::SpotList& spots,
                       const models::Detector& detector, const models::Beam& beam,
                       const IntegrationParams& params);

/// Every reflection that the crystal and its mosaicity bring near the Ewald sphere and onto a panel;
/// sorted by index; boxes and geometry filled, intensities not.
std::vector<models::IntegratedReflection> predict_still(const models::Crystal& crystal,
                                                        const models::Beam& beam,
                                                        const models::Detector& detector,
                                                        std::optional<double> d_min);

/// Measures sigma_b, predicts, sums. Sets lattice.sigma_b_deg. Throws core::Error (the text of the
/// exit state) when sigma_b is at or above the cutoff or nothing could be integrated.
std::vector<models::IntegratedReflection> integrate_still(models::Lattice& lattice,
                                                          const models::SpotList& spots,
                                                          const models::Image& image,
                                                          const models::Beam& beam,
                                                          const models::Detector& detector,
                                                          const IntegrationParams& params);

} // namespace kilobragg::integration
