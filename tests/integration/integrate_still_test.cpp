// Summation integration: closed forms, the plain version, edges, masks, and what is left out.
#include "reference/integration_plain.hpp"
#include "src/integration/significance_filter.hpp"
#include "support/small_still.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/integration/integrate_still.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace kilobragg::integration {
namespace {

using models::IntegratedReflection;
using testing::SmallStill;

const auto flat = [](int, int, int) { return 7; };

/// A reflection of the still that is far from edges.
IntegratedReflection inner_reflection(SmallStill& still) {
  for (const auto& r : still.integrate(still.image<std::int32_t>(flat)))
    if (r.box.x0 > 20 && r.box.y0 > 20 && r.box.x1 < 220 && r.box.y1 < 280) return r;
  throw std::runtime_error("no inner reflection");
}

const IntegratedReflection* find(const std::vector<IntegratedReflection>& all,
                                 const models::Miller& hkl) {
  for (const auto& r : all)
    if (r.hkl == hkl) return &r;
  return nullptr;
}

TEST(SigmaB, EqualsTheSecondMomentOfTheSpot) {
  const SmallStill still;
  const auto& panel = still.detector.panels[std::size_t(still.spots.spots[0].panel)];
  const Vec3 ray = unit(still.lattice.spots[0].s1_cal);
  double moment = 0, sum = 0;
  for (const auto& p : still.spots.pixels) {
    const double angle = std::acos(dot(unit(panel.pixel_to_lab({p.x + 0.5, p.y + 0.5})), ray));
    moment += p.value * angle * angle;
    sum += p.value;
  }
  EXPECT_NEAR(measure_sigma_b(still.lattice, still.spots, still.detector, still.beam, {}),
              std::sqrt(moment / (sum - 1)) / core::degree, 1e-7);
}

TEST(SigmaB, AboutTheCentroidOnRequestAndOnlyOfUsedSpots) {
  SmallStill still;
  const auto measure = [&](bool com) {
    IntegrationParams params;
    params.centroid_definition_com = com;
    return measure_sigma_b(still.lattice, still.spots, still.detector, still.beam, params);
  };
  const double plain = measure(false);
  still.spots.spots[0].s1 = still.lattice.spots[0].s1_cal + Vec3{0.001, 0, 0};
  EXPECT_GT(measure(true), plain);
  EXPECT_EQ(measure(false), plain);
  still.lattice.spots.push_back(still.lattice.spots[0]);
  still.lattice.spots[1].flags = models::flag_indexed | models::flag_centroid_outlier;
  still.lattice.spots[1].s1_cal += Vec3{0.01, 0, 0};
  EXPECT_EQ(measure(false), plain);
  still.spots.pixels.clear();
  still.spots.spots[0].pixel_count = 0;
  EXPECT_THROW(measure(false), core::Error);
}

TEST(IntegrateStill, KnownSpotOnFlatBackground) {
  SmallStill still;
  const auto target = inner_reflection(still);
  const int x = int(target.px_cal.x), y = int(target.px_cal.y);
  const auto all = still.integrate(still.image<std::int32_t>([&](int panel, int i, int j) {
    return 7 + (panel == target.panel && i == x && j == y ? 100 : 0);
  }));
  const auto* r = find(all, target.hkl);
  ASSERT_NE(r, nullptr);
  EXPECT_NEAR(r->intensity, 100, 1e-9);
  const double background = 7.0 * r->n_foreground;
  const double spread = 1 + double(r->n_foreground) / r->n_background_used;
  EXPECT_NEAR(r->background_sum, background, 1e-9);
  EXPECT_NEAR(r->background_variance, background * spread, 1e-9);
  EXPECT_NEAR(r->variance, 100 + background * spread, 1e-9);
  EXPECT_NEAR(r->px_obs.x, x + 0.5, 1e-9);
  EXPECT_NEAR(r->px_obs.y, y + 0.5, 1e-9);
  EXPECT_NEAR(r->px_variance.x, 1.0 / 12, 1e-9);
  EXPECT_NEAR(r->background_mean, 7, 1e-12);
  EXPECT_EQ(r->n_valid, r->box.width() * r->box.height());
  EXPECT_EQ(r->partiality, 1);
  EXPECT_TRUE(r->flags & models::flag_integrated_sum);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                             [](const auto& a, const auto& b) { return a.hkl < b.hkl; }));
}

TEST(IntegrateStill, RemovesPlanesExactly) {
  SmallStill still;
  const auto all = still.integrate(still.image<float>(
      [](int panel, int x, int y) { return 40 + 0.125 * x - 0.0625 * y + 3 * panel; }));
  ASSERT_GT(all.size(), 20u);
  for (const auto& r : all) {
    EXPECT_NEAR(r.intensity, 0, 1e-9 * r.background_sum);
    EXPECT_EQ(r.n_background_used, r.n_background);
    EXPECT_NEAR(r.background_mse, 0, 1e-9);
  }
}

void expect_equal(const IntegratedReflection& fast, const IntegratedReflection& plain) {
  const double scale = 1e-9 * (std::abs(plain.background_sum) + std::abs(plain.intensity));
  EXPECT_NEAR(fast.intensity, plain.intensity, scale);
  EXPECT_NEAR(fast.variance, plain.variance, scale);
  EXPECT_NEAR(fast.background_sum, plain.background_sum, scale);
  EXPECT_NEAR(fast.background_variance, plain.background_variance, scale);
  EXPECT_NEAR(fast.background_mean, plain.background_mean, 1e-9);
  EXPECT_NEAR(fast.background_dispersion, plain.background_dispersion, 1e-8);
  EXPECT_NEAR(fast.background_mse, plain.background_mse, 1e-8 * plain.background_mse);
  EXPECT_NEAR(fast.px_obs.x, plain.px_obs.x, 1e-8);
  EXPECT_NEAR(fast.px_obs.y, plain.px_obs.y, 1e-8);
  EXPECT_NEAR(fast.px_variance.x, plain.px_variance.x, 1e-8);
  EXPECT_NEAR(fast.px_variance.y, plain.px_variance.y, 1e-8);
  EXPECT_EQ(fast.box.x0, plain.box.x0);
  EXPECT_EQ(fast.box.y1, plain.box.y1);
  EXPECT_EQ(fast.n_foreground, plain.n_foreground);
  EXPECT_EQ(fast.n_background, plain.n_background);
  EXPECT_EQ(fast.n_background_used, plain.n_background_used);
}

/// Random counts with outliers, a mask with holes, a pedestal and a gain: reflection by reflection.
template <typename T>
void expect_plain_results(bool parallax, double gain) {
  SmallStill still(parallax);
  for (auto& panel : still.detector.panels) {
    panel.gain = gain;
    panel.pedestal = 2;
    panel.trusted_range = {0, 900};
  }
  std::mt19937_64 random(11);
  std::poisson_distribution<int> counts(30);
  auto image = still.image<T>([&](int, int, int) {
    return counts(random) + (random() % 97 == 0 ? 1000 : 0) * (random() % 2);
  });
  auto mask = std::make_shared<models::PixelMask>(still.layout->size);
  for (auto& m : *mask) m = random() % 211 != 0;
  image.mask = mask;
  const auto fast = still.integrate(image);
  auto plain = predict_still(still.lattice.crystal, still.beam, still.detector, std::nullopt, 1.15);
  std::erase_if(plain, [&](IntegratedReflection& r) {
    return !testing::plain_integration(r, image, still.detector.panels[std::size_t(r.panel)],
                                       still.beam.s0(), still.lattice.sigma_b_deg);
  });
  ASSERT_EQ(fast.size(), plain.size());
  ASSERT_GT(fast.size(), 20u);
  for (std::size_t i = 0; i < fast.size(); ++i) {
    ASSERT_EQ(fast[i].hkl, plain[i].hkl);
    expect_equal(fast[i], plain[i]);
  }
}

TEST(IntegrateStill, EqualsThePlainVersion) {
  expect_plain_results<std::int32_t>(false, 1);
  expect_plain_results<std::int32_t>(true, 1);
  expect_plain_results<std::uint16_t>(true, 2.5);
  expect_plain_results<float>(false, 0.5);
}

TEST(IntegrateStill, EdgesOfPanels) {
  SmallStill still;
  const auto predicted =
      predict_still(still.lattice.crystal, still.beam, still.detector, std::nullopt, 1.15);
  const auto all = still.integrate(still.image<std::int32_t>(flat));
  EXPECT_LT(all.size(), predicted.size()); // some foregrounds cross an edge
  int crossing = 0;
  for (const auto& r : all) {
    const bool crosses = r.box.x0 < 0 || r.box.y0 < 0 || r.box.x1 > 240 || r.box.y1 > 300;
    crossing += crosses;
    EXPECT_EQ((r.flags & models::flag_background_includes_bad_pixels) != 0, crosses);
    EXPECT_EQ(r.n_valid < r.box.width() * r.box.height(), crosses);
    EXPECT_NEAR(r.intensity, 0, 1e-9);
  }
  EXPECT_GT(crossing, 0);
}

TEST(IntegrateStill, UnusablePixels) {
  SmallStill still;
  const auto target = inner_reflection(still);
  const int x = int(target.px_cal.x), y = int(target.px_cal.y);
  const auto with = [&](int dx, float value) {
    auto image = still.image<float>(flat);
    std::get<std::vector<float>>(image.pixels)[still.at(target.panel, x + dx, y)] = value;
    return still.integrate(image);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float bad : {nan, 60001.f, -1001.f}) {
    EXPECT_EQ(find(with(0, bad), target.hkl), nullptr); // in the foreground
    const auto all = with(target.box.x1 - 1 - x, bad);  // in the background
    const auto* r = find(all, target.hkl);
    ASSERT_NE(r, nullptr);
    EXPECT_TRUE(r->flags & models::flag_background_includes_bad_pixels);
    EXPECT_EQ(r->n_background, target.n_background - 1);
    EXPECT_NEAR(r->intensity, 0, 1e-9);
  }
  EXPECT_NE(find(with(0, 60000.f), target.hkl), nullptr); // the trusted range is inclusive
  auto image = still.image<std::int32_t>(flat);
  auto mask = std::make_shared<models::PixelMask>(still.layout->size, std::uint8_t{1});
  (*mask)[still.at(target.panel, x, y)] = 0;
  image.mask = mask;
  EXPECT_EQ(find(still.integrate(image), target.hkl), nullptr);
}

TEST(IntegrateStill, NegativeBackgroundIsKeptAndFlagged) {
  SmallStill still;
  const auto all = still.integrate(still.image<std::int32_t>([](int, int, int) { return -3; }));
  ASSERT_GT(all.size(), 20u);
  for (const auto& r : all) {
    EXPECT_TRUE(r.flags & models::flag_dont_integrate);
    EXPECT_TRUE(r.flags & models::flag_failed_during_background_modelling);
    EXPECT_TRUE(r.flags & models::flag_integrated_sum);
    const double spread = 1 + double(r.n_foreground) / r.n_background_used;
    EXPECT_NEAR(r.variance, 3.0 * r.n_foreground * spread, 1e-8);
    EXPECT_LT(r.background_variance, 0);
    EXPECT_EQ(r.background_mse, 0);
  }
}

TEST(IntegrateStill, OutliersDoNotBendTheBackground) {
  SmallStill still;
  const auto target = inner_reflection(still);
  const auto all = still.integrate(still.image<std::int32_t>([&](int panel, int x, int y) {
    return 7 + (panel == target.panel && x == target.box.x0 && y == target.box.y0 ? 500 : 0);
  }));
  const auto* r = find(all, target.hkl);
  ASSERT_NE(r, nullptr);
  EXPECT_NEAR(r->intensity, 0, 1e-9);
  EXPECT_EQ(r->n_background, target.n_background);
  EXPECT_EQ(r->n_background_used, target.n_background - 1);
}

TEST(IntegrateStill, BoxesWithoutBackgroundAreLeftOut) {
  SmallStill still;
  IntegrationParams params;
  params.sigma_b_multiplier = 1; // the box is the foreground's
  params.n_sigma = 0.5;
  EXPECT_THROW(still.integrate(still.image<std::int32_t>(flat), params), core::Error);
  EXPECT_THROW(still.integrate(still.image<std::int32_t>([](int, int, int) { return 0; })),
               core::Error); // no background, no variance
}

TEST(IntegrateStill, ReferenceSpotsCarryTheFlagsOfTheirSpot) {
  SmallStill still;
  const auto all = still.integrate(still.image<std::int32_t>(flat));
  int marked = 0;
  for (const auto& r : all)
    if (r.flags & models::flag_reference_spot) {
      ++marked;
      EXPECT_EQ(r.hkl, still.lattice.spots[0].hkl);
      EXPECT_EQ(r.flags, 365u); // predicted, indexed, used, strong, reference, summed
    }
  EXPECT_EQ(marked, 1);
}

TEST(IntegrateStill, GainMultipliesVariances) {
  SmallStill still;
  const auto image = still.image<std::int32_t>(flat);
  const auto one = still.integrate(image);
  IntegrationParams params;
  params.detector_gain = 3;
  const auto three = still.integrate(image, params);
  ASSERT_EQ(one.size(), three.size());
  EXPECT_DOUBLE_EQ(three[5].variance, 3 * one[5].variance);
  EXPECT_DOUBLE_EQ(three[5].intensity, one[5].intensity);
}

TEST(IntegrateStill, SetMosaicityReplacesTheFit) {
  SmallStill still;
  const auto image = still.image<std::int32_t>(flat);
  const auto fitted = still.integrate(image);
  IntegrationParams params;
  params.set_domain_size_angstrom = 700;
  EXPECT_GT(still.integrate(image, params).size(), fitted.size());
  EXPECT_EQ(still.lattice.crystal.mosaicity->domain_size_angstrom, 700);
  EXPECT_EQ(still.lattice.crystal.mosaicity->half_mosaicity_deg, 0.1);
  still.lattice.crystal.mosaicity.reset();
  EXPECT_THROW(still.integrate(image, params), core::Error);
  params.set_half_mosaicity_deg = 0.2;
  EXPECT_NO_THROW(still.integrate(image, params));
}

TEST(IntegrateStill, RefusesLargeSpotsAndForeignImages) {
  SmallStill still;
  auto image = still.image<std::int32_t>(flat);
  IntegrationParams params;
  params.sigma_b_cutoff_deg = 1e-3;
  EXPECT_THROW(still.integrate(image, params), core::Error);
  EXPECT_GT(still.lattice.sigma_b_deg, 1e-3); // measured and kept for the record
  still.detector.panels[1].image_size = {240, 299};
  EXPECT_THROW(still.integrate(image), core::Error);
  still.detector.panels.pop_back();
  EXPECT_THROW(still.integrate(image), core::Error);
}

std::vector<IntegratedReflection> falling_significance() {
  std::vector<IntegratedReflection> all;
  for (int i = 0; i < 200; ++i) {
    IntegratedReflection r;
    r.d = 1 / std::cbrt(0.001 + 0.0001 * i); // even in 1/d^3
    r.variance = 1;
    r.intensity = i < 100 ? 5 : 0.5;
    all.push_back(r);
  }
  return all;
}

TEST(SignificanceFilter, CutsAtTheFirstWeakShell) {
  auto all = falling_significance();
  cut_insignificant(all, 20, 1);
  EXPECT_NEAR(double(all.size()), 100, 10);
  for (const auto& r : all) EXPECT_EQ(r.intensity, 5);
  auto strong = falling_significance();
  cut_insignificant(strong, 20, 0.1);
  EXPECT_EQ(strong.size(), 200u);
  auto weak = falling_significance();
  for (int i = 0; i < 15; ++i) weak[std::size_t(i)].intensity = -1; // the first shell has no signal
  cut_insignificant(weak, 20, 1);
  EXPECT_TRUE(weak.empty());
}

} // namespace
} // namespace kilobragg::integration
