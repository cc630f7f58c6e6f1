// Random shots of a simulated run: beam, crystals and background of each image, by its number alone.
#pragma once

#include "kilobragg/diffraction/renderer.hpp"
#include "kilobragg/programs/simulate_params.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// One crystal as drawn; the words of the truth file.
struct DrawnLattice {
  models::Crystal crystal;      ///< with its true cell and orientation
  double cells_per_block = 1;   ///< N
  double mosaic_spread_deg = 0; ///< standard deviation of the misorientation angle
  double scale = 1;             ///< volume, relative to the mean crystal
};

/// One image as drawn.
struct DrawnShot {
  std::uint32_t image = 0;
  std::string kind;   ///< blank, single, double, multiple
  double fluence = 1; ///< relative to the mean
  models::Beam beam;
  std::vector<DrawnLattice> lattices;
  double background = 0; ///< mean photons per pixel
};

/// What all shots of a run share.
struct Sample {
  models::UnitCell cell;
  models::SpaceGroup space_group;
};

/// Draws image number `image`: the same for the same seed and number, whatever else is drawn.
DrawnShot draw_shot(const SimulateParams& params, const Sample& sample, std::uint32_t image);

/// The shot for the renderer: volumes become numbers of mosaic blocks, spreads become covariances.
diffraction::Shot to_render(const DrawnShot& drawn, const SimulateParams& params);

} // namespace kilobragg::programs
