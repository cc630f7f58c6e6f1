// L-BFGS on standard problems against their published minima.
#include "pixelrefinement/minimum_problems.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/pixelrefinement/lbfgs.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <limits>

namespace kilobragg::pixelrefinement {
namespace {

LbfgsState minimise(const Problem& problem, LbfgsState state, const LbfgsParams& params = {}) {
  while (state.status == LbfgsStatus::Evaluate)
    advance_lbfgs(state, problem.f(state.point), problem.gradient(state.point), params);
  return state;
}

LbfgsParams strict() {
  LbfgsParams params;
  params.gradient_tolerance = 1e-9;
  params.max_iterations = 3000;
  return params;
}

void expect_minima(const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    const LbfgsState end = minimise(problem, start_lbfgs(problem.x0), strict());
    EXPECT_NE(end.status, LbfgsStatus::Limit) << problem.name;
    EXPECT_NEAR(end.f, problem.minimum, 1e-5 * problem.minimum + 1e-12) << problem.name;
    std::cout << problem.name << ": " << end.iterations << " iterations, " << end.evaluations
              << " evaluations, f = " << end.f << '\n';
  }
}

TEST(Lbfgs, ValleysAndBadScales) { expect_minima(valleys()); }
TEST(Lbfgs, FitsToData) { expect_minima(fits_to_data()); }
TEST(Lbfgs, ProblemsOfManyVariables) { expect_minima(many_variables()); }

TEST(Lbfgs, TheDiagonalOfTheHessianSparesIterations) {
  const Problem problem = stretched_quadratic();
  const auto with = minimise(problem, start_lbfgs(problem.x0, stretched_diagonal()), strict());
  const auto without = minimise(problem, start_lbfgs(problem.x0), strict());
  for (const double x : with.x) EXPECT_NEAR(x, 1, 1e-7);
  EXPECT_LT(with.iterations, 20);
  EXPECT_GT(without.iterations, 5 * with.iterations);
}

TEST(Lbfgs, ACopyGoesOnBitForBit) {
  const Problem problem = valleys()[0];
  LbfgsState state = start_lbfgs({-1.2, 1});
  for (int i = 0; i < 17; ++i)
    advance_lbfgs(state, problem.f(state.point), problem.gradient(state.point), strict());
  ASSERT_EQ(state.status, LbfgsStatus::Evaluate);
  const LbfgsState copy = state;
  const auto one = minimise(problem, state, strict()), other = minimise(problem, copy, strict());
  EXPECT_EQ(one.x, other.x);
  EXPECT_EQ(one.evaluations, other.evaluations);
}

TEST(Lbfgs, EndsWhereItIsTold) {
  const Problem problem = valleys()[0];
  LbfgsParams few;
  few.max_iterations = 5;
  const auto limited = minimise(problem, start_lbfgs({-1.2, 1}), few);
  EXPECT_EQ(limited.status, LbfgsStatus::Limit);
  EXPECT_EQ(limited.iterations, 5);
  EXPECT_EQ(limited.point, limited.x);
  LbfgsParams loose;
  loose.value_tolerance = 0.5;
  EXPECT_LT(minimise(problem, start_lbfgs({-1.2, 1}), loose).iterations, 10);
  EXPECT_EQ(minimise(problem, start_lbfgs({1, 1})).evaluations, 1);
  // A gradient that points the wrong way: nothing lower is found.
  LbfgsState state = start_lbfgs({0.0});
  while (state.status == LbfgsStatus::Evaluate)
    advance_lbfgs(state, state.point[0], std::vector<double>{-1});
  EXPECT_EQ(state.status, LbfgsStatus::Stalled);
  EXPECT_EQ(state.point, std::vector<double>{0.0});
}

TEST(Lbfgs, NoVariableChangesByMoreThanItMay) {
  LbfgsParams params = strict();
  params.max_step = 0.05;
  const std::pair<Problem, std::vector<double>> cases[] = {
      {valleys()[0], {}}, {stretched_quadratic(), stretched_diagonal()}};
  for (const auto& [problem, diagonal] : cases) {
    LbfgsState state = start_lbfgs(problem.x0, diagonal);
    double most = 0;
    while (state.status == LbfgsStatus::Evaluate) {
      const std::vector<double> before = state.x;
      advance_lbfgs(state, problem.f(state.point), problem.gradient(state.point), params);
      for (std::size_t i = 0; i < before.size(); ++i)
        most = std::max(most, std::abs(state.x[i] - before[i]));
    }
    EXPECT_NEAR(state.f, problem.minimum, 1e-9) << problem.name;
    EXPECT_LE(most, 0.05 * (1 + 1e-10));
    EXPECT_GT(most, 0.049); // somewhere the limit was what ended the search
  }
}

TEST(Lbfgs, ReportsTheBestPoint) {
  const Problem problem = valleys()[0];
  LbfgsState state = start_lbfgs(problem.x0);
  std::vector<LbfgsReport> lines;
  while (state.status == LbfgsStatus::Evaluate) {
    advance_lbfgs(state, problem.f(state.point), problem.gradient(state.point));
    if (lines.empty() || state.report.iteration > lines.back().iteration)
      lines.push_back(state.report);
  }
  ASSERT_EQ(lines.size(), std::size_t(state.iterations + 1));
  EXPECT_EQ(lines.front().step, 0);
  EXPECT_EQ(lines.front().f, problem.f(problem.x0));
  EXPECT_EQ(lines.back().evaluations, state.evaluations);
  EXPECT_EQ(lines.back().f, state.f);
  EXPECT_DOUBLE_EQ(lines.back().gradient_norm, std::hypot(state.g[0], state.g[1]));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    EXPECT_LT(lines[i].f, lines[i - 1].f);
    EXPECT_GT(lines[i].step, 0);
  }
}

TEST(Lbfgs, StepsOverHoles) {
  // Not a number for x <= 0, where the first steps lead.
  const auto f = [](double x) { return x - std::log(x); };
  LbfgsState state = start_lbfgs({10}, {0.01});
  while (state.status == LbfgsStatus::Evaluate) {
    const double x = state.point[0];
    const bool hole = x <= 0;
    const double none = std::numeric_limits<double>::quiet_NaN();
    advance_lbfgs(state, hole ? none : f(x), std::vector<double>{hole ? none : 1 - 1 / x});
  }
  EXPECT_EQ(state.status, LbfgsStatus::Converged);
  EXPECT_NEAR(state.x[0], 1, 1e-5);
}

TEST(Lbfgs, RefusesNonsense) {
  EXPECT_THROW(start_lbfgs({1, 2}, {1}), core::Error);
  EXPECT_THROW(start_lbfgs({1}, {0}), core::Error);
  LbfgsState state = start_lbfgs({1, 2});
  EXPECT_THROW(advance_lbfgs(state, 1, std::vector<double>{1}), core::Error);
  EXPECT_THROW(advance_lbfgs(state, std::nan(""), std::vector<double>{1, 1}), core::Error);
  state = start_lbfgs({1, 2});
  EXPECT_THROW(advance_lbfgs(state, 1, std::vector<double>{1, std::nan("")}), core::Error);
}

} // namespace
} // namespace kilobragg::pixelrefinement
