// The mosaicity fit: its likelihood, its optimum, hard cases; and the Ewald proximal volume.
#include "reference/integration_plain.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/refinement/mosaicity.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace kilobragg::refinement {
namespace {

using models::Mosaicity;

double spacing(const models::Lattice& lattice, std::size_t i) {
  return 1 / norm(lattice.crystal.q(lattice.spots[i].hkl));
}

/// `count` spots of a 60 A cubic cell; delta_psi uniform within the model's half width.
models::Lattice drawn_lattice(const Mosaicity& truth, int count, unsigned seed = 3) {
  models::Lattice lattice;
  lattice.crystal = models::Crystal::from_cell({60, 60, 60, 90, 90, 90}, Mat3::identity(),
                                               models::SpaceGroup("P1"));
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> index(-30, 30);
  std::uniform_real_distribution<double> uniform(-1, 1);
  while (static_cast<int>(lattice.spots.size()) < count) {
    models::IndexedSpot spot;
    spot.hkl = {index(random), index(random), index(random)};
    if (spot.hkl == models::Miller{}) continue;
    spot.flags = models::flag_indexed | models::flag_used_in_refinement;
    lattice.spots.push_back(spot);
    const double width = spacing(lattice, lattice.spots.size() - 1) / truth.domain_size_angstrom +
                         truth.half_mosaicity_deg * core::degree;
    lattice.spots.back().delta_psi = width * uniform(random);
  }
  return lattice;
}

struct Arrays {
  std::vector<double> d, psi;
};
Arrays arrays(const models::Lattice& lattice) {
  Arrays a;
  for (std::size_t i = 0; i < lattice.spots.size(); ++i) {
    a.d.push_back(spacing(lattice, i));
    a.psi.push_back(lattice.spots[i].delta_psi);
  }
  return a;
}

TEST(Mosaicity, LikelihoodEqualsThePlainFormula) {
  const auto a = arrays(drawn_lattice({0.05, 2000}, 50));
  for (const double half : {0.001, 0.03, 0.4})
    for (const double domain : {300.0, 2500.0, 90000.0}) {
      const double plain = testing::plain_log_likelihood(a.d, a.psi, {half, domain});
      if (!std::isfinite(plain)) continue; // the plain formula overflows far from the truth
      EXPECT_NEAR(mosaicity_log_likelihood(a.d, a.psi, {half, domain}), plain,
                  1e-9 * (1 + std::abs(plain)));
    }
}

/// No point of a fine grid may be more likely than the fit.
void expect_global_optimum(const models::Lattice& lattice) {
  const auto a = arrays(lattice);
  const auto fit = fit_mosaicity(lattice);
  const double best = mosaicity_log_likelihood(a.d, a.psi, fit.maximum_likelihood);
  for (double log_half = std::log(1e-4); log_half < std::log(5.0); log_half += 0.15)
    for (double log_domain = std::log(20.0); log_domain < std::log(9e5); log_domain += 0.15)
      ASSERT_LE(mosaicity_log_likelihood(a.d, a.psi, {std::exp(log_half), std::exp(log_domain)}),
                best + 1e-6)
          << std::exp(log_half) << " deg, " << std::exp(log_domain) << " A";
}

TEST(Mosaicity, NothingOnAGridIsMoreLikely) {
  expect_global_optimum(drawn_lattice({0.05, 2000}, 300));
  expect_global_optimum(drawn_lattice({0.2, 100000}, 60));
  expect_global_optimum(drawn_lattice({0.0005, 500}, 60));
  for (unsigned seed = 0; seed < 10; ++seed)
    expect_global_optimum(drawn_lattice({0.05, 1500}, 5, seed));
}

TEST(Mosaicity, RecoversWhatWasDrawn) {
  const Mosaicity truth{0.08, 1500};
  const auto fit = fit_mosaicity(drawn_lattice(truth, 3000));
  EXPECT_NEAR(fit.maximum_likelihood.half_mosaicity_deg, truth.half_mosaicity_deg, 0.01);
  EXPECT_NEAR(fit.maximum_likelihood.domain_size_angstrom, truth.domain_size_angstrom, 150);
  EXPECT_DOUBLE_EQ(fit.mosaicity.half_mosaicity_deg,
                   1.4 * fit.maximum_likelihood.half_mosaicity_deg);
  EXPECT_DOUBLE_EQ(fit.mosaicity.domain_size_angstrom,
                   fit.maximum_likelihood.domain_size_angstrom / 1.4);
}

TEST(Mosaicity, AcceptsSpotsWithinTheHalfWidth) {
  auto lattice = drawn_lattice({0.05, 2000}, 200);
  lattice.spots[7].delta_psi = 0.5;
  lattice.spots[7].flags = models::flag_indexed; // not used: judged all the same
  const auto fit = fit_mosaicity(lattice);
  ASSERT_EQ(fit.accepted.size(), lattice.spots.size());
  EXPECT_FALSE(fit.accepted[7]);
  for (std::size_t i = 0; i < lattice.spots.size(); ++i) {
    const double width = spacing(lattice, i) / fit.maximum_likelihood.domain_size_angstrom +
                         fit.maximum_likelihood.half_mosaicity_deg * core::degree;
    EXPECT_EQ(fit.accepted[i], std::abs(lattice.spots[i].delta_psi) < width);
  }
}

TEST(Mosaicity, StaysFiniteOnHardInput) {
  for (const double delta_psi : {0.0, 1e-12, 1.5}) {
    auto lattice = drawn_lattice({0.05, 2000}, 4);
    for (auto& spot : lattice.spots) spot.delta_psi = delta_psi;
    const auto fit = fit_mosaicity(lattice);
    EXPECT_GE(fit.maximum_likelihood.domain_size_angstrom, 9.99);
    EXPECT_LE(fit.maximum_likelihood.domain_size_angstrom, 1.001e6);
    EXPECT_GT(fit.maximum_likelihood.half_mosaicity_deg, 0);
    EXPECT_LT(fit.maximum_likelihood.half_mosaicity_deg, 30);
  }
}

TEST(Mosaicity, LeavesOutWhatIsNotANumber) {
  auto lattice = drawn_lattice({0.05, 2000}, 40);
  const auto expected = fit_mosaicity(lattice);
  auto bad = lattice.spots[0];
  bad.delta_psi = std::numeric_limits<double>::quiet_NaN();
  lattice.spots.push_back(bad);
  bad.hkl = {0, 0, 0};
  lattice.spots.push_back(bad);
  const auto fit = fit_mosaicity(lattice);
  EXPECT_EQ(fit.mosaicity.domain_size_angstrom, expected.mosaicity.domain_size_angstrom);
  EXPECT_FALSE(fit.accepted[40]);
}

TEST(Mosaicity, NeedsFourUsableSpots) {
  auto lattice = drawn_lattice({0.05, 2000}, 5);
  lattice.spots[0].flags = models::flag_indexed;
  EXPECT_NO_THROW(fit_mosaicity(lattice));
  lattice.spots[1].flags = models::flag_indexed;
  EXPECT_THROW(fit_mosaicity(lattice), core::Error);
}

TEST(EwaldProximalVolume, ShellAloneWithoutMosaicSpread) {
  const double wavelength = 1.3, radius = 1 / wavelength, domain = 1500;
  const double two_theta = 2 * std::asin(wavelength / 4), outer = radius + 1 / domain;
  const double shell = 2.0 / 3 * core::pi * (1 - std::cos(two_theta)) *
                       (outer * outer * outer - radius * radius * radius);
  EXPECT_NEAR(ewald_proximal_volume({0, domain}, wavelength), shell, 1e-15);
  EXPECT_GT(ewald_proximal_volume({0.1, domain}, wavelength), shell);
}

/// The number that cctbx's function gives for DIALS's fit of thermolysin_cspad, frame 0.
TEST(EwaldProximalVolume, OfARealStill) {
  EXPECT_NEAR(ewald_proximal_volume({0.129536 / 1.4, 3962.944 * 1.4}, 1.272607), 0.0005459877,
              1e-10);
}

} // namespace
} // namespace kilobragg::refinement
