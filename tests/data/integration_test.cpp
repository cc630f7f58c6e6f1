// From DIALS's crystals: mosaicity at least as likely, the same predictions, the same intensities.
#include "support/reference_lattices.hpp"
#include "support/test_data.hpp"

#include "kilobragg/integration/integrate_still.hpp"
#include "kilobragg/refinement/mosaicity.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

namespace kilobragg::integration {
namespace {

struct Measured {
  double intensity, variance;
};
using Intensities = std::map<models::Miller, Measured>;

/// DIALS's intensities by frame.
std::map<int, Intensities> read_intensities(const std::string& set) {
  const auto csv =
      testing::read_csv(testing::test_data() / "reference" / (set + ".integrated.csv"));
  std::map<int, Intensities> frames;
  for (std::size_t i = 0; i < csv.rows; ++i)
    frames[int(csv["frame"][i])][{int(csv["h"][i]), int(csv["k"][i]), int(csv["l"][i])}] = {
        csv["intensity"][i], csv["variance"][i]};
  return frames;
}

double median(std::vector<double> v) {
  if (v.empty()) return 0;
  std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(v.size() / 2), v.end());
  return v[v.size() / 2];
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = double(a.size());
  double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ma += a[i] / n, mb += b[i] / n;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
    ab += (a[i] - ma) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

/// The likelihood of our model must not be below that of DIALS's, which was widened by 1.4.
void expect_mosaicity_as_likely(const models::Lattice& lattice, int frame) {
  std::vector<double> d, psi;
  for (const auto& spot : lattice.spots) {
    d.push_back(1 / norm(lattice.crystal.q(spot.hkl)));
    psi.push_back(spot.delta_psi);
  }
  const auto fit = refinement::fit_mosaicity(lattice);
  const models::Mosaicity& dials = *lattice.crystal.mosaicity;
  const double ours = refinement::mosaicity_log_likelihood(d, psi, fit.maximum_likelihood);
  const double theirs = refinement::mosaicity_log_likelihood(
      d, psi, {dials.half_mosaicity_deg / 1.4, dials.domain_size_angstrom * 1.4});
  EXPECT_GE(ours, theirs - 1e-4) << "frame " << frame; // the reference is rounded
}

struct Totals {
  std::size_t reference = 0, ours = 0, common = 0;
  double worst_correlation = 1;
};

void expect_same_intensities(const std::vector<models::IntegratedReflection>& ours,
                             const Intensities& reference, Totals& totals) {
  std::vector<double> a, b, ratio, variance_ratio;
  std::size_t common = 0;
  for (const auto& r : ours) {
    const auto found = reference.find(r.hkl);
    if (found == reference.end()) continue;
    ++common;
    variance_ratio.push_back(r.variance / found->second.variance);
    if (found->second.intensity < 3 * std::sqrt(found->second.variance)) continue;
    a.push_back(r.intensity);
    b.push_back(found->second.intensity);
    ratio.push_back(r.intensity / found->second.intensity);
  }
  EXPECT_GE(double(common), 0.98 * double(reference.size()));
  EXPECT_GE(double(common), 0.98 * double(ours.size()));
  EXPECT_GE(correlation(a, b), 0.999);
  EXPECT_NEAR(median(ratio), 1, 0.01);
  EXPECT_NEAR(median(variance_ratio), 1, 0.01);
  totals.reference += reference.size();
  totals.ours += ours.size();
  totals.common += common;
  totals.worst_correlation = std::min(totals.worst_correlation, correlation(a, b));
}

class DialsCrystals : public ::testing::TestWithParam<const char*> {};

TEST_P(DialsCrystals, GiveDialsIntensities) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const std::string name = GetParam();
  testing::ReferenceLattices lattices(testing::test_data(), name);
  const auto reference = read_intensities(name);
  IntegrationParams params;
  params.prediction_widening = 1;
  params.centroid_definition_com = lattices.set().centroid_definition_com;
  Totals totals;
  for (const int frame : lattices.frames()) {
    SCOPED_TRACE("frame " + std::to_string(frame));
    auto still = lattices.still(frame);
    expect_mosaicity_as_likely(still.lattice, frame);
    const auto reflections = integrate_still(still.lattice, still.spots, still.image, still.beam,
                                             lattices.detector(), params);
    expect_same_intensities(reflections, reference.at(frame), totals);
  }
  std::printf("  %s: %zu reflections of DIALS, %zu of ours, %zu common, lowest CC %.6f\n",
              name.c_str(), totals.reference, totals.ours, totals.common, totals.worst_correlation);
}

INSTANTIATE_TEST_SUITE_P(Sets, DialsCrystals,
                         ::testing::Values("thermolysin_cspad", "rayonix_mfx", "thaumatin_i24",
                                           "lysozyme_nanobragg"),
                         [](const auto& test_case) { return std::string(test_case.param); });

} // namespace
} // namespace kilobragg::integration
