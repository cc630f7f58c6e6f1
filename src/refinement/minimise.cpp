// Levenberg-Marquardt over three angles and the free strains of A.
#include "kernels/geometry/small_solve.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/refinement/cell_freedom.hpp"
#include "kilobragg/refinement/stills_target.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::refinement {
namespace {

/// Solution of (H + mu diag(H)) p = -g and the decrease of the target that H predicts for it.
struct Step {
  std::array<double, max_parameters> p{};
  double predicted = 0;
};

Step damped_step(const NormalEquations& n, double mu) {
  const int size = n.parameters;
  constexpr int stride = max_parameters;
  std::array<double, max_parameters* max_parameters> damped = n.hessian;
  double largest = 0;
  for (int i = 0; i < size; ++i) largest = std::max(largest, n.hessian[stride * i + i]);
  // The floor keeps a direction that no spot constrains (all on one line) from blowing up.
  for (int i = 0; i < size; ++i) damped[stride * i + i] *= 1 + mu;
  for (int i = 0; i < size; ++i) damped[stride * i + i] += 1e-12 * largest;
  Step step;
  for (int i = 0; i < size; ++i) step.p[i] = -n.gradient[i];
  core::require(solve_symmetric(damped.data(), size, stride, step.p.data()),
                "refinement failed (its equations are singular) are there enough distinct spots?");
  for (int i = 0; i < size; ++i) {
    step.predicted -= 2 * n.gradient[i] * step.p[i];
    for (int j = 0; j < size; ++j)
      step.predicted -= step.p[i] * n.hessian[stride * i + j] * step.p[j];
  }
  return step;
}

bool settled(const NormalEquations& before, const NormalEquations& after) {
  for (int i = 0; i < 3; ++i)
    if (std::abs(before.rmsd[i] - after.rmsd[i]) > 1e-4 * after.rmsd[i] + 1e-12) return false;
  return true;
}

} // namespace

Mat3 minimise(std::span<const StillsObservation> observations, Mat3 a, const CellFreedom& freedom,
              const Vec3& s0, int max_iterations) {
  double mu = 1e-4, growth = 2;
  std::vector<Mat3> strains = freedom.strains(a);
  NormalEquations now = normal_equations(observations, a, strains, s0);
  core::require(std::isfinite(now.target),
                "refinement cannot start (the target is not finite) are the models sensible?");
  for (int iteration = 0; iteration < max_iterations; ++iteration) {
    const Step step = damped_step(now, mu);
    const Mat3 trial = deformed(a, strains, step.p);
    std::vector<Mat3> trial_strains = freedom.strains(trial);
    const NormalEquations next = normal_equations(observations, trial, trial_strains, s0);
    const double gain = step.predicted > 0 ? (now.target - next.target) / step.predicted : 1;
    if (std::isfinite(next.target) && next.target <= now.target) {
      const bool done = settled(now, next);
      a = trial, now = next, strains = std::move(trial_strains);
      const double t = 2 * gain - 1;
      mu *= std::max(1.0 / 3, 1 - t * t * t), growth = 2;
      if (done) return a;
    } else {
      mu *= growth, growth *= 2;
      if (growth >= 8192) return a; // as low as arithmetic allows
    }
  }
  core::fail("refinement did not converge in {} steps (the spots may belong to another lattice)",
             max_iterations);
}

} // namespace kilobragg::refinement
