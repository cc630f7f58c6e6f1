// The model that a shot begins with: blocks and spread from a still's mosaicity, the scale from its image.
#pragma once

#include "kilobragg/models/crystal.hpp"
#include "kilobragg/models/image.hpp"
#include "kilobragg/pixelrefinement/refine_shot.hpp"
#include "kilobragg/pixelrefinement/shoeboxes.hpp"
#include "kilobragg/pixelrefinement/shot_prediction.hpp"

#include <optional>
#include <vector>

namespace kilobragg::pixelrefinement {

/// In place of what the mosaicity of a still says.
struct FirstLatticeParams {
  std::optional<double> cells;      ///< N along all axes
  std::optional<double> spread_deg; ///< mosaic spread, standard deviation
};

/// N = D / V^(1/3) along all axes with the domain size D (1000 angstrom where nothing was fitted), 5
/// to 20; the spread is the half mosaicity, at least 0.01 degrees, alike about all axes.
diffraction::ShotLattice first_lattice(const models::Crystal& crystal,
                                       const FirstLatticeParams& params);

/// The way back: D = (V det N)^(1/3), half mosaicity = the root of the mean variance of misorientation.
models::Mosaicity mosaicity_of(const diffraction::ShotLattice& lattice);

/// Points per pixel edge, 1 to 5, so that they are no farther apart than the standard deviation of the
/// narrowest peak: the model's width then is within 4 % of what the pixel integrates.
int enough_points(const ShotModel& shot);

/// Brings the scales of a new shot to its image: set_first_scale() on shoeboxes about the 300 brightest
/// spots of a prediction without threshold, as far as they have a thousandth of the brightest's photons. `mean`: mean_intensities() of the table. False where nothing
/// rises above the background. Throws core::Error as cut_shoeboxes() does.
bool scale_to_image(ShotModel& shot, const models::Image& image, const FactorTable& table,
                    const FactorSphere& sphere, const std::vector<double>& mean,
                    const ShotPredictionParams& prediction, const ShoeboxParams& shoeboxes,
                    const Stage1Params& stage1);

} // namespace kilobragg::pixelrefinement
