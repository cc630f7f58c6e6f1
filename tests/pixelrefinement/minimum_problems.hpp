// Functions whose minima are known, for tests of minimisers.
#pragma once

#include <cmath>
#include <complex>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

namespace kilobragg::pixelrefinement {

struct Problem {
  std::string name;
  std::vector<double> x0;
  double minimum = 0;
  std::function<double(const std::vector<double>&)> f;
  std::function<std::vector<double>(const std::vector<double>&)> gradient;
};

using Complex = std::complex<double>;

/// Problems are templates over the number, so that a step in the imaginary direction gives derivatives to
/// the last bit: df/dx = Im f(x + i h) / h.
template <typename F>
std::vector<double> gradient_of(const F& f, const std::vector<double>& x) {
  constexpr double h = 1e-100;
  std::vector<Complex> z(x.begin(), x.end());
  std::vector<double> gradient;
  for (std::size_t i = 0; i < x.size(); ++i) {
    z[i] += Complex(0, h);
    gradient.push_back(f(z).imag() / h);
    z[i] = x[i];
  }
  return gradient;
}

template <typename F>
Problem make_problem(const char* name, const F& f, const std::vector<double>& x0, double minimum) {
  return {name, x0, minimum, [f](const std::vector<double>& x) { return f(x); },
          [f](const std::vector<double>& x) { return gradient_of(f, x); }};
}

template <typename T>
T square(const T& v) {
  return v * v;
}

/// Numbers as in Moré, Garbow & Hillstrom (1981), ACM Trans. Math. Softw. 7, 17.
inline std::vector<Problem> valleys() {
  std::vector<Problem> problems;
  problems.push_back(make_problem(
      "(1) Rosenbrock",
      [](const auto& x) { return 100.0 * square(x[1] - x[0] * x[0]) + square(1.0 - x[0]); },
      {-1.2, 1}, 0));
  problems.push_back(make_problem(
      "(2) Freudenstein and Roth",
      [](const auto& x) {
        return square(-13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1]) +
               square(-29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1]);
      },
      {0.5, -2}, 48.98425));
  problems.push_back(make_problem(
      "(4) Brown, badly scaled",
      [](const auto& x) {
        return square(x[0] - 1e6) + square(x[1] - 2e-6) + square(x[0] * x[1] - 2.0);
      },
      {1, 1}, 0));
  problems.push_back(make_problem(
      "(5) Beale",
      [](const auto& x) {
        return square(1.5 - x[0] * (1.0 - x[1])) + square(2.25 - x[0] * (1.0 - x[1] * x[1])) +
               square(2.625 - x[0] * (1.0 - x[1] * x[1] * x[1]));
      },
      {1, 1}, 0));
  problems.push_back(make_problem(
      "(6) Jennrich and Sampson",
      [](const auto& x) {
        auto sum = 0.0 * x[0];
        for (int i = 1; i <= 10; ++i)
          sum += square(2.0 + 2.0 * i - (exp(double(i) * x[0]) + exp(double(i) * x[1])));
        return sum;
      },
      {0.3, 0.4}, 124.3622));
  problems.push_back(make_problem(
      "(7) helical valley",
      [](const auto& x) {
        const double quadrant = std::real(x[0]) < 0 ? 0.5 : 0;
        const auto theta = atan(x[1] / x[0]) / (2 * std::numbers::pi) + quadrant;
        return 100.0 * square(x[2] - 10.0 * theta) +
               100.0 * square(sqrt(x[0] * x[0] + x[1] * x[1]) - 1.0) + x[2] * x[2];
      },
      {-1, 0, 0}, 0));
  problems.push_back(make_problem(
      "(14) Wood",
      [](const auto& x) {
        return 100.0 * square(x[1] - x[0] * x[0]) + square(1.0 - x[0]) +
               90.0 * square(x[3] - x[2] * x[2]) + square(1.0 - x[2]) +
               10.0 * square(x[1] + x[3] - 2.0) + square(x[1] - x[3]) / 10.0;
      },
      {-3, -1, -3, -1}, 0));
  return problems;
}

inline std::vector<Problem> fits_to_data() {
  std::vector<Problem> problems;
  problems.push_back(make_problem(
      "(8) Bard",
      [](const auto& x) {
        const double y[] = {0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39,
                            0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39};
        auto sum = 0.0 * x[0];
        for (int i = 1; i <= 15; ++i) {
          const double u = i, v = 16 - i, w = std::min(u, v);
          sum += square(y[i - 1] - (x[0] + u / (v * x[1] + w * x[2])));
        }
        return sum;
      },
      {1, 1, 1}, 8.21487e-3));
  problems.push_back(make_problem(
      "(9) Gauss",
      [](const auto& x) {
        const double y[] = {0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989,
                            0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044, 0.0009};
        auto sum = 0.0 * x[0];
        for (int i = 1; i <= 15; ++i)
          sum += square(x[0] * exp(-x[1] * square((8.0 - i) / 2 - x[2]) / 2.0) - y[i - 1]);
        return sum;
      },
      {0.4, 1, 0}, 1.12793e-8));
  problems.push_back(make_problem(
      "(15) Kowalik and Osborne",
      [](const auto& x) {
        const double y[] = {0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627,
                            0.0456, 0.0342, 0.0323, 0.0235, 0.0246};
        const double u[] = {4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625};
        auto sum = 0.0 * x[0];
        for (int i = 0; i < 11; ++i)
          sum += square(y[i] -
                        x[0] * (u[i] * u[i] + u[i] * x[1]) / (u[i] * u[i] + u[i] * x[2] + x[3]));
        return sum;
      },
      {0.25, 0.39, 0.415, 0.39}, 3.07505e-4));
  problems.push_back(make_problem(
      "(16) Brown and Dennis",
      [](const auto& x) {
        auto sum = 0.0 * x[0];
        for (int i = 1; i <= 20; ++i) {
          const double t = i / 5.0;
          sum += square(square(x[0] + t * x[1] - std::exp(t)) +
                        square(x[2] + x[3] * std::sin(t) - std::cos(t)));
        }
        return sum;
      },
      {25, 5, -5, -1}, 85822.2));
  return problems;
}

inline std::vector<Problem> many_variables() {
  std::vector<Problem> problems;
  std::vector<double> counted;
  for (int i = 1; i <= 10; ++i) counted.push_back(i);
  problems.push_back(make_problem(
      "(23) penalty I",
      [](const auto& x) {
        auto sum = 0.0 * x[0], norm = 0.0 * x[0];
        for (const auto& v : x) {
          sum += 1e-5 * square(v - 1.0);
          norm += v * v;
        }
        return sum + square(norm - 0.25);
      },
      counted, 7.08765e-5));
  std::vector<double> rosenbrock, powell;
  for (int i = 0; i < 100; ++i) {
    rosenbrock.push_back(i % 2 == 0 ? -1.2 : 1);
    powell.push_back(std::vector<double>{3, -1, 0, 1}[std::size_t(i % 4)]);
  }
  problems.push_back(make_problem(
      "(21) extended Rosenbrock, 100 variables",
      [](const auto& x) {
        auto sum = 0.0 * x[0];
        for (std::size_t i = 0; i < x.size(); i += 2)
          sum += 100.0 * square(x[i + 1] - x[i] * x[i]) + square(1.0 - x[i]);
        return sum;
      },
      rosenbrock, 0));
  problems.push_back(make_problem(
      "(22) extended Powell, 100 variables",
      [](const auto& x) {
        auto sum = 0.0 * x[0];
        for (std::size_t i = 0; i < x.size(); i += 4)
          sum += square(x[i] + 10.0 * x[i + 1]) + 5.0 * square(x[i + 2] - x[i + 3]) +
                 square(square(x[i + 1] - 2.0 * x[i + 2])) + 10.0 * square(square(x[i] - x[i + 3]));
        return sum;
      },
      powell, 0));
  return problems;
}

/// A quadratic of 50 variables with scales over six orders of magnitude, and neighbours that pull.
template <typename X>
auto stretched(const X& x) {
  auto sum = 0.0 * x[0];
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double scale = std::pow(10, 6.0 * double(i) / 49);
    sum += 0.5 * scale * square(x[i] - 1.0);
    if (i > 0) sum += 0.05 * scale * (x[i] - 1.0) * (x[i - 1] - 1.0);
  }
  return sum;
}

inline Problem stretched_quadratic() {
  return make_problem(
      "stretched quadratic", [](const auto& x) { return stretched(x); },
      std::vector<double>(50, 0.0), 0);
}

/// Close to the diagonal of its Hessian.
inline std::vector<double> stretched_diagonal() {
  std::vector<double> diagonal;
  for (int i = 0; i < 50; ++i) diagonal.push_back(std::pow(10, 6.0 * i / 49));
  return diagonal;
}

} // namespace kilobragg::pixelrefinement
