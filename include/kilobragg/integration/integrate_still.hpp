// Prediction and summation integration of one refined lattice (as DIALS's stills integrator).
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/image.hpp"
#include "kilobragg/models/lattice.hpp"

#include <optional>
#include <vector>

namespace kilobragg::integration {

/// Each field names its phil path; defaults are those of dials.stills_process.
struct IntegrationParams {
  std::optional<double> d_min; ///< prediction.d_min; None = finest at any panel corner
  /// prediction.widening: factor on the half width of delta-psi within which reflections are predicted.
  /// 1 gives DIALS's set. The margin measures weaker partials and so completes a merge of few shots:
  /// nanoBragg set to 2.0 A, indices measured twice: 71.6 % with CC 0.905 and R1 0.152 to the truth at
  /// 1; 77.2 %, 0.897, 0.166 at 1.15; 86.0 %, 0.877, 0.196 at 1.5.
  double prediction_widening = 1.15;
  double n_sigma = 3;                   ///< profile.gaussian_rs.parameters.n_sigma
  double sigma_b_multiplier = 2;        ///< profile.gaussian_rs.parameters.sigma_b_multiplier
  double sigma_b_cutoff_deg = 0.1;      ///< profile.gaussian_rs.parameters.sigma_b_cutoff
  bool centroid_definition_com = false; ///< profile.gaussian_rs.centroid_definition = s1 | com
  double background_outlier_nsigma = 4; ///< integration.background.simple.outlier.plane.n_sigma
  double detector_gain = 1;             ///< integration.summation.detector_gain
  bool significance_filter = false;     ///< significance_filter.enable
  int significance_bins = 20;           ///< significance_filter.n_bins
  double isigi_cutoff = 1;              ///< significance_filter.isigi_cutoff
  /// indexing.stills.set_domain_size_ang_value, set_mosaic_half_deg_value: used as they are in place
  /// of the fitted model. A smaller domain and a larger spread predict more reflections.
  std::optional<double> set_domain_size_angstrom, set_half_mosaicity_deg;
};

/// Angular spot size sigma_b (deg): root mean square over the spots used in refinement (all spots if
/// none is flagged so) of the intensity-weighted angle between the strong pixels and the predicted
/// ray (with centroid_definition_com, the observed one). Throws core::Error if no spot has one.
double measure_sigma_b(const models::Lattice& lattice, const models::SpotList& spots,
                       const models::Detector& detector, const models::Beam& beam,
                       const IntegrationParams& params);

/// Every reflection with d >= d_min that the crystal and its mosaicity bring near the Ewald sphere,
/// |delta_psi| < widening (d/D + (half mosaicity)/2), and onto a panel; sorted by index, with index,
/// panel, ray, position, delta_psi, d and the flag `predicted` filled. `spread` moves rays as in
/// refinement (bandwidth; nothing by default). Left out are systematic absences of the lattice
/// centring only: screw axes and glide planes may be wrong or broken, DIALS predicts their reflections
/// too, and merging drops them by the space group. The half of the half mosaicity is DIALS's.
/// Throws core::Error if the crystal has no mosaicity.
std::vector<models::IntegratedReflection>
predict_still(const models::Crystal& crystal, const models::Beam& beam,
              const models::Detector& detector, std::optional<double> d_min, double widening = 1,
              const models::PsiSpread& spread = {});

/// Measures sigma_b, predicts, sums. Sets lattice.sigma_b_deg and, where params ask for it, the
/// mosaicity of its crystal. Foreground and background are chosen around each prediction on the
/// sphere of directions (Kabsch), the background is a plane fitted after rejection of outliers, and
/// variance = |I| + |B| (1 + n_foreground / n_background_used), times detector_gain.
/// Reflections with a foreground pixel off the panel or untrusted, without background or without
/// variance are left out. Those on negative background stay, flagged dont_integrate and
/// failed_during_background_modelling, as dark-subtracted detectors have many.
/// Throws core::Error (the text of the exit state) when sigma_b is at or above the cutoff or
/// nothing could be integrated.
std::vector<models::IntegratedReflection>
integrate_still(models::Lattice& lattice, const models::SpotList& spots, const models::Image& image,
                const models::Beam& beam, const models::Detector& detector,
                const IntegrationParams& params);

/// The same with reflections that something else predicted: index, panel, ray, position, delta_psi, d,
/// partiality and flags are taken as they are, and each index comes once. The crystal's mosaicity and the
/// fields of params that steer prediction have no effect. The result is sorted by index.
std::vector<models::IntegratedReflection>
integrate_predicted(models::Lattice& lattice, const models::SpotList& spots,
                    const models::Image& image, const models::Beam& beam,
                    const models::Detector& detector, const IntegrationParams& params,
                    std::vector<models::IntegratedReflection> predicted);

} // namespace kilobragg::integration
