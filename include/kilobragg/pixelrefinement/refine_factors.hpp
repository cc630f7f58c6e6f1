// Stage 2: all structure factors, scales and B factors refined at once against the pixels of all shots.
#pragma once

#include "kilobragg/pixelrefinement/factor_table.hpp"
#include "kilobragg/pixelrefinement/factor_target.hpp"
#include "kilobragg/pixelrefinement/lbfgs.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace kilobragg::pixelrefinement {

/// What is known of the variables beside the pixels. Sums of the terms are added to f:
///   Wilson (1949), ln F of an acentric index with mean F^2 = S:  weight (F^2/S - 2 ln F),
///   of a centric one:                                            weight (F^2/(2 S) - ln F);
///   Friedel:  (ln F(+) - ln F(-))^2 / (2 sigma^2), and the same of neighbouring energies;   start:  (ln F - ln F_start)^2 / (2 sigma^2);
///   shots:    g^2 / (2 sigma^2), B_shot^2 / (2 sigma^2), which also settle the common scale and B.
struct FactorPriors {
  double wilson = 1;         ///< weight; 0 = none
  double friedel_sigma = 0;  ///< of ln F; 0 = none
  double energy_sigma = 0.1; ///< of ln F; 0 = none
  double start_sigma = 0;    ///< of ln F; 0 = none
  double scale_sigma = 1;    ///< of g
  double b_sigma = 3;        ///< of B (angstrom^2)
  double size_sigma = 0.1;   ///< of the change of ln N
};

struct Stage2Params {
  FactorPriors priors;
  LbfgsParams lbfgs{.history = 10,
                    .gradient_tolerance = 0,
                    .value_tolerance = 0,
                    .max_iterations = 300,
                    .max_step = 1.5,
                    .search = {}};
  /// Converged where the root mean square of gradient / sqrt(information), which is how many standard
  /// deviations the variables are off where they do not depend on each other, is below this.
  double tolerance = 0.02;
  std::string checkpoint;    ///< file; empty = none
  int checkpoint_every = 20; ///< iterations
  std::string digest;        ///< of data and options, see CheckpointProblem
  bool resume = false;       ///< go on with the checkpoint if there is one
};

/// A line of the table of convergence.
struct FactorIteration {
  int iteration = 0, evaluations = 0;
  double f = 0;        ///< likelihood of the pixels and priors
  double gradient = 0; ///< length
  double step = 0;
  double shift = 0;    ///< root mean square of gradient / sqrt(information)
  double left_out = 0; ///< likelihood per pixel of what is left out; NaN where nothing is
};

enum class FactorEnd { Converged, Limit, Stalled, Stopped, Unusable };
const char* word_of(FactorEnd end);

struct FactorRefinement {
  FactorEnd end = FactorEnd::Limit;
  std::vector<double> x;           ///< variables of FactorTarget at the best point
  std::vector<double> information; ///< of them at the end, priors included
  FactorScores scores;             ///< at the end
  std::vector<FactorIteration> iterations;
  std::int64_t pixels = 0, left_out_pixels = 0;
};

/// Names of what this rank holds, for checkpoints.
struct HeldShot {
  std::string identifier;
  std::size_t lattices = 1;
  double b_factor = 0; ///< that the kernels were made with: its prior is of b_factor + B
};

/// From ln F of `table`, g = 0 and B = 0. `mean` is mean_intensities(), by row. Shots that make the first
/// evaluation infinite are switched off and reported by their numbers in `bad`. `stop` is asked after
/// every evaluation, on all ranks alike; the checkpoint is then written, and of the result only `end`, Stopped, counts. Collective.
FactorRefinement refine_factors(const parallel::Communicator& communicator, FactorTarget& target,
                                const FactorTable& table, const std::vector<double>& mean,
                                const std::vector<HeldShot>& held,
                                std::vector<std::uint8_t> switched_on, const Stage2Params& params,
                                const std::function<bool()>& stop,
                                std::vector<std::size_t>* bad = nullptr);

} // namespace kilobragg::pixelrefinement
