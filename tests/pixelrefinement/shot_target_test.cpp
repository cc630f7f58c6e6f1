// The likelihood of a shot: gradients by finite differences, boxes' scales at their best, information.
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/shot_target.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::pixelrefinement {
namespace {

using diffraction::SymmetricElements;
using testing::make_pixel_shot;
using testing::PixelShot;

ParameterRules all_free() {
  ParameterRules rules;
  for (ParameterRule* rule :
       {&rules.distance, &rules.wavelength_offset, &rules.wavelength_scale, &rules.b_factor})
    rule->fixed = false;
  rules.spread_elements = SymmetricElements::Three;
  rules.size_elements = SymmetricElements::Six;
  rules.rotation.sigma = 0.01;
  return rules;
}

/// A shot, its space and target.
struct Problem {
  PixelShot shot;
  ParameterSpace space;
  ShotReflections near;
  ShotTarget target;

  Problem(const testing::PixelShotOptions& options, const ParameterRules& rules,
          const ShotTargetParams& params)
      : Problem(make_pixel_shot(options), rules, params) {}
  Problem(PixelShot of, const ParameterRules& rules, const ShotTargetParams& params)
      : shot(std::move(of))
      , space(shot.truth, rules)
      , near(reflections_near(shot.truth, shot.sphere, 0.01))
      , target(space, shot.pixels, shot.table, near, params) {}
};

/// A little away from the start, differently in each parameter: orientations by tenths of a milliradian.
std::vector<double> beside(const ParameterSpace& space) {
  std::vector<double> x = space.start();
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += 0.01 * std::sin(1.0 + 2.0 * double(i));
  return x;
}

/// Tails of 1e-6 end at a pixel's edge here and there, which no derivative knows of.
ShotTargetParams smooth(Likelihood likelihood, bool free_intensities) {
  ShotTargetParams params;
  params.likelihood = likelihood;
  params.free_intensities = free_intensities;
  params.tail = 1e-14;
  return params;
}

void expect_gradient(Problem& problem) {
  const std::vector<double> x = beside(problem.space);
  std::vector<double> gradient(x.size()), unused(x.size());
  const double f = problem.target.evaluate(x, gradient);
  ASSERT_TRUE(std::isfinite(f));
  double largest = 0;
  for (const double g : gradient) largest = std::max(largest, std::abs(g));
  ASSERT_GT(largest, 1);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool fine = problem.space.name(i).starts_with("spec") ||
                      problem.space.name(i) == "detz_shift" ||
                      problem.space.name(i).starts_with("Ndef");
    const double step = fine ? 1e-4 : 5e-4;
    const auto at = [&](double factor) {
      std::vector<double> moved = x;
      moved[i] += factor * step;
      return problem.target.evaluate(moved, unused);
    };
    const double slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step);
    EXPECT_NEAR(gradient[i], slope, 1e-5 * largest) << problem.space.name(i);
  }
}

TEST(ShotTarget, GradientIsThatOfFiniteDifferences) {
  for (const auto likelihood : {Likelihood::Normal, Likelihood::Poisson, Likelihood::NoisyPoisson})
    for (const bool free : {false, true}) {
      SCOPED_TRACE(::testing::Message() << int(likelihood) << ' ' << free);
      Problem problem(
          {.readout = likelihood == Likelihood::Poisson ? 0 : 0.4, .sigma = 0.2, .threshold = 600},
          all_free(), smooth(likelihood, free));
      expect_gradient(problem);
    }
}

TEST(ShotTarget, GradientOfTwoLatticesAndEverySizeOfBlock) {
  for (const auto elements : {SymmetricElements::One, SymmetricElements::Three}) {
    ParameterRules rules = all_free();
    rules.size_elements = elements;
    rules.spread_elements = SymmetricElements::One;
    PixelShot shot = make_pixel_shot({.lattices = 2, .sigma = 0.3, .threshold = 400});
    shot.truth.b_factor = 10;
    Problem problem(std::move(shot), rules, smooth(Likelihood::Poisson, true));
    expect_gradient(problem);
  }
}

TEST(ShotTarget, GradientWhereFDependsOnTheEnergy) {
  ParameterRules rules = all_free();
  rules.wavelength_offset.fixed = rules.wavelength_scale.fixed = true; // F is not derived with them
  PixelShot shot = make_pixel_shot({.sigma = 0.3, .threshold = 400});
  testing::give_energies(shot);
  shot.truth.b_factor = 10;
  Problem problem(std::move(shot), rules, smooth(Likelihood::Poisson, true));
  expect_gradient(problem);
}

TEST(ShotTarget, LayersAddUpToTheModel) {
  PixelShot shot = make_pixel_shot({.lattices = 2, .sigma = 0.3});
  testing::give_energies(shot);
  Problem p(std::move(shot), ParameterRules(), {});
  const std::vector<double> x = beside(p.space), all = p.target.model(x).photons;
  const auto layers = p.target.layers(x);
  ASSERT_EQ(layers.size(), 3u);
  std::vector<double> light(3);
  for (std::size_t i = 0; i < all.size(); ++i) {
    double sum = 0;
    for (std::size_t l = 0; l < 3; ++l) {
      sum += layers[l][i];
      light[l] += layers[l][i];
    }
    EXPECT_NEAR(sum, all[i], 1e-9 * all[i] + 1e-12);
  }
  for (const double l : light) EXPECT_GT(l, 100);
}

TEST(ShotTarget, ValueIsThePlainSum) {
  for (const auto likelihood : {Likelihood::Normal, Likelihood::Poisson, Likelihood::NoisyPoisson})
    for (const double readout : {0.0, 0.5}) {
      Problem p({.readout = readout, .sigma = 0.3, .threshold = 200}, ParameterRules(),
                smooth(likelihood, true));
      const std::vector<double> x = beside(p.space);
      std::vector<double> gradient(x.size());
      const double f = p.target.evaluate(x, gradient);
      const ShotImage image = p.target.image(x);
      double expected = 0;
      for (std::size_t i = 0; i < p.shot.pixels.size(); ++i)
        if (p.shot.pixels.used[i] != 0)
          expected += fit_pixel(likelihood, double(p.shot.pixels.value[i]),
                                double(p.shot.pixels.background[i]) + image.bragg[i], readout)
                          .value;
      for (const double t : image.box_scale) expected += 0.5 * t * t / (0.6 * 0.6);
      EXPECT_NEAR(f, expected, 1e-9 * std::abs(expected));
    }
}

TEST(ShotTarget, ScalesOfBoxesAreAtTheirBest) {
  for (const auto likelihood : {Likelihood::Normal, Likelihood::Poisson}) {
    Problem p({.readout = likelihood == Likelihood::Normal ? 0.5 : 0, .sigma = 0.3},
              ParameterRules(), smooth(likelihood, true));
    const std::vector<double> x = beside(p.space);
    const ShotImage image = p.target.image(x);
    const ShotPixels& pixels = p.shot.pixels;
    double largest = 0;
    for (std::size_t b = 0; b < pixels.boxes.size(); ++b) {
      const auto value = [&](double change) {
        const double t = image.box_scale[b] + change;
        double sum = 0.5 * t * t / (0.6 * 0.6);
        for (std::size_t i = pixels.boxes[b].first;
             i < pixels.boxes[b].first + pixels.boxes[b].box.size(); ++i)
          if (pixels.used[i] != 0)
            sum += fit_pixel(likelihood, double(pixels.value[i]),
                             double(pixels.background[i]) + std::exp(change) * image.bragg[i],
                             double(pixels.readout_of(i)))
                       .value;
        return sum;
      };
      EXPECT_NEAR((value(1e-4) - value(-1e-4)) / 2e-4, 0, 1e-3) << b;
      for (const double far : {-2.0, -0.3, -0.01, 0.01, 0.3, 2.0})
        EXPECT_GT(value(far), value(0)) << b;
      largest = std::max(largest, std::abs(image.box_scale[b]));
    }
    EXPECT_GT(largest, 0.1);
  }
}

TEST(ShotTarget, FactorsKnownExactlyLeaveNothingFree) {
  Problem exact({.sigma = 0}, ParameterRules(), smooth(Likelihood::Poisson, true)),
      fixed({.sigma = 0.5}, ParameterRules(), smooth(Likelihood::Poisson, false));
  const std::vector<double> x = beside(exact.space);
  std::vector<double> a(x.size()), b(x.size());
  EXPECT_EQ(exact.target.evaluate(x, a), fixed.target.evaluate(x, b));
  EXPECT_EQ(a, b);
  for (const double t : exact.target.image(x).box_scale) EXPECT_EQ(t, 0);
}

/// Gaussian elimination: the last `extra` rows and columns of a square matrix are taken out of the rest.
std::vector<double> eliminate(std::vector<double> m, std::size_t n, std::size_t extra) {
  for (std::size_t out = n; out-- > n - extra;)
    for (std::size_t i = 0; i < out; ++i)
      for (std::size_t j = 0; j < out; ++j)
        m[i * n + j] -= m[i * n + out] * m[out * n + j] / m[out * n + out];
  std::vector<double> left;
  for (std::size_t i = 0; i < n - extra; ++i)
    left.insert(left.end(), m.begin() + std::ptrdiff_t(i * n),
                m.begin() + std::ptrdiff_t(i * n + n - extra));
  return left;
}

TEST(ShotTarget, InformationIsThatOfAllParametersAndScalesTogether) {
  for (const auto likelihood : {Likelihood::Normal, Likelihood::Poisson}) {
    ParameterRules rules;
    rules.b_factor.fixed = false;
    rules.rotation.sigma = 1e-4;
    const double readout = likelihood == Likelihood::Normal ? 0.5 : 0;
    Problem p({.readout = readout, .sigma = 0.3, .threshold = 200}, rules,
              smooth(likelihood, true));
    const std::vector<double> x = beside(p.space);
    const std::size_t own = p.space.size(), boxes = p.shot.pixels.boxes.size(), n = own + boxes;
    const ShotImage image = p.target.image(x);
    // Derivatives of every pixel's light by differences of images at these scales.
    const auto light = [&](const std::vector<double>& at) {
      const ShotModel model = p.space.model(at);
      return testing::bragg_of(model, p.shot.pixels,
                               with_factors(p.near, p.shot.table, model.b_factor),
                               {.oversample = 1, .tail = 1e-14});
    };
    std::vector<std::vector<double>> derivative;
    for (std::size_t q = 0; q < own; ++q) {
      std::vector<double> up = x, down = x;
      up[q] += 1e-4;
      down[q] -= 1e-4;
      std::vector<double> a = light(up), b = light(down);
      for (std::size_t i = 0; i < a.size(); ++i) a[i] = (a[i] - b[i]) / 2e-4;
      derivative.push_back(a);
    }
    std::vector<double> dense(n * n), restraint(own), unused(own);
    p.space.restrain(x, unused, restraint);
    for (std::size_t q = 0; q < own; ++q) dense[q * n + q] = restraint[q];
    for (std::size_t b = 0; b < boxes; ++b) {
      dense[(own + b) * n + own + b] = 1 / (0.6 * 0.6);
      const ReflectionBox& box = p.shot.pixels.boxes[b];
      for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
        if (p.shot.pixels.used[i] == 0) continue;
        const double m = double(p.shot.pixels.background[i]) + image.bragg[i];
        const double v = m + readout * readout;
        const double w = likelihood == Likelihood::Normal ? 1 / v + 0.5 / (v * v) : 1 / m;
        std::vector<double> row(n);
        for (std::size_t q = 0; q < own; ++q)
          row[q] = std::exp(image.box_scale[b]) * derivative[q][i];
        row[own + b] = image.bragg[i];
        for (std::size_t q = 0; q < n; ++q)
          if (row[q] != 0)
            for (std::size_t r = 0; r < n; ++r) dense[q * n + r] += w * row[q] * row[r];
      }
    }
    const std::vector<double> expected = eliminate(dense, n, boxes),
                              found = p.target.information(x);
    ASSERT_EQ(found.size(), own * own);
    for (std::size_t q = 0; q < own; ++q)
      for (std::size_t r = 0; r < own; ++r)
        EXPECT_NEAR(found[q * own + r], expected[q * own + r],
                    1e-5 * std::sqrt(expected[q * own + q] * expected[r * own + r]))
            << p.space.name(q) << ' ' << p.space.name(r);
  }
}

TEST(ShotTarget, InformationIsTheScatterOfScores) {
  Problem p({.threshold = 100}, ParameterRules(), smooth(Likelihood::Poisson, false));
  const std::vector<double> x = p.space.start();
  const std::vector<double> expected = p.target.information(x);
  const std::size_t n = x.size(), draws = 200;
  std::vector<double> squares(n), mean(n), gradient(n);
  for (unsigned draw = 0; draw < draws; ++draw) {
    testing::draw_values(p.shot, 0, draw + 10);
    ShotTarget target(p.space, p.shot.pixels, p.shot.table, p.near,
                      smooth(Likelihood::Poisson, false));
    target.evaluate(x, gradient);
    for (std::size_t q = 0; q < n; ++q) {
      squares[q] += gradient[q] * gradient[q] / double(draws);
      mean[q] += gradient[q] / double(draws);
    }
  }
  for (std::size_t q = 0; q < n; ++q) {
    const double sigma = std::sqrt(expected[q * n + q]);
    EXPECT_NEAR(squares[q] / expected[q * n + q], 1, 5 * std::sqrt(2 / double(draws)))
        << p.space.name(q);
    EXPECT_LT(std::abs(mean[q]), 5 * sigma / std::sqrt(double(draws))) << p.space.name(q);
  }
}

TEST(ShotTarget, BoxesThatAreNotUsedTakeNoPart) {
  PixelShot all = make_pixel_shot({.sigma = 0.3}), fewer = all;
  for (std::size_t b = 0; b < all.pixels.boxes.size(); ++b) {
    const BoxState states[] = {BoxState::Used, BoxState::LeftOut, BoxState::NoBackground,
                               BoxState::Saturated};
    all.pixels.boxes[b].state = states[b % 4];
    const ReflectionBox& box = all.pixels.boxes[b];
    if (b % 4 != 0)
      for (std::size_t i = box.first; i < box.first + box.box.size(); ++i)
        all.pixels.value[i] = std::numeric_limits<float>::quiet_NaN();
  }
  fewer.pixels = {};
  for (std::size_t b = 0; b < all.pixels.boxes.size(); b += 4) {
    ReflectionBox box = all.pixels.boxes[b];
    const std::size_t first = box.first;
    box.first = fewer.pixels.size();
    fewer.pixels.boxes.push_back(box);
    for (std::size_t i = first; i < first + box.box.size(); ++i) {
      fewer.pixels.value.push_back(all.pixels.value[i]);
      fewer.pixels.background.push_back(all.pixels.background[i]);
      fewer.pixels.used.push_back(all.pixels.used[i]);
    }
  }
  const auto params = smooth(Likelihood::Poisson, true);
  Problem a(std::move(all), ParameterRules(), params),
      b(std::move(fewer), ParameterRules(), params);
  const std::vector<double> x = beside(a.space);
  std::vector<double> of_a(x.size()), of_b(x.size());
  EXPECT_EQ(a.target.evaluate(x, of_a), b.target.evaluate(x, of_b));
  EXPECT_EQ(of_a, of_b);
  EXPECT_EQ(a.target.information(x), b.target.information(x));
  const ShotImage image = a.target.image(x);
  for (std::size_t i = 0; i < a.shot.pixels.boxes.size(); ++i) {
    const ReflectionBox& box = a.shot.pixels.boxes[i];
    if (i % 4 == 0) continue;
    EXPECT_EQ(image.box_scale[i], 0);
    EXPECT_EQ(image.bragg[box.first + 44], 0);
  }
}

TEST(ShotTarget, ImageShowsUnusedPixelsOfItsBoxesToo) {
  PixelShot shot = make_pixel_shot({.sigma = 0});
  for (std::size_t i = 0; i < shot.pixels.size(); i += 3) shot.pixels.used[i] = 0;
  Problem p(std::move(shot), ParameterRules(), {});
  const ShotImage image = p.target.image(p.space.start());
  std::size_t unused = 0;
  for (std::size_t i = 0; i < image.bragg.size(); ++i) {
    EXPECT_NEAR(image.bragg[i], p.shot.bragg[i], 1e-9 + 1e-9 * p.shot.bragg[i]);
    unused += p.shot.pixels.used[i] == 0 && image.bragg[i] > 0.1;
  }
  EXPECT_GT(unused, 0u);
}

TEST(ShotTarget, FactorsThatAreNotFiniteGiveAValueThatIsNot) {
  for (const bool free : {false, true}) {
    PixelShot shot = make_pixel_shot({.sigma = 0.3});
    const std::int32_t row = shot.table.row_of(shot.pixels.boxes[5].hkl);
    shot.table.f[std::size_t(row)] = std::numeric_limits<double>::quiet_NaN();
    Problem p(std::move(shot), ParameterRules(), smooth(Likelihood::Poisson, free));
    std::vector<double> gradient(p.space.size());
    EXPECT_FALSE(std::isfinite(p.target.evaluate(p.space.start(), gradient)));
    EXPECT_FALSE(std::isfinite(p.target.evaluate(p.space.start(), gradient)));
    EXPECT_EQ(p.target.information(p.space.start()).size(), p.space.size() * p.space.size());
  }
}

TEST(ShotTarget, NoBoxesAreNoLikelihood) {
  PixelShot shot = make_pixel_shot({});
  shot.pixels = {};
  Problem p(std::move(shot), ParameterRules(), {});
  std::vector<double> gradient(p.space.size(), 1);
  EXPECT_EQ(p.target.evaluate(p.space.start(), gradient), 0);
  for (const double g : gradient) EXPECT_EQ(g, 0);
  EXPECT_TRUE(p.target.image(p.space.start()).bragg.empty());
}

} // namespace
} // namespace kilobragg::pixelrefinement
