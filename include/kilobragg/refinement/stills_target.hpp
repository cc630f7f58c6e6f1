// The least-squares target of stills refinement with its analytic gradient.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include <array>
#include <span>
#include <vector>

namespace kilobragg::refinement {

/// What one spot brings: its index, its panel, where it was seen and how much that counts.
struct StillsObservation {
  Vec3 hkl;
  Mat3 inverse_d;                    ///< of its panel: inverse_d s1 = (x z, y z, z), mm
  double x = 0, y = 0;               ///< observed (mm)
  double weight_x = 0, weight_y = 0; ///< 1/mm^2
  double weight_psi = 0;             ///< 1/rad^2
  double lean = 0; ///< change of scattering angle per delta-psi (kernels/geometry/leaning_ray.hpp)
};

class CellFreedom;

inline constexpr int max_parameters = 9; ///< three angles and six cell parameters

/// Normal equations at A for parameters (rotation vector w, strains p_k): A -> R(w)(1 + sum p E) A.
struct NormalEquations {
  int parameters = 0;
  double target = 0; ///< sum w_x dx^2 + w_y dy^2 + w_psi dpsi^2; infinite where a ray is lost
  std::array<double, 3> rmsd{};                  ///< x (mm), y (mm), delta-psi (rad)
  std::array<double, max_parameters> gradient{}; ///< half of d target / d parameter
  std::array<double, max_parameters * max_parameters> hessian{}; ///< Gauss-Newton, full rows of 9
};

/// Sums over the observations, in their order.
NormalEquations normal_equations(std::span<const StillsObservation> observations, const Mat3& a,
                                 const std::vector<Mat3>& strains, const Vec3& s0);

/// R(w)(1 + sum p_k E_k) A for parameters (w, p).
Mat3 deformed(const Mat3& a, const std::vector<Mat3>& strains, std::span<const double> parameters);

/// The matrix that minimises the target near `a`, by Levenberg-Marquardt with Nielsen's damping, along
/// the strains that `freedom` allows. Done when no RMSD changes by more than 1e-4 of itself. Throws
/// core::Error if the target is not finite at the start, the equations are singular, or
/// `max_iterations` do not suffice.
Mat3 minimise(std::span<const StillsObservation> observations, Mat3 a, const CellFreedom& freedom,
              const Vec3& s0, int max_iterations);

} // namespace kilobragg::refinement
