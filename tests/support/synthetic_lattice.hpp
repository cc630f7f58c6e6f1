// Still shots of lattices with known truth: spots on one flat panel, with noise and junk.
#pragma once

#include "kernels/geometry/small_solve.hpp"
#include "kernels/geometry/stills_prediction.hpp"

#include "kilobragg/models/crystal.hpp"
#include "kilobragg/models/mapping.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace kilobragg::testing {

/// A cell and group of each crystal system, in several settings.
struct LatticeCase {
  std::string name, group, cell;
  int free_parameters;
};

inline const std::vector<LatticeCase>& lattice_cases() {
  static const std::vector<LatticeCase> cases{
      {"triclinic", "P 1", "61 72 83 80 95 102", 6},
      {"monoclinic_b", "P 1 21 1", "55 72 63 90 107 90", 4},
      {"monoclinic_centred", "C 1 2 1", "110 62 71 90 112 90", 4},
      {"orthorhombic", "P 21 21 21", "41.9 75.7 102 90 90 90", 3},
      {"orthorhombic_centred", "C 2 2 21", "61.4 122.6 168 90 90 90", 3},
      {"tetragonal", "P 43 21 2", "77 77 37.2 90 90 90", 2},
      {"tetragonal_body", "I 4", "88 88 61 90 90 90", 2},
      {"trigonal", "P 31 2 1", "71 71 98 90 90 120", 2},
      {"rhombohedral_hexagonal_axes", "R 3 :H", "105 105 72 90 90 120", 2},
      {"hexagonal", "P 61 2 2", "92.9 92.9 130.4 90 90 120", 2},
      {"cubic", "P 21 3", "96.4 96.4 96.4 90 90 90", 1},
      {"cubic_face", "F 4 3 2", "120 120 120 90 90 90", 1}};
  return cases;
}

/// What the shot is like.
struct ShotParams {
  double d_min = 2.2;          ///< angstrom
  double psi_width = 0.0006;   ///< sigma of the rocking curve (rad)
  double position_sigma = 0.2; ///< px
  int spots = 120;             ///< at most, of each lattice
  int junk = 0;
};

class Shot {
public:
  models::Beam beam;
  models::Detector detector;
  models::SpotList spots;

  explicit Shot(unsigned seed)
      : random_(seed) {
    beam.wavelength = 1.3;
    models::Panel panel;
    panel.frame = {{1, 0, 0}, {0, -1, 0}, {-128.2, 127.9, -150}};
    panel.pixel_size = {0.1, 0.1};
    panel.image_size = {2560, 2560};
    detector.panels.push_back(panel);
  }

  double uniform() { return std::uniform_real_distribution<double>()(random_); }
  double normal() { return std::normal_distribution<double>()(random_); }

  Mat3 random_orientation() {
    const Vec3 axis = unit({normal(), normal(), normal()});
    return rotation_about(axis, 6.28318 * uniform());
  }

  /// Adds the spots of a crystal that lie near the Ewald sphere, thinned to params.spots.
  void add(const models::Crystal& crystal, const ShotParams& params) {
    const models::UnitCell cell = crystal.unit_cell();
    std::vector<models::Spot> all;
    const int h_max = int(cell.a / params.d_min), k_max = int(cell.b / params.d_min),
              l_max = int(cell.c / params.d_min);
    for (int h = -h_max; h <= h_max; ++h)
      for (int k = -k_max; k <= k_max; ++k)
        for (int l = -l_max; l <= l_max; ++l) add_one(crystal, {h, k, l}, params, all);
    std::shuffle(all.begin(), all.end(), random_);
    if (static_cast<int>(all.size()) > params.spots) all.resize(params.spots);
    spots.spots.insert(spots.spots.end(), all.begin(), all.end());
    for (int i = 0; i < params.junk; ++i)
      spots.spots.push_back(spot_at({2560 * uniform(), 2560 * uniform()}));
  }

  /// Maps the spots, as seen by a detector whose distance is wrong by `factor`.
  void map(double distance_factor = 1) {
    detector.panels[0].frame.origin.z *= distance_factor;
    models::map_spots(spots, detector, beam);
  }

private:
  models::Spot spot_at(models::PanelPoint px) {
    models::Spot spot;
    spot.px = px;
    spot.px_variance = {1.0 / 12, 1.0 / 12};
    spot.intensity = 1000 * (0.1 + uniform());
    spot.variance = spot.intensity;
    return spot;
  }

  void add_one(const models::Crystal& crystal, const models::Miller& hkl, const ShotParams& params,
               std::vector<models::Spot>& all) {
    if (hkl == models::Miller{} || crystal.space_group.is_absent(hkl)) return;
    const Vec3 q = crystal.q(hkl);
    if (norm(q) > 1 / params.d_min) return;
    const StillsRay ray = stills_ray(q, beam.s0());
    if (!ray.valid || std::abs(ray.delta_psi) > 3 * params.psi_width) return;
    const double recorded = std::exp(-0.5 * std::pow(ray.delta_psi / params.psi_width, 2));
    if (uniform() > recorded) return;
    const auto px = detector.panels[0].ray_to_pixel(ray.s1);
    if (!px || !detector.panels[0].contains_pixel(*px)) return;
    all.push_back(spot_at(
        {px->x + params.position_sigma * normal(), px->y + params.position_sigma * normal()}));
  }

  std::mt19937_64 random_;
};

} // namespace kilobragg::testing
