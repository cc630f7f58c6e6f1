// The path of L-BFGS to published minima has the same bits however its variables lie over ranks.
#include "pixelrefinement/spread_problem.hpp"

#include "kilobragg/core/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kilobragg::pixelrefinement {
namespace {

using parallel::Communicator;

LbfgsParams strict() {
  LbfgsParams params;
  params.gradient_tolerance = 1e-9;
  params.max_iterations = 3000;
  return params;
}

/// Every point asked for, with the state's numbers: what must agree to the last bit.
struct Path {
  std::vector<double> numbers;
  LbfgsStatus status = LbfgsStatus::Evaluate;
  double f = 0;
  friend bool operator==(const Path&, const Path&) = default;
};

Path path_of(SpreadProblem problem, const std::vector<double>& diagonal,
             const LbfgsParams& params) {
  SpreadLbfgsState state = problem.start(diagonal);
  Path path;
  while (state.status == LbfgsStatus::Evaluate) {
    const std::vector<double> point = problem.evaluate(state, params);
    path.numbers.insert(path.numbers.end(), point.begin(), point.end());
    path.numbers.insert(path.numbers.end(), {state.f, state.search.step, state.search.best.slope,
                                             state.report.gradient_norm, state.inverse_scale});
  }
  path.status = state.status;
  path.f = state.f;
  return path;
}

void expect_same_path(const Problem& problem, const std::vector<double>& diagonal = {},
                      const LbfgsParams& params = strict()) {
  const std::size_t n = problem.x0.size();
  const Path alone = path_of({problem, Communicator::alone(), 0}, diagonal, params);
  EXPECT_NE(alone.status, LbfgsStatus::Limit) << problem.name;
  EXPECT_NEAR(alone.f, problem.minimum, 1e-5 * problem.minimum + 1e-12) << problem.name;
  for (const std::size_t shared :
       n == 10 ? std::vector{std::size_t(0), n / 3, n} : std::vector{n / 3})
    EXPECT_EQ(path_of({problem, Communicator::world(), shared, shared + 1}, diagonal, params),
              alone)
        << problem.name << ", " << shared << " of " << n << " shared";
}

TEST(SpreadLbfgs, ValleysAndBadScales) {
  for (const Problem& problem : valleys()) expect_same_path(problem);
}
TEST(SpreadLbfgs, FitsToData) {
  for (const Problem& problem : fits_to_data()) expect_same_path(problem);
}
TEST(SpreadLbfgs, ManyVariables) {
  for (const Problem& problem : many_variables()) expect_same_path(problem);
}
TEST(SpreadLbfgs, DiagonalAndLimitedSteps) {
  LbfgsParams params = strict();
  expect_same_path(stretched_quadratic(), stretched_diagonal(), params);
  params.max_step = 0.05;
  expect_same_path(stretched_quadratic(), stretched_diagonal(), params);
  params.history = 2;
  expect_same_path(valleys()[0], {}, params);
}

TEST(SpreadLbfgs, ProductsAreExact) {
  // 2^60 + 1 - 2^60, with the large terms on different ranks.
  const auto world = Communicator::world();
  const std::size_t owned = world.is_root() ? 1 : 0;
  SpreadVectors vectors(world, 2, owned);
  EXPECT_EQ(vectors.variables(), 3);
  std::vector<double> a{0x1p30, 0x1p-30}, b{0x1p30, 0x1p30};
  if (owned) a.push_back(-0x1p30), b.push_back(0x1p30);
  const DeviceVector one = to_device(a), other = to_device(b);
  const auto [product, square] = vectors.products(
      std::array{SpreadVectors::Pair{&one, &other}, SpreadVectors::Pair{&other, &other}});
  EXPECT_EQ(product, 1);
  EXPECT_EQ(square, 3 * 0x1p60);
  EXPECT_EQ(vectors.largest(one), 0x1p30);
}

TEST(SpreadLbfgs, ManyElementsAgreeWithAPlainSum) {
  const auto world = Communicator::world();
  const std::size_t shared = 1000, owned = 5000 + 100 * std::size_t(world.rank());
  SpreadVectors vectors(world, shared, owned);
  std::vector<double> a, b;
  for (std::size_t i = 0; i < shared + owned; ++i) {
    a.push_back(std::sin(double(i)));
    b.push_back(1 + std::cos(3.0 * double(i)));
  }
  long double expected = 0;
  for (int rank = 0; rank < world.size(); ++rank)
    for (std::size_t i = rank == 0 ? 0 : shared; i < shared + 5000 + 100 * std::size_t(rank); ++i)
      expected += static_cast<long double>(std::sin(double(i))) * (1 + std::cos(3.0 * double(i)));
  const DeviceVector x = to_device(a), y = to_device(b);
  EXPECT_NEAR(vectors.products(std::array{SpreadVectors::Pair{&x, &y}})[0], double(expected),
              1e-12);
}

TEST(SpreadLbfgs, RefusesWhatDoesNotFit) {
  const auto world = Communicator::world();
  if (world.size() > 1) {
    EXPECT_THROW(SpreadVectors(world, std::size_t(world.rank()), 0), core::Error);
  }
  SpreadVectors vectors(world, 1, 1);
  EXPECT_THROW(start_lbfgs(vectors, {1}), core::Error);
  EXPECT_THROW(start_lbfgs(vectors, {1, 2}, {1, -1}), core::Error);
  if (world.size() > 1) {
    const std::vector<double> diagonal(world.is_root() ? 2 : 0, 1.0);
    EXPECT_THROW(start_lbfgs(vectors, {1, 2}, diagonal), core::Error);
  }
  SpreadLbfgsState state = start_lbfgs(vectors, {1, 2});
  EXPECT_THROW(advance_lbfgs(state, vectors, 1, to_device(std::vector<double>{1})), core::Error);
}

} // namespace
} // namespace kilobragg::pixelrefinement
