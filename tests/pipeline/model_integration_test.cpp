// Integration by a pixel model, judged by the photons that each reflection gave to a rendered still.
#include "support/rendered_still.hpp"

#include "kernels/geometry/stills_prediction.hpp"

#include "kilobragg/pipeline/process_still.hpp"
#include "kilobragg/pixelrefinement/partiality.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <thread>

namespace kilobragg::pipeline {
namespace {

using models::ExitState;
using models::IntegratedReflection;
using testing::RenderedStill;

constexpr double d_min = 2.2;

const pixelrefinement::FactorTable& factors() {
  static const auto table = testing::drawn_factors(d_min);
  return table;
}

StillParams with_model() {
  StillParams params;
  params.indexing.unit_cell = testing::drawn_cell();
  params.indexing.space_group = models::SpaceGroup("P43212");
  params.integration.d_min = d_min;
  params.pixel_model.factors = std::make_shared<const pixelrefinement::FactorTable>(factors());
  return params;
}

StillParams without_model() {
  StillParams params = with_model();
  params.pixel_model.factors = nullptr;
  return params;
}

models::StillResult run(StillProcessor& processor, const RenderedStill& still,
                        const StepListener& listener = {}) {
  static const auto detector =
      std::make_shared<const models::Detector>(testing::rendered_detector());
  StillInput input;
  input.source.content_id = "c0ffee";
  input.beam = still.shot.beam;
  input.detector = detector;
  auto image = image_of(still);
  return processor.process(input, image, listener);
}

models::StillResult run(const StillParams& params, const RenderedStill& still,
                        const StepListener& listener = {}) {
  StillProcessor processor(params);
  return run(processor, still, listener);
}

/// The true crystal with the indices of the one that was found.
models::Crystal truth_as_indexed(const RenderedStill& still, const Mat3& found) {
  const models::Crystal& truth = still.shot.lattices[0].crystal;
  models::Crystal best = truth;
  for (const auto& r : truth.space_group.lattice_rotations(testing::drawn_cell())) {
    Mat3 change;
    for (int i = 0; i < 9; ++i) change.m[std::size_t(i)] = r[std::size_t(i)];
    models::Crystal turned = truth;
    turned.a_matrix = truth.a_matrix * change;
    const auto off = [&](const Mat3& a) {
      double sum = 0;
      for (int i = 0; i < 3; ++i) sum += norm2(a.col(i) - found.col(i));
      return sum;
    };
    if (off(turned.a_matrix) < off(best.a_matrix)) best = turned;
  }
  return best;
}

double error_deg(const models::StillResult& result, const RenderedStill& still) {
  const auto& truth = still.shot.lattices[0].crystal;
  return models::misorientation_deg(result.lattices.at(0).lattice.crystal.a_matrix, truth.a_matrix,
                                    truth.space_group.lattice_rotations(testing::drawn_cell()));
}

/// Photons of one reflection and where its light has its centre.
struct TrueSpot {
  double photons = 0;
  models::PanelPoint px;
};
TrueSpot spot_of(const diffraction::Shot& shot, const models::Miller& hkl, double f_squared) {
  TrueSpot spot;
  const StillsRay ray = stills_ray(shot.lattices[0].crystal.q(hkl), shot.beam.s0());
  const models::Detector whole = testing::rendered_detector();
  const auto hit = ray.valid ? whole.intersect(ray.s1) : std::nullopt;
  if (!hit) return spot;
  // A window of the panel is enough, and faster.
  constexpr int half = 32;
  const int x0 = int(hit->px.x) - half, y0 = int(hit->px.y) - half;
  models::Detector window = whole;
  models::Panel& panel = window.panels[0];
  panel.image_size = {2 * half, 2 * half};
  panel.frame.origin = whole.panels[0].pixel_to_lab({double(x0), double(y0)});
  const auto image = testing::render(shot, {{hkl}, {f_squared}, {}}, window);
  for (std::size_t i = 0; i < image.size(); ++i) {
    const auto photons = double(image[i]);
    spot.photons += photons;
    spot.px.x += photons * (x0 + double(i % (2 * half)) + 0.5);
    spot.px.y += photons * (y0 + double(i / (2 * half)) + 0.5);
  }
  spot.px = {spot.px.x / spot.photons, spot.px.y / spot.photons};
  return spot;
}

bool near_edge(const models::PanelPoint& px) {
  constexpr double margin = 12;
  return px.x < margin || px.y < margin || px.x > testing::rendered_size - margin ||
         px.y > testing::rendered_size - margin;
}

TEST(ModelIntegration, OrientationsComeNearerToTheTruth) {
  double with = 0, without = 0;
  for (const std::uint64_t seed : {11, 12, 13, 14}) {
    const RenderedStill still = testing::render_still(factors(), seed);
    const auto usual = run(without_model(), still), model = run(with_model(), still);
    ASSERT_EQ(usual.state, ExitState::IntegrateOk) << usual.message;
    ASSERT_EQ(model.state, ExitState::IntegrateOk) << model.message;
    EXPECT_EQ(model.message, "");
    std::printf("  seed %d: %.4f deg, with the model %.4f; %d and %d reflections; domain %.0f, "
                "half mosaicity %.4f\n",
                int(seed), error_deg(usual, still), error_deg(model, still), usual.count,
                model.count, model.lattices[0].lattice.crystal.mosaicity->domain_size_angstrom,
                model.lattices[0].lattice.crystal.mosaicity->half_mosaicity_deg);
    without += error_deg(usual, still);
    with += error_deg(model, still);
    EXPECT_LT(error_deg(model, still), 0.005);
    // Blocks of 20 cells of 60.5 angstrom; 0.03 degrees.
    const auto mosaicity = model.lattices[0].lattice.crystal.mosaicity.value();
    EXPECT_NEAR(mosaicity.domain_size_angstrom, 20 * 60.5, 0.15 * 20 * 60.5);
    EXPECT_NEAR(mosaicity.half_mosaicity_deg, 0.03, 0.01);
  }
  EXPECT_LT(with, 0.5 * without);
}

/// Which reflections: those that a renderer of its own lights above the threshold. How bright: the photons
/// that it gave.
TEST(ModelIntegration, IntegratesWhatIsLitAndMeasuresItsPhotons) {
  const RenderedStill still = testing::render_still(factors(), 11);
  const StillParams params = with_model();
  const auto result = run(params, still);
  ASSERT_EQ(result.state, ExitState::IntegrateOk) << result.message;
  ASSERT_EQ(result.message, "");
  const auto& found = result.lattices.at(0);
  std::map<models::Miller, const IntegratedReflection*> ours;
  for (const auto& r : found.reflections) ours[r.hkl] = &r;
  ASSERT_EQ(ours.size(), found.reflections.size());

  pixelrefinement::ShotModel truth;
  truth.beam = still.shot.beam;
  truth.lattices = still.shot.lattices;
  truth.lattices[0].crystal = truth_as_indexed(still, found.lattice.crystal.a_matrix);
  diffraction::Shot shot = still.shot;
  shot.lattices = truth.lattices;
  const auto near =
      pixelrefinement::reflections_near(truth, pixelrefinement::expand_to_sphere(factors()), 0);
  const auto mean = pixelrefinement::mean_intensities(factors());
  const double threshold = params.pixel_model.prediction.threshold;
  std::size_t above = 0, known = 0, weak = 0;
  double n = 0, a = 0, b = 0, aa = 0, ab = 0, bb = 0, z = 0, zz = 0, off = 0;
  for (std::size_t i = 0; i < near.size(); ++i) {
    const auto row = std::size_t(near.row[i]);
    const TrueSpot spot = spot_of(shot, near.hkl[i], mean[row]);
    const auto at = ours.find(near.hkl[i]);
    known += at != ours.end();
    if (!(spot.photons > 0) || near_edge(spot.px)) continue;
    SCOPED_TRACE(fmt::format("{} {} {}: {} photons expected", near.hkl[i].h, near.hkl[i].k,
                             near.hkl[i].l, spot.photons));
    above += spot.photons > threshold;
    if (spot.photons > 1.2 * threshold + 1) {
      EXPECT_NE(at, ours.end());
    }
    if (spot.photons < 0.8 * threshold - 1) {
      EXPECT_EQ(at, ours.end());
    }
    if (at == ours.end()) continue;
    const IntegratedReflection& r = *at->second;
    const double f = factors().f[row], photons = spot.photons * f * f / mean[row];
    weak += photons < threshold;
    ++n, a += photons, b += r.intensity;
    aa += photons * photons, ab += photons * r.intensity, bb += r.intensity * r.intensity;
    const double deviation = (r.intensity - photons) / std::sqrt(r.variance);
    z += deviation, zz += deviation * deviation;
    off = std::max(off, std::hypot(r.px_cal.x - spot.px.x, r.px_cal.y - spot.px.y));
    EXPECT_NEAR(r.partiality, pixelrefinement::partiality(truth, 0, r.hkl), 0.05);
    EXPECT_LT(std::abs(r.delta_psi), 0.06);
    EXPECT_NEAR(r.d, testing::drawn_cell().d(r.hkl), 0.01);
  }
  EXPECT_EQ(known, ours.size());
  const double cc = (ab - a * b / n) / std::sqrt((aa - a * a / n) * (bb - b * b / n));
  std::printf("  %zu above the threshold, %g measured, %zu of them weaker; CC %.5f, slope %.4f, z "
              "%.3f +- %.3f, off by %.3f px at most\n",
              above, n, weak, cc, ab / aa, z / n, std::sqrt(zz / n), off);
  EXPECT_GT(n, 100);
  EXPECT_GT(weak, 5U) << "weak ones are measured too";
  EXPECT_GT(cc, 0.998);
  EXPECT_NEAR(ab / aa, 1, 0.03);
  EXPECT_LT(std::abs(z / n), 0.3);
  EXPECT_LT(std::sqrt(zz / n), 1.3);
  EXPECT_LT(off, 0.2);
}

TEST(ModelIntegration, AStillThatCannotBeRefinedIsIntegratedAsUsual) {
  const RenderedStill still = testing::render_still(factors(), 11);
  const auto usual = run(without_model(), still);
  StillParams params = with_model();
  const auto expect_usual = [&](const std::string& words) {
    std::vector<std::string> heard;
    const auto result = run(params, still, [&](const std::string& step) { heard.push_back(step); });
    EXPECT_EQ(result.state, ExitState::IntegrateOk);
    EXPECT_EQ(result.message.rfind("integrated without the pixel model: " + words, 0), 0U)
        << result.message;
    EXPECT_EQ(heard.back(), "pixel_model_failed");
    ASSERT_EQ(result.count, usual.count);
    EXPECT_EQ(result.lattices[0].lattice.crystal.a_matrix,
              usual.lattices[0].lattice.crystal.a_matrix);
    for (std::size_t i = 0; i < usual.lattices[0].reflections.size(); ++i)
      EXPECT_EQ(result.lattices[0].reflections[i].intensity,
                usual.lattices[0].reflections[i].intensity);
  };
  params.pixel_model.stage1.min_boxes = 100000;
  expect_usual("no_pixels: ");
  params = with_model();
  params.pixel_model.stage1.max_sigma_z = 0.1;
  expect_usual("bad_fit: sigma-Z is ");
  params = with_model();
  params.pixel_model.prediction.threshold = 1e9;
  expect_usual("no_pixels: ");
}

TEST(ModelIntegration, StillsInThreadsDoNotChangeEachOther) {
  const RenderedStill a = testing::render_still(factors(), 11),
                      b = testing::render_still(factors(), 12);
  const auto alone = run(with_model(), a);
  models::StillResult first, second;
  std::thread other([&] { second = run(with_model(), b); });
  first = run(with_model(), a);
  other.join();
  EXPECT_EQ(second.message, "");
  ASSERT_EQ(first.count, alone.count);
  EXPECT_EQ(first.lattices[0].lattice.crystal.a_matrix, alone.lattices[0].lattice.crystal.a_matrix);
  for (std::size_t i = 0; i < alone.lattices[0].reflections.size(); ++i)
    EXPECT_EQ(first.lattices[0].reflections[i].intensity,
              alone.lattices[0].reflections[i].intensity);
}

} // namespace
} // namespace kilobragg::pipeline
