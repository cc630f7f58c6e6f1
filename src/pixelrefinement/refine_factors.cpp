// Stage 2: priors on top of the likelihood, L-BFGS over ranks, checkpoints.
#include "kilobragg/pixelrefinement/refine_factors.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/numbers.hpp"
#include "kilobragg/parallel/exact_sum.hpp"
#include "kilobragg/pixelrefinement/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>

namespace kilobragg::pixelrefinement {
namespace {

using core::squared;

/// The terms of FactorPriors.
class Priors {
public:
  Priors(const parallel::Communicator& communicator, const FactorTarget& target,
         const FactorTable& table, const std::vector<double>& mean,
         const std::vector<HeldShot>& held, const FactorPriors& params)
      : communicator_(communicator)
      , unknowns_(table.size())
      , mean_(mean)
      , params_(params) {
    const std::size_t layer = table.layer_size();
    for (std::size_t i = 0; i < unknowns_; ++i) {
      start_.push_back(std::log(table.f[i]));
      centric_.push_back(table.space_group.is_centric(table.index[i].miller()) ? 1 : 0);
      if (params.friedel_sigma > 0 && (i + 1) % layer != 0 &&
          table.index[i].miller() == table.index[i + 1].miller())
        ties_.push_back({i, i + 1, params.friedel_sigma});
      if (params.energy_sigma > 0 && i + layer < unknowns_)
        ties_.push_back({i, i + layer, params.energy_sigma});
    }
    // g of all lattices held here, then B of all shots, then u of all lattices: see FactorTarget.
    for (const HeldShot& shot : held) lattices_ += shot.lattices;
    for (const HeldShot& shot : held) b_factor_.push_back(shot.b_factor);
    core::require(unknowns_ + 2 * lattices_ + held.size() == target.variables(),
                  "{} shots with {} lattices do not fit {} variables", held.size(), lattices_,
                  target.variables());
  }

  /// The sum of all terms of all ranks; adds their gradient. Collective.
  double add(std::span<const double> x, std::span<double> gradient) const {
    double sum = shared(x, gradient);
    std::array<parallel::ExactSum, 1> own;
    for_each_own(x, [&](std::size_t i, double value, double sigma) {
      own[0].add(0.5 * squared(value / sigma));
      gradient[i] += value / squared(sigma);
    });
    parallel::all_sum(communicator_, own);
    return sum + own[0].value();
  }

  /// Adds the expected curvatures.
  void add_information(std::span<const double> x, std::span<double> information) const {
    for (std::size_t i = 0; i < unknowns_; ++i) {
      // 4 F^2 / S with F^2 at least at its mean: where the likelihood says nothing the mean is right.
      const double ratio = std::max(1.0, std::exp(2 * x[i]) / mean_[i]);
      information[i] += params_.wilson * (centric_[i] != 0 ? 2 : 4) * ratio;
      if (params_.start_sigma > 0) information[i] += 1 / squared(params_.start_sigma);
    }
    for (const Tie& tie : ties_)
      for (const auto i : {tie.a, tie.b}) information[i] += 1 / squared(tie.sigma);
    for_each_own(
        x, [&](std::size_t i, double, double sigma) { information[i] += 1 / squared(sigma); });
  }

private:
  /// Two unknowns that differ little.
  struct Tie {
    std::size_t a, b;
    double sigma; ///< of their difference
  };
  double shared(std::span<const double> x, std::span<double> gradient) const {
    double sum = 0;
    for (std::size_t i = 0; i < unknowns_; ++i) {
      const double ratio = std::exp(2 * x[i]) / mean_[i];
      const bool centric = centric_[i] != 0;
      sum += params_.wilson * (centric ? 0.5 * ratio - x[i] : ratio - 2 * x[i]);
      gradient[i] += params_.wilson * (centric ? ratio - 1 : 2 * ratio - 2);
      if (params_.start_sigma > 0) {
        const double away = (x[i] - start_[i]) / params_.start_sigma;
        sum += 0.5 * away * away;
        gradient[i] += away / params_.start_sigma;
      }
    }
    for (const Tie& tie : ties_) {
      const double apart = (x[tie.a] - x[tie.b]) / tie.sigma;
      sum += 0.5 * apart * apart;
      gradient[tie.a] += apart / tie.sigma;
      gradient[tie.b] -= apart / tie.sigma;
    }
    return sum;
  }

  template <typename Visit>
  void for_each_own(std::span<const double> x, const Visit& visit) const {
    for (std::size_t i = 0; i < lattices_; ++i)
      visit(unknowns_ + i, x[unknowns_ + i], params_.scale_sigma);
    for (std::size_t s = 0; s < b_factor_.size(); ++s) {
      const std::size_t i = unknowns_ + lattices_ + s;
      visit(i, x[i] + b_factor_[s], params_.b_sigma);
    }
    const std::size_t first_size = unknowns_ + lattices_ + b_factor_.size();
    for (std::size_t i = first_size; i < first_size + lattices_; ++i)
      visit(i, x[i], params_.size_sigma);
  }

  const parallel::Communicator& communicator_;
  std::size_t unknowns_, lattices_ = 0;
  const std::vector<double>& mean_;
  FactorPriors params_;
  std::vector<Tie> ties_;
  std::vector<double> start_, b_factor_;
  std::vector<std::uint8_t> centric_;
};

/// f and gradient of pixels and priors, f relative to the first evaluation.
class Objective {
public:
  Objective(FactorTarget& target, const Priors& priors)
      : target_(target)
      , priors_(priors) {}

  struct Point {
    double above = 0; ///< f - f of the first point
    std::vector<double> gradient;
    double left_out = std::numeric_limits<double>::quiet_NaN(); ///< per pixel
    FactorValue pixels;
  };
  /// Where the first evaluation lies, without counting as one that the minimiser asked for.
  Point set_origin(std::span<const double> x) {
    origin_ = target_.evaluate(x);
    std::vector<double> unused(x.size());
    prior_origin_ = priors_.add(x, unused);
    return evaluate(x);
  }
  double origin() const { return origin_.f + prior_origin_; }
  Point evaluate(std::span<const double> x) {
    Point point;
    point.pixels = target_.evaluate(x);
    point.gradient = std::move(point.pixels.gradient);
    const double prior = priors_.add(x, point.gradient);
    point.above = point.pixels.above(origin_) + (prior - prior_origin_);
    if (point.pixels.left_out_pixels > 0)
      point.left_out = point.pixels.left_out / double(point.pixels.left_out_pixels);
    return point;
  }

private:
  FactorTarget& target_;
  const Priors& priors_;
  FactorValue origin_;
  double prior_origin_ = 0;
};

/// Shots that make the likelihood infinite at x are switched off; false if that does not help.
bool switch_off_bad(const parallel::Communicator& communicator, FactorTarget& target,
                    std::span<const double> x, std::vector<std::uint8_t>& on,
                    std::vector<std::size_t>* bad) {
  target.switch_shots(on);
  for (int tries = 0; tries < 2; ++tries) {
    const FactorValue value = target.evaluate(x);
    if (std::isfinite(value.f)) return true;
    for (const std::size_t shot : target.bad_shots()) {
      on[shot] = 0;
      if (bad != nullptr) bad->push_back(shot);
    }
    target.switch_shots(on);
  }
  return !communicator.any(!std::isfinite(target.evaluate(x).f));
}

/// Root mean square of g / sqrt(information) over all variables of all ranks.
double mean_shift(SpreadVectors& vectors, const std::vector<double>& gradient,
                  const std::vector<double>& information) {
  std::vector<double> scaled(gradient.size());
  for (std::size_t i = 0; i < scaled.size(); ++i)
    scaled[i] = gradient[i] / std::sqrt(information[i]);
  const DeviceVector v = to_device(scaled);
  const auto sum = vectors.products(std::array<SpreadVectors::Pair, 1>{{{&v, &v}}});
  return std::sqrt(sum[0] / double(vectors.variables()));
}

/// What a checkpoint keeps for the tables beside the state of the minimiser.
std::string pack_history(const FactorRefinement& result) {
  core::ByteWriter out;
  out.put(result.pixels);
  out.put(result.left_out_pixels);
  for (const FactorIteration& line : result.iterations) out.put(line);
  return out.take();
}

void take_history(std::string_view bytes, FactorRefinement& result) {
  core::ByteReader in(bytes);
  result.pixels = in.get<std::int64_t>();
  result.left_out_pixels = in.get<std::int64_t>();
  while (!in.at_end()) result.iterations.push_back(in.get<FactorIteration>());
}

CheckpointProblem problem_of(const std::vector<HeldShot>& held, const Stage2Params& params) {
  CheckpointProblem problem;
  problem.digest = params.digest;
  for (const HeldShot& shot : held)
    problem.blocks.push_back({shot.identifier + " g", shot.lattices});
  for (const HeldShot& shot : held) problem.blocks.push_back({shot.identifier + " B", 1});
  for (const HeldShot& shot : held)
    problem.blocks.push_back({shot.identifier + " N", shot.lattices});
  return problem;
}

} // namespace

const char* word_of(FactorEnd end) {
  switch (end) {
  case FactorEnd::Converged:
    return "converged";
  case FactorEnd::Limit:
    return "limit of iterations";
  case FactorEnd::Stalled:
    return "stalled";
  case FactorEnd::Stopped:
    return "stopped";
  case FactorEnd::Unusable:
    return "unusable";
  }
  return "unknown";
}

FactorRefinement refine_factors(const parallel::Communicator& communicator, FactorTarget& target,
                                const FactorTable& table, const std::vector<double>& mean,
                                const std::vector<HeldShot>& held,
                                std::vector<std::uint8_t> switched_on, const Stage2Params& params,
                                const std::function<bool()>& stop, std::vector<std::size_t>* bad) {
  FactorRefinement result;
  std::vector<double> x(target.variables(), 0.0);
  for (std::size_t i = 0; i < table.size(); ++i) x[i] = std::log(table.f[i]);
  result.x = x;
  if (!switch_off_bad(communicator, target, x, switched_on, bad)) {
    result.end = FactorEnd::Unusable;
    return result;
  }
  const Priors priors(communicator, target, table, mean, held, params.priors);
  std::vector<double> information = target.information(x);
  priors.add_information(x, information);
  // A variable of a shot that is switched off, or that is fixed, and has no prior stays where it is.
  for (double& v : information)
    if (!(v > 0)) v = 1;

  SpreadVectors vectors(communicator, table.size(), x.size() - table.size());
  Objective objective(target, priors);
  Objective::Point point = objective.set_origin(x);
  SpreadLbfgsState state = start_lbfgs(vectors, x, information);
  const CheckpointProblem problem = problem_of(held, params);
  // One rank looks: a file system may show a file to some before others.
  const bool resumed = communicator.any(communicator.is_root() && params.resume &&
                                        std::filesystem::exists(params.checkpoint));
  if (resumed) {
    Checkpoint checkpoint = read_checkpoint(params.checkpoint, vectors, problem);
    // The others have the first rank's, as all lines are the same everywhere.
    communicator.broadcast(checkpoint.caller);
    state = std::move(checkpoint.state);
    take_history(checkpoint.caller, result);
  }
  const auto save = [&] {
    // Before the first evaluation there is no more than the start.
    if (!params.checkpoint.empty() && state.evaluations > 0)
      write_checkpoint(params.checkpoint, vectors, problem, state, pack_history(result));
  };
  double shift = 0;
  int last_saved = state.iterations,
      last_listed = result.iterations.empty() ? -1 : result.iterations.back().iteration;
  result.end = FactorEnd::Limit;
  while (state.status == LbfgsStatus::Evaluate) {
    if (stop()) {
      save();
      result.end = FactorEnd::Stopped;
      return result;
    }
    point = objective.evaluate(on_the_host(state.point));
    advance_lbfgs(state, vectors, point.above, to_device(point.gradient), params.lbfgs);
    if (state.iterations == last_listed) continue;
    last_listed = state.iterations;
    shift = mean_shift(vectors, on_the_host(state.g), information);
    result.iterations.push_back({state.iterations, state.evaluations, objective.origin() + state.f,
                                 state.report.gradient_norm, state.report.step, shift,
                                 point.left_out});
    result.pixels = point.pixels.pixels;
    result.left_out_pixels = point.pixels.left_out_pixels;
    if (shift < params.tolerance) {
      result.end = FactorEnd::Converged;
      break;
    }
    if (state.iterations - last_saved >= params.checkpoint_every) {
      save();
      last_saved = state.iterations;
    }
  }
  if (state.status == LbfgsStatus::Converged) result.end = FactorEnd::Converged;
  if (state.status == LbfgsStatus::Stalled) result.end = FactorEnd::Stalled;
  result.x = on_the_host(state.x);
  result.information = target.information(result.x);
  priors.add_information(result.x, result.information);
  result.scores = target.scores(result.x);
  return result;
}

} // namespace kilobragg::pixelrefinement
