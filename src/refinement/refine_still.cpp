// Levenberg-Marquardt over three angles and the free cell parameters of one still.
#include "kilobragg/refinement/refine_still.hpp"

#include "kernels/geometry/leaning_ray.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/refinement/cell_freedom.hpp"
#include "kilobragg/refinement/outliers.hpp"
#include "kilobragg/refinement/psi_weights.hpp"
#include "kilobragg/refinement/stills_target.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::refinement {
namespace {

using models::IndexedSpot;
using models::Lattice;
using models::SpotList;

/// Inverse d matrices, each computed once and only for panels with spots.
class PanelInverses {
public:
  explicit PanelInverses(const models::Detector& detector)
      : detector_(detector)
      , inverse_(detector.panels.size())
      , known_(detector.panels.size(), 0) {}
  const Mat3& operator()(int panel) {
    if (!known_[panel]) {
      inverse_[panel] = detector_.panels[panel].inverse_d_matrix();
      known_[panel] = 1;
    }
    return inverse_[panel];
  }

private:
  const models::Detector& detector_;
  std::vector<Mat3> inverse_;
  std::vector<char> known_;
};

Vec3 as_vector(const models::Miller& h) { return {double(h.h), double(h.k), double(h.l)}; }

bool can_be_used(const IndexedSpot& s, const models::Spot& seen) {
  return (s.flags & models::flag_centroid_outlier) == 0 &&
         (seen.flags & models::flag_overloaded) == 0 && s.hkl != models::Miller{} &&
         seen.mm_variance.x > 0 && seen.mm_variance.y > 0;
}

/// Observations of usable spots whose ray exists; sets flag_used_in_refinement accordingly.
std::vector<StillsObservation> collect(Lattice& lattice, const SpotList& spots, const Vec3& s0,
                                       PanelInverses& inverses, const RefinementParams& params) {
  std::vector<StillsObservation> out;
  out.reserve(lattice.spots.size());
  for (IndexedSpot& s : lattice.spots) {
    s.flags &= ~std::uint64_t{models::flag_used_in_refinement};
    const models::Spot& seen = spots.spots[s.spot];
    if (!can_be_used(s, seen)) continue;
    const Mat3& inverse_d = inverses(seen.panel);
    const Vec3 hkl = as_vector(s.hkl);
    const StillsRay ray = stills_ray(lattice.crystal.a_matrix * hkl, s0);
    if (!ray.valid || !(dot(inverse_d.row(2), ray.s1) > 0)) continue;
    s.flags |= models::flag_used_in_refinement;
    out.push_back({hkl, inverse_d, seen.mm.x, seen.mm.y, 1 / seen.mm_variance.x,
                   1 / seen.mm_variance.y, params.delpsi_constant});
  }
  return out;
}

/// Below this many spots their spread says too little to weigh by.
constexpr std::size_t fewest_to_estimate = 15;
/// Of the weight that independent delta-psi would have. Those of one still are not independent (its
/// spread is not the same in all directions). Measured, not derived: docs/indexing.md.
constexpr double psi_share = 0.4;

/// Replaces weights of delta-psi and leans by those that the predicted lattice itself suggests.
/// Weights of x and y keep their scale; delta-psi is weighed against the spread that they show.
void estimate_psi(std::vector<StillsObservation>& observations, Lattice& lattice,
                  const SpotList& spots, const Vec3& s0) {
  std::vector<PsiObservation> psi;
  psi.reserve(observations.size());
  const double wavelength = 1 / norm(s0);
  for (const IndexedSpot& s : lattice.spots) {
    if ((s.flags & models::flag_used_in_refinement) == 0) continue;
    PsiObservation p;
    p.d = 1 / norm(lattice.crystal.q(s.hkl));
    p.theta = std::asin(std::min(1.0, wavelength / (2 * p.d)));
    p.delta_psi = s.delta_psi;
    const Vec3 ray = unit(spots.spots[s.spot].s1), beam = s0 * wavelength;
    p.excess = std::atan2(norm(cross(beam, ray)), dot(beam, ray)) - 2 * p.theta;
    psi.push_back(p);
  }
  const models::PsiSpread spread = fit_psi_spread(psi);
  lattice.psi_spread = spread;
  double psi_target = 0;
  for (std::size_t i = 0; i < psi.size(); ++i) {
    observations[i].lean = spread.lean(psi[i].d, psi[i].theta);
    observations[i].weight_psi = 1 / spread.variance(psi[i].d, psi[i].theta);
    psi_target += observations[i].weight_psi * psi[i].delta_psi * psi[i].delta_psi;
  }
  const NormalEquations fit = normal_equations(observations, lattice.crystal.a_matrix, {}, s0);
  const double xy_variance = (fit.target - psi_target) / (2.0 * static_cast<double>(psi.size()));
  for (StillsObservation& o : observations) o.weight_psi *= psi_share * xy_variance;
}

/// Weighs x and y of the predicted lattice by Student's t distribution of the residual lengths.
void weigh_robustly(std::vector<StillsObservation>& observations, const Lattice& lattice,
                    const SpotList& spots) {
  constexpr double freedom = 4;
  std::vector<double> lengths;
  std::vector<const models::Spot*> used;
  lengths.reserve(observations.size()), used.reserve(observations.size());
  for (const IndexedSpot& s : lattice.spots) {
    if ((s.flags & models::flag_used_in_refinement) == 0) continue;
    const models::Spot& seen = spots.spots[s.spot];
    lengths.push_back(std::hypot(s.mm_cal.x - seen.mm.x, s.mm_cal.y - seen.mm.y));
    used.push_back(&seen);
  }
  std::vector<double> sorted = lengths;
  std::sort(sorted.begin(), sorted.end());
  const double scale = rayleigh_scale(sorted);
  if (!(scale > 0)) return;
  for (std::size_t i = 0; i < used.size(); ++i) {
    const double t = lengths[i] / scale, weight = (freedom + 2) / (freedom + t * t);
    observations[i].weight_x = weight / used[i]->mm_variance.x;
    observations[i].weight_y = weight / used[i]->mm_variance.y;
  }
}

void set_rmsds(Lattice& lattice, const SpotList& spots) {
  double px2 = 0, psi2 = 0;
  int n = 0;
  for (const IndexedSpot& s : lattice.spots) {
    if ((s.flags & models::flag_used_in_refinement) == 0) continue;
    const models::PanelPoint& seen = spots.spots[s.spot].px;
    const double dx = s.px_cal.x - seen.x, dy = s.px_cal.y - seen.y;
    px2 += dx * dx + dy * dy;
    psi2 += s.delta_psi * s.delta_psi;
    ++n;
  }
  lattice.rmsd_px = n > 0 ? std::sqrt(px2 / n) : 0;
  lattice.rmsd_psi_deg = n > 0 ? std::sqrt(psi2 / n) / core::degree : 0;
}

void predict(Lattice& lattice, const SpotList& spots, const Vec3& s0,
             const models::Detector& detector, PanelInverses& inverses) {
  const double wavelength = 1 / norm(s0);
  for (IndexedSpot& s : lattice.spots) {
    const int panel = spots.spots[s.spot].panel;
    const Vec3 q = lattice.crystal.q(s.hkl);
    const StillsRay ray = leaning_ray(q, s0, lattice.psi_spread.lean_of(norm(q), wavelength));
    const Vec3 v = inverses(panel) * ray.s1;
    if (!ray.valid || !(v.z > 0)) { // no prediction: leave it out of everything that compares
      s.flags = (s.flags | models::flag_centroid_outlier) &
                ~std::uint64_t{models::flag_used_in_refinement};
      continue;
    }
    s.s1_cal = ray.s1;
    s.delta_psi = ray.delta_psi;
    s.mm_cal = {v.x / v.z, v.y / v.z};
    s.px_cal = detector.panels[panel].mm_to_pixel(s.mm_cal);
  }
}

/// A refinement in progress: what stays the same from one minimisation to the next.
struct Refinement {
  Lattice& lattice;
  const SpotList& spots;
  const models::Detector& detector;
  const RefinementParams& params;
  Vec3 s0;
  CellFreedom freedom;
  PanelInverses inverses;
  std::vector<StillsObservation> observations;

  Refinement(Lattice& l, const SpotList& s, const models::Beam& beam, const models::Detector& d,
             const RefinementParams& p)
      : lattice(l)
      , spots(s)
      , detector(d)
      , params(p)
      , s0(beam.s0())
      , freedom(l.crystal.space_group)
      , inverses(d) {
    lattice.crystal.a_matrix = freedom.symmetrised(lattice.crystal.a_matrix);
    observations = collect(lattice, spots, s0, inverses, params);
  }
  bool enough_spots() const {
    const int parameters = 3 + freedom.count();
    return static_cast<int>(observations.size()) >= params.min_nref_per_parameter * parameters;
  }
  void minimise_target() {
    Mat3& a = lattice.crystal.a_matrix;
    a = freedom.symmetrised(minimise(observations, a, freedom, s0, params.max_iterations));
  }
  void predict_spots() { predict(lattice, spots, s0, detector, inverses); }
  void finish() {
    predict_spots();
    set_rmsds(lattice, spots);
  }
};

} // namespace

void predict_indexed(Lattice& lattice, const SpotList& spots, const models::Beam& beam,
                     const models::Detector& detector) {
  PanelInverses inverses(detector);
  predict(lattice, spots, beam.s0(), detector, inverses);
  set_rmsds(lattice, spots);
}

void refine_still(Lattice& lattice, const SpotList& spots, const models::Beam& beam,
                  const models::Detector& detector, const RefinementParams& params,
                  PsiWeighting weighting) {
  Refinement refinement(lattice, spots, beam, detector, params);
  if (refinement.enough_spots()) {
    refinement.minimise_target();
    if (weighting == PsiWeighting::Estimated &&
        refinement.observations.size() >= fewest_to_estimate)
      for (int round = 0; round < 3; ++round) { // the spread itself shrinks with a better model
        refinement.predict_spots();
        estimate_psi(refinement.observations, lattice, spots, refinement.s0);
        refinement.minimise_target();
      }
  }
  refinement.finish();
}

void refine_robustly(Lattice& lattice, const SpotList& spots, const models::Beam& beam,
                     const models::Detector& detector, const RefinementParams& params) {
  Refinement refinement(lattice, spots, beam, detector, params);
  if (refinement.enough_spots())
    for (int round = 0; round < 5; ++round) {
      refinement.predict_spots();
      weigh_robustly(refinement.observations, lattice, spots);
      refinement.minimise_target();
    }
  refinement.finish();
}

} // namespace kilobragg::refinement
