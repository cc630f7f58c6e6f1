// Which reflections of a still lie near the Ewald sphere and on a panel.
#include "panel_lookup.hpp"

#include "kernels/geometry/leaning_ray.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/integration/integrate_still.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace kilobragg::integration {
namespace {

/// Half width of the accepted delta-psi: d/D + spread.
struct Acceptance {
  double inverse_domain; ///< 1/D (1/angstrom)
  double spread;         ///< rad
  double half_width(double d) const { return d * inverse_domain + spread; }
};

/// The reciprocal lattice as rows along one axis, each row cut where it comes near the sphere.
class LatticeRows {
public:
  LatticeRows(const Mat3& a_matrix, const Vec3& s0, double q_max, const Acceptance& acceptance)
      : s0_(s0)
      , q_max_(q_max) {
    const Mat3 real = inverse(a_matrix);
    // Long rows are cheap and many rows are not: rows run along the axis with the densest points.
    axis_[0] = 0;
    for (int i = 1; i < 3; ++i)
      if (norm2(a_matrix.col(i)) < norm2(a_matrix.col(axis_[0]))) axis_[0] = i;
    axis_[1] = (axis_[0] + 1) % 3, axis_[2] = (axis_[0] + 2) % 3;
    for (std::size_t i = 0; i < 3; ++i) {
      star_[i] = a_matrix.col(axis_[i]);
      limit_[i] = static_cast<int>(q_max * norm(real.row(axis_[i])));
    }
    // |s0 + q|^2 - |s0|^2 = 2 |s0| |q| (sin - sin) of q's inclination before and after the rotation,
    // so it is at most 2 |s0| |q| |delta_psi|; largest at q_max.
    excitation_ = 2 * norm(s0) * (acceptance.inverse_domain + q_max * acceptance.spread);
    excitation_ *= 1 + 1e-9;
  }

  /// Calls visit(index) for every lattice point within q_max whose delta-psi may be accepted.
  template <typename Visit>
  void visit_near_sphere(Visit&& visit) const {
    for (int j = -limit_[1]; j <= limit_[1]; ++j)
      for (int k = -limit_[2]; k <= limit_[2]; ++k)
        visit_row(j, k, j * star_[1] + k * star_[2], visit);
  }

private:
  struct Range {
    double first, last;
  };

  /// Where quadratic ww l^2 + 2 b l + c <= 0; empty if nowhere.
  static Range below_zero(double ww, double b, double c) {
    const double discriminant = b * b - ww * c;
    if (discriminant < 0) return {1, 0};
    const double root = std::sqrt(discriminant);
    return {(-b - root) / ww, (-b + root) / ww};
  }

  template <typename Visit>
  void visit_row(int j, int k, const Vec3& start, Visit&& visit) const {
    const Vec3& w = star_[0];
    const double ww = norm2(w), qq = norm2(start), b = dot(start + s0_, w);
    const double c = qq + 2 * dot(s0_, start);
    const Range near = below_zero(ww, dot(start, w), qq - q_max_ * q_max_);
    const Range outer = below_zero(ww, b, c - excitation_),
                inner = below_zero(ww, b, c + excitation_);
    const Range limits{std::max(near.first, outer.first), std::min(near.last, outer.last)};
    if (limits.first > limits.last) return;
    if (inner.first > inner.last) {
      visit_range(limits, j, k, visit);
      return;
    }
    const int last = visit_range({limits.first, std::min(limits.last, inner.first)}, j, k, visit);
    const double next = std::max(limits.first, inner.last);
    visit_range({std::max(next, last + 1.0), limits.last}, j, k, visit);
  }

  /// Returns the last point visited, or one far below all points.
  template <typename Visit>
  int visit_range(const Range& range, int j, int k, Visit&& visit) const {
    constexpr double rounding = 1e-7;
    constexpr int none = -1'000'000;
    const int first =
        static_cast<int>(std::ceil(std::max(range.first, -1.0 * limit_[0]) - rounding));
    const int end = static_cast<int>(std::floor(std::min(range.last, 1.0 * limit_[0]) + rounding));
    std::array<int, 3> index{};
    index[static_cast<std::size_t>(axis_[1])] = j;
    index[static_cast<std::size_t>(axis_[2])] = k;
    for (int l = first; l <= end; ++l) {
      index[static_cast<std::size_t>(axis_[0])] = l;
      visit(models::Miller{index[0], index[1], index[2]});
    }
    return end >= first ? end : none;
  }

  Vec3 s0_;
  double q_max_, excitation_;
  std::array<int, 3> axis_{}, limit_{};
  std::array<Vec3, 3> star_{};
};

/// Absent by lattice centring alone.
class CentringRule {
public:
  explicit CentringRule(const models::SpaceGroup& group)
      : patterson_(group.patterson())
      , primitive_(group.centring() == 'P') {}
  bool absent(const models::Miller& hkl) const { return !primitive_ && patterson_.is_absent(hkl); }

private:
  models::SpaceGroup patterson_;
  bool primitive_;
};

} // namespace

std::vector<models::IntegratedReflection>
predict_still(const models::Crystal& crystal, const models::Beam& beam,
              const models::Detector& detector, std::optional<double> d_min, double widening,
              const models::PsiSpread& spread) {
  core::require(crystal.mosaicity.has_value(),
                "reflections cannot be predicted (the crystal has no mosaicity) "
                "indexing.stills.set_domain_size_ang_value and set_mosaic_half_deg_value?");
  const double volume = std::abs(determinant(crystal.a_matrix));
  core::require(std::isfinite(volume) && volume > 0 &&
                    crystal.mosaicity->domain_size_angstrom > 0 &&
                    crystal.mosaicity->half_mosaicity_deg >= 0 && d_min.value_or(1) > 0,
                "reflections cannot be predicted (a singular crystal matrix, or a domain size {}, "
                "half mosaicity {} or d_min {} that is not positive)",
                crystal.mosaicity->domain_size_angstrom, crystal.mosaicity->half_mosaicity_deg,
                d_min.value_or(1));
  const Vec3 s0 = beam.s0();
  const double q_max = 1 / d_min.value_or(detector.max_resolution(s0));
  const Acceptance acceptance{widening / crystal.mosaicity->domain_size_angstrom,
                              widening * 0.5 * crystal.mosaicity->half_mosaicity_deg *
                                  core::degree};
  const CentringRule centring(crystal.space_group);
  const PanelLookup panels(detector);
  std::vector<models::IntegratedReflection> found;
  const LatticeRows rows(crystal.a_matrix, s0, q_max, acceptance);
  rows.visit_near_sphere([&](const models::Miller& hkl) {
    const Vec3 q = crystal.q(hkl);
    const StillsRay ray = leaning_ray(q, s0, spread.lean_of(norm(q), beam.wavelength));
    const double d = 1 / norm(q);
    if (!ray.valid || d * q_max < 1 || std::abs(ray.delta_psi) >= acceptance.half_width(d)) return;
    if (centring.absent(hkl)) return;
    const auto hit = panels.intersect(ray.s1);
    if (!hit) return;
    models::IntegratedReflection& reflection = found.emplace_back();
    reflection.hkl = hkl;
    reflection.panel = hit->panel;
    reflection.flags = models::flag_predicted;
    reflection.s1 = ray.s1;
    reflection.px_cal = hit->px;
    reflection.mm_cal = hit->mm;
    reflection.delta_psi = ray.delta_psi;
    reflection.d = d;
  });
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.hkl < b.hkl; });
  return found;
}

} // namespace kilobragg::integration
