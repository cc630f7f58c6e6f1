// A made-up but complete StillResult: two lattices, spots with pixels, reflections.
#pragma once

#include "kilobragg/models/still_result.hpp"

#include <cmath>
#include <random>

namespace kilobragg::testing {

/// Two panels of a flat detector 100 mm from the sample.
inline std::shared_ptr<const models::Detector> sample_detector() {
  auto detector = std::make_shared<models::Detector>();
  for (int i = 0; i < 2; ++i) {
    models::Panel panel;
    panel.name = "panel" + std::to_string(i);
    panel.frame = {{1, 0, 0}, {0, -1, 0}, {-50 + 55.0 * i, 50, -100}};
    panel.image_size = {500, 1000};
    panel.pixel_size = {0.1, 0.1};
    panel.trusted_range = {-1, 65000};
    detector->panels.push_back(panel);
  }
  return detector;
}

inline void add_spot(models::SpotList& list, std::mt19937& random) {
  std::uniform_real_distribution<double> real(0, 1);
  models::Spot s;
  s.panel = static_cast<int>(random() % 2);
  const int x = static_cast<int>(random() % 490), y = static_cast<int>(random() % 990);
  s.box = {x, x + 3, y, y + 2};
  s.px = {x + real(random), y + real(random)};
  s.px_variance = {0.1, 0.2};
  s.mm = {s.px.x * 0.1, s.px.y * 0.1};
  s.mm_variance = {0.001, 0.002};
  s.first_pixel = static_cast<std::uint32_t>(list.pixels.size());
  s.pixel_count = 3;
  for (int k = 0; k < 3; ++k) {
    const auto value = static_cast<float>(50 + random() % 100);
    list.pixels.push_back({x + k, y + k % 2, value});
    s.intensity += double{value};
  }
  s.variance = s.intensity;
  s.s1 = unit(Vec3{real(random), real(random), -3}) / 1.3;
  s.rlp = s.s1 - Vec3{0, 0, -1 / 1.3};
  list.spots.push_back(s);
}

inline models::IntegratedReflection sample_reflection(int i, std::mt19937& random) {
  std::uniform_real_distribution<double> real(0, 1);
  models::IntegratedReflection r;
  r.hkl = {i % 21 - 10, i % 13, i % 7};
  r.panel = i % 2;
  r.box = {10, 17, 20 + i, 27 + i};
  r.flags = models::flag_predicted | models::flag_integrated_sum;
  r.entering = i % 3 == 0;
  r.s1 = unit(Vec3{real(random), real(random), -3}) / 1.3;
  r.px_cal = {13 + real(random), 23 + i + real(random)};
  r.mm_cal = {r.px_cal.x * 0.1, r.px_cal.y * 0.1};
  r.px_obs = {13.5, 23.5 + i};
  r.mm_obs = {1.35, 2.35 + 0.1 * i};
  r.px_variance = {0.1, 0.2};
  r.mm_variance = {0.001, 0.002};
  r.delta_psi = 0.001 * real(random);
  r.d = 2 + real(random);
  r.intensity = 1000 * real(random);
  r.variance = r.intensity + 100;
  r.background_mean = 5 * real(random);
  r.background_sum = 20 * r.background_mean;
  r.background_variance = 21 * r.background_mean;
  r.background_dispersion = 1.01;
  r.background_mse = 0.5;
  r.n_foreground = 20;
  r.n_background = 29;
  r.n_background_used = 28;
  r.n_valid = 49;
  return r;
}

inline models::IntegratedLattice sample_lattice(const models::StillResult& result, int number,
                                                std::mt19937& random) {
  models::IntegratedLattice l;
  l.identifier =
      models::experiment_identifier(result.source.content_id, result.source.frame, number);
  l.lattice.crystal = models::Crystal::from_cell({77, 77, 37, 90, 90, 90},
                                                 rotation_about(unit(Vec3{1, 2, 3}), 0.3 + number),
                                                 models::SpaceGroup("P43212"));
  l.lattice.crystal.mosaicity = models::Mosaicity{0.05, 2000};
  l.lattice.rmsd_px = 0.4;
  l.lattice.rmsd_psi_deg = 0.03;
  l.lattice.sigma_b_deg = 0.02;
  l.lattice.psi_spread = {2e-5, 3e-4, 1e-3};
  for (std::uint32_t i = 0; i < result.spots.size() / 2; ++i) {
    const auto& spot = result.spots.spots[2 * i];
    models::IndexedSpot indexed;
    indexed.spot = 2 * i;
    indexed.hkl = {static_cast<int>(i), -2, 3};
    indexed.px_cal = {spot.px.x + 0.1, spot.px.y - 0.2};
    indexed.mm_cal = {spot.mm.x + 0.01, spot.mm.y - 0.02};
    indexed.s1_cal = spot.s1;
    indexed.delta_psi = 1e-4 * i;
    indexed.flags = models::flag_indexed | models::flag_used_in_refinement;
    l.lattice.spots.push_back(indexed);
  }
  for (int i = 0; i < 30; ++i) l.reflections.push_back(sample_reflection(i, random));
  return l;
}

/// The result of frame `frame` of "run.h5", ending as `state`.
inline models::StillResult sample_still(int frame,
                                        const std::shared_ptr<const models::Detector>& detector,
                                        models::ExitState state = models::ExitState::IntegrateOk,
                                        int lattices = 2) {
  std::mt19937 random(static_cast<unsigned>(frame));
  models::StillResult r;
  r.source = {"/images/run.h5", "/entry/data/data", frame, "abcd"};
  r.state = state;
  r.seconds = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6};
  r.processing = {"node0012", 37, 1763640000.25};
  if (state == models::ExitState::PreprocessException) {
    r.message = "cannot read frame (its chunk is damaged)";
    return r;
  }
  r.beam.wavelength = 1.3 + 0.001 * frame;
  r.beam.spectrum = {{1.29, 1.3, 1.31}, {1, 2, 0.5}};
  r.detector = detector;
  for (int i = 0; i < 20; ++i) add_spot(r.spots, random);
  r.count = 20;
  for (int n = 0; n < lattices; ++n) r.lattices.push_back(sample_lattice(r, n, random));
  return r;
}

} // namespace kilobragg::testing
