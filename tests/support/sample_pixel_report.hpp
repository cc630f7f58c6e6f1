// A report of refinement against pixels with all that it can show, as a run might give it.
#pragma once

#include "kilobragg/report/pixel_report.hpp"

#include <cmath>
#include <random>

namespace kilobragg::testing {

/// A Gaussian spot on a sloping background, counted; one row does not count.
inline report::BoxShown sample_box(int number, std::mt19937& random) {
  report::BoxShown box;
  box.caption = "12 -3 " + std::to_string(number) + ", run_00012, 2.31 Å";
  box.width = 13;
  box.height = 11;
  for (int y = 0; y < box.height; ++y)
    for (int x = 0; x < box.width; ++x) {
      const double r2 = std::pow(x - 6.2, 2) / 4 + std::pow(y - 4.7, 2) / 2;
      const double model = 3 + 0.1 * x + 40 * number * std::exp(-0.5 * r2);
      const int counts = std::poisson_distribution<int>(model)(random);
      const bool used = y != box.height - 1;
      box.data.push_back(used ? float(counts) : std::nanf(""));
      box.model.push_back(float(model));
      box.z.push_back(used ? float((counts - model) / std::sqrt(model)) : std::nanf(""));
    }
  return box;
}

inline report::PixelReportData sample_pixel_report() {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  report::PixelReportData data;
  data.title = "lysozyme_pixels";
  data.subtitle = "stage 2, finished";
  data.tiles = {{"987", "of 1003 shots refined"}, {"2.41 M", "pixels"},
                {"15 131", "structure factors"},  {"98.7\u00a0%", "CC½ after"},
                {"91.2\u00a0%", "CC½ before"},    {"1.02", "median sigma-Z"}};
  data.problems = {"16 shots could not be refined"};
  for (int i = 0; i < 40; ++i)
    data.iterations.push_back({.iteration = i,
                               .f = 8.123e6 + 5e4 * std::exp(-0.3 * i),
                               .gradient = 1e6 * std::exp(-0.4 * i),
                               .left_out = 4.1e5 + 2e3 * std::exp(-0.3 * i) + 3 * i});
  data.shots_by_state = {{"refined", 987}, {"limit", 4}, {"no_pixels", 2}, {"bad_fit", 10}};
  for (int i = 0; i < 987; ++i) data.sigma_z.push_back(1 + 0.05 * std::exp(0.8 * normal(random)));
  data.pixel_z = {.lo = -6, .hi = 6, .counts = std::vector<std::int64_t>(48)};
  for (int i = 0; i < 20'000; ++i) data.pixel_z.add(1.05 * normal(random));
  for (int i = 1; i <= 6; ++i) data.boxes.push_back(sample_box(i, random));
  for (int i = 0; i < 2500; ++i) {
    const double f = 200 * std::sqrt(-std::log(std::uniform_real_distribution<>(1e-4, 1)(random)));
    data.f_before.push_back(f * std::exp(0.25 * normal(random)));
    data.f_after.push_back(f * std::exp(0.05 * normal(random)));
    data.pulls.push_back(1.1 * normal(random));
  }
  for (int i = 0; i < 10; ++i)
    data.shells.push_back({.d_low = i == 0 ? 0 : 4.3 / std::cbrt(i),
                           .d_high = 4.3 / std::cbrt(i + 1),
                           .cc_half_before = 0.97 - 0.02 * i,
                           .cc_half_after = 0.995 - 0.006 * i,
                           .r_split_before = 0.12 + 0.03 * i,
                           .r_split_after = 0.05 + 0.015 * i,
                           .r1_truth_before = 0.1 + 0.02 * i,
                           .r1_truth_after = 0.04 + 0.01 * i});
  data.program = "kilobragg";
  data.version = "0.1 (abcdef)";
  data.options = "refine.max_iterations = 100\nrefine.d_min = 2.0";
  return data;
}

} // namespace kilobragg::testing
