// First lattices and first scales.
#include "kilobragg/pixelrefinement/first_model.hpp"

#include "kernels/diffraction/lattice_factor.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::pixelrefinement {

diffraction::ShotLattice first_lattice(const models::Crystal& crystal,
                                       const FirstLatticeParams& params) {
  // Peaks that are too wide at first find their spots and become narrower; those narrower than the
  // errors of the orientation find nothing, and fitted domain sizes can be anything above.
  constexpr double least_cells = 5, most_cells = 20, least_spread_deg = 0.01, usual_size = 1000;
  diffraction::ShotLattice lattice;
  lattice.crystal = crystal;
  const double edge = std::cbrt(crystal.unit_cell().volume());
  const models::Mosaicity mosaicity =
      crystal.mosaicity.value_or(models::Mosaicity{.domain_size_angstrom = usual_size});
  const double cells = params.cells.value_or(
      std::clamp(mosaicity.domain_size_angstrom / edge, least_cells, most_cells));
  const double spread =
      params.spread_deg.value_or(std::max(least_spread_deg, mosaicity.half_mosaicity_deg)) *
      core::degree;
  lattice.size = cells * Mat3::identity();
  lattice.rotation = (spread * spread) * Mat3::identity();
  return lattice;
}

models::Mosaicity mosaicity_of(const diffraction::ShotLattice& lattice) {
  const double cells = std::abs(determinant(lattice.size));
  return {.half_mosaicity_deg = std::sqrt(trace(lattice.rotation) / 3) / core::degree,
          .domain_size_angstrom = std::cbrt(lattice.crystal.unit_cell().volume() * cells)};
}

int enough_points(const ShotModel& shot) {
  constexpr double most = 5;
  double narrowest = 1; // rad
  for (const diffraction::ShotLattice& lattice : shot.lattices) {
    const auto block = diffraction::make_block_shape(lattice.shape, lattice.size, lattice.fudge);
    const auto shape =
        diffraction::make_lattice_shape(lattice.crystal.a_matrix, block, lattice.rotation);
    const double sigma = std::sqrt(trace(shape.covariance) / 3) * shot.beam.wavelength;
    narrowest = std::min(narrowest, sigma);
  }
  double widest = 0; // pixel, rad
  for (const models::Panel& panel : shot.detector->panels) {
    const Vec3 normal = cross(panel.frame.fast, panel.frame.slow);
    const double distance = std::abs(dot(normal, panel.frame.origin));
    widest = std::max(widest, std::max(panel.pixel_size[0], panel.pixel_size[1]) / distance);
  }
  return static_cast<int>(std::clamp(std::ceil(widest / narrowest), 1.0, most));
}

bool scale_to_image(ShotModel& shot, const models::Image& image, const FactorTable& table,
                    const FactorSphere& sphere, const std::vector<double>& mean,
                    const ShotPredictionParams& prediction, const ShoeboxParams& shoeboxes,
                    const Stage1Params& stage1) {
  constexpr std::size_t enough = 300;
  constexpr double least_part = 1e-3;
  ShotPredictionParams any = prediction;
  any.threshold = 0;
  auto spots = predict_shot(shot, sphere, mean, any);
  std::stable_sort(spots.begin(), spots.end(),
                   [](const auto& a, const auto& b) { return a.photons > b.photons; });
  if (spots.size() > enough) spots.resize(enough);
  // Spots of hardly a photon may be streaks across the image, and spoil the background of all others.
  while (!spots.empty() && spots.back().photons < least_part * spots.front().photons)
    spots.pop_back();
  const ShotPixels bright = cut_shoeboxes(image, *shot.detector, spots, "", shoeboxes);
  return set_first_scale(shot, bright, table, sphere, stage1) != 0;
}

} // namespace kilobragg::pixelrefinement
