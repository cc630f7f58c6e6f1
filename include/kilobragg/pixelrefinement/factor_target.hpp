// Stage 2: the likelihood of all structure factors, scales and B factors against all pixels of all shots.
#pragma once

#include "kernels/pixelrefinement/pixel_sums.hpp"
#include "kernels/pixelrefinement/two_part_sum.hpp"

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/pixelrefinement/shot_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

struct FactorTargetParams {
  Likelihood likelihood = Likelihood::Normal;
  bool scale_free = true; ///< the g of every lattice
  bool b_free = true;     ///< the B of every shot
  bool size_free = true;  ///< the u of every lattice
};

/// f = sum of -ln p over the pixels that are not left out, of all ranks.
struct FactorValue {
  double f =
      0; ///< +infinity where bad > 0, and then the gradient is 0: a line search shortens its step
  std::vector<double> gradient; ///< of all variables
  double left_out = 0;          ///< the same sum over the pixels that are left out
  std::int64_t pixels = 0, left_out_pixels = 0;
  std::int64_t bad =
      0;          ///< segments and groups of shared pixels whose sums are not finite or too large
  TwoPartSum sum; ///< f
  SumRange range;

  /// f - start.f without the rounding of either, which at 3 M pixels is more than what the last iterations
  /// gain: what a minimiser should be given. +infinity where f is.
  double above(const FactorValue& start) const;
};

/// Of every unknown, over all ranks.
struct FactorScores {
  std::vector<double> squares;        ///< sum over segments of (d f_segment / d ln F)^2
  std::vector<std::int64_t> segments; ///< that are not left out and hold pixels
  std::vector<std::int64_t> pixels;   ///< of them; shared ones count once for each
};

/// A pixel that one segment lights has m = b + c K, c = F^2 exp(g - B inv_d2 / 2 + by_size u); in shared
/// pixels the parts add up. Variables: [ln F of all unknowns, the same on all ranks | g of every lattice held here, shot
/// after shot | B of every shot held here | u, the change of ln N, of every lattice held here]. Those that are not free have gradient and information 0.
/// Everything stays on the device. Sums over shots are in fixed point: f and gradient have the same bits
/// for any number of ranks and any order and distribution of shots. Where "collective" is said all ranks
/// must call.
class FactorTarget {
public:
  /// Collective. `unknowns` is the same everywhere; shots may be few or none. Values are
  /// taken as fit_pixel takes them. Pixels whose value, background, kernel or readout is not finite, or
  /// negative (the value may be), or that no model lights, count nothing: see rejected(). Throws core::Error
  /// where the columns of a stream do not fit together.
  FactorTarget(const parallel::Communicator& communicator, std::span<const ShotStream> shots,
               std::size_t unknowns, const FactorTargetParams& params = {});
  ~FactorTarget();
  FactorTarget(FactorTarget&&) noexcept;

  std::size_t variables() const;
  std::size_t unknowns() const;
  std::size_t shots() const;
  /// Places in the vector of variables.
  std::size_t scale_of(std::size_t shot, std::size_t lattice) const;
  std::size_t b_of(std::size_t shot) const;
  std::size_t size_of(std::size_t shot, std::size_t lattice) const;
  /// Pixels of each shot held here that were rejected.
  const std::vector<std::int64_t>& rejected() const;

  /// Collective. Shots held here with 0 take no part in anything until the next call.
  void switch_shots(std::span<const std::uint8_t> on);

  /// Collective, with one message of 64-bit integers.
  FactorValue evaluate(std::span<const double> x);
  /// Shots held here that made the last evaluation infinite.
  const std::vector<std::size_t>& bad_shots() const;
  /// Collective: the diagonal of the Fisher information of all variables where x is finite; 0 where nothing
  /// is known.
  std::vector<double> information(std::span<const double> x);
  /// Collective: for a sandwich estimate, variance = squares / information^2.
  FactorScores scores(std::span<const double> x);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace kilobragg::pixelrefinement
