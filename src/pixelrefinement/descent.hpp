// Minimisation of one shot's target, which asks for light and takes it: private to this room.
#pragma once

#include "kilobragg/pixelrefinement/lbfgs.hpp"
#include "kilobragg/pixelrefinement/refine_shot.hpp"

#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Lower triangular L with L L^T = M (n x n), row-major; empty if M is not positive definite.
std::vector<double> cholesky(std::vector<double> m, std::size_t n);
/// Solves L y = b in place.
void solve_forward(const std::vector<double>& l, std::size_t n, std::span<double> b);

/// L-BFGS in coordinates y = L^T (x - x0) in which the Fisher information at x0 is the unit matrix: from x0 at
/// most fifteen evaluations, then from where that led in the metric of that place, as that of a poor model
/// misleads, and once more after it converged.
class Descent {
public:
  /// `evaluations` were spent before. The target must outlive it.
  Descent(ShotTarget& target, const Stage1Params& params, std::vector<double> x, int evaluations);

  bool finished() const { return finished_; }
  /// Where light and its derivatives are wanted.
  const std::vector<double>& point() const { return point_; }
  void take(const diffraction::ShoeboxView& light);

  /// How it ended: Refined, Limit, Singular (at the start) or NotFinite.
  ShotState state() const { return state_; }
  /// The best point, f there, and all evaluations. Nothing of use after Singular and NotFinite.
  const std::vector<double>& x() const { return x_; }
  double f() const { return f_; }
  int evaluations() const { return evaluations_; }

private:
  void begin_run(const diffraction::ShoeboxView& light);
  void evaluate(const diffraction::ShoeboxView& light);
  void end_run();
  void fail(ShotState state);
  bool converged() const;

  ShotTarget& target_;
  const Stage1Params& params_;
  ShotState state_ = ShotState::Fresh;
  std::vector<double> x_, point_;
  double f_ = 0;
  int evaluations_;
  bool finished_ = false;

  // of the run in one metric
  bool begins_ = true;
  bool confirms_ = false; ///< the run before had converged
  int last_ = 0;          ///< evaluation of the run
  std::vector<double> x0_, l_;
  LbfgsParams lbfgs_;
  LbfgsState search_;
};

} // namespace kilobragg::pixelrefinement
