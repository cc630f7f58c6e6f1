// Steps that obey the strong Wolfe conditions, on the functions of More and Thuente's paper.
#include "kilobragg/pixelrefinement/line_search.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace kilobragg::pixelrefinement {
namespace {

using Line = std::function<double(double)>;

/// phi and its slope.
struct Function {
  const char* name;
  Line f, slope;
};

/// Functions 1, 2 and 4 to 6 of the paper (section 5).
std::vector<Function> functions() {
  const auto yanai = [](double b1, double b2) {
    const double g1 = std::sqrt(1 + b1 * b1) - b1, g2 = std::sqrt(1 + b2 * b2) - b2;
    return Function{"4 to 6",
                    [=](double a) {
                      return g1 * std::sqrt((1 - a) * (1 - a) + b2 * b2) +
                             g2 * std::sqrt(a * a + b1 * b1);
                    },
                    [=](double a) {
                      return -g1 * (1 - a) / std::sqrt((1 - a) * (1 - a) + b2 * b2) +
                             g2 * a / std::sqrt(a * a + b1 * b1);
                    }};
  };
  return {{"1", [](double a) { return -a / (a * a + 2); },
           [](double a) { return (a * a - 2) / std::pow(a * a + 2, 2); }},
          {"2", [](double a) { return std::pow(a + 0.004, 5) - 2 * std::pow(a + 0.004, 4); },
           [](double a) { return 5 * std::pow(a + 0.004, 4) - 8 * std::pow(a + 0.004, 3); }},
          yanai(0.001, 0.001),
          yanai(0.01, 0.001),
          yanai(0.001, 0.01)};
}

LineSearch search_along(const Function& function, double first, const LineSearchParams& params) {
  LineSearch search = start_search(function.f(0), function.slope(0), first, params);
  while (search.status == SearchStatus::Evaluate)
    advance_search(search, function.f(search.step), function.slope(search.step), params);
  return search;
}

TEST(LineSearch, ObeysBothConditionsFromAnyFirstStep) {
  for (const Function& function : functions())
    for (const double curvature : {0.9, 0.1, 0.001})
      for (const double first : {1e-3, 1e-1, 1e1, 1e3}) {
        LineSearchParams params;
        params.decrease = std::min(1e-4, curvature);
        params.curvature = curvature;
        const LineSearch search = search_along(function, first, params);
        SCOPED_TRACE(std::string(function.name) + " from " + std::to_string(first) + ", " +
                     std::to_string(curvature));
        ASSERT_EQ(search.status, SearchStatus::Found);
        const double slope = function.slope(0);
        EXPECT_LE(function.f(search.step), function.f(0) + params.decrease * search.step * slope);
        EXPECT_LE(std::abs(function.slope(search.step)), -curvature * slope);
        EXPECT_LE(search.evaluations, 15);
      }
}

TEST(LineSearch, TheMinimumOfTheFirstFunctionIsWherePublished) {
  LineSearchParams params;
  params.decrease = 1e-3, params.curvature = 1e-3;
  EXPECT_NEAR(search_along(functions()[0], 10, params).step, std::sqrt(2.0), 0.01);
}

TEST(LineSearch, ComesBackFromWhereNothingIsDefined) {
  const Function barrier{"x - log(1 - x), wrong way round",
                         [](double a) { return -std::log(1 - a) - 3 * a; },
                         [](double a) { return 1 / (1 - a) - 3; }};
  const LineSearch search = search_along(barrier, 50, {});
  EXPECT_EQ(search.status, SearchStatus::Found);
  EXPECT_LT(search.step, 1);
  EXPECT_LT(barrier.f(search.step), barrier.f(0));
}

TEST(LineSearch, GivesUpWhereThereIsNoLowerPoint) {
  const Function upward{"the slope lies", [](double a) { return a; }, [](double) { return -1.0; }};
  const LineSearch search = search_along(upward, 1, {});
  EXPECT_EQ(search.status, SearchStatus::Failed);
  EXPECT_EQ(search.step, 0);
}

} // namespace
} // namespace kilobragg::pixelrefinement
