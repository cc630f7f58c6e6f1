// From a still's lattices to a shot and back: stage 1, prediction, summation.
#include "model_integration.hpp"

#include "kernels/geometry/stills_prediction.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/pixelrefinement/partiality.hpp"
#include "kilobragg/refinement/refine_still.hpp"

#include <fmt/format.h>

#include <mutex>

namespace kilobragg::pipeline {
namespace {

using namespace pixelrefinement;
using models::IntegratedReflection;

/// Launches come from one thread at a time, and a thread that was given up may still be at work.
std::mutex& launches() {
  static std::mutex mutex;
  return mutex;
}

FactorSphere sphere_to(const FactorTable& table, std::optional<double> d_min) {
  const FactorSphere all = expand_to_sphere(table);
  if (!d_min) return all;
  FactorSphere sphere;
  for (std::size_t i = 0; i < all.hkl.size(); ++i) {
    if (double(all.inv_d2[i]) * *d_min * *d_min > 1) continue;
    sphere.hkl.push_back(all.hkl[i]);
    sphere.row.push_back(all.row[i]);
    sphere.inv_d2.push_back(all.inv_d2[i]);
  }
  return sphere;
}

std::string failure_of(const ShotModel& shot, const Stage1Result& result,
                       const Stage1Params& params) {
  switch (shot.state) {
  case ShotState::Refined:
  case ShotState::Limit:
    return {};
  case ShotState::NoPixels:
    return fmt::format("{}: {} shoeboxes can be used, {} are needed", word_of(shot.state),
                       result.boxes, params.min_boxes);
  case ShotState::BadFit:
    return fmt::format("{}: sigma-Z is {:.1f}, at most {} allowed", word_of(shot.state),
                       result.sigma_z, params.max_sigma_z);
  default:
    return word_of(shot.state);
  }
}

} // namespace

ModelIntegrator::ModelIntegrator(const PixelModelParams& params,
                                 const integration::IntegrationParams& integration)
    : params_(params)
    , integration_(integration)
    , sphere_(sphere_to(*params.factors, integration.d_min))
    , mean_(mean_intensities(*params.factors)) {}

ShotModel ModelIntegrator::first_model(const models::StillResult& still) const {
  ShotModel shot;
  shot.source = still.source;
  shot.detector = still.detector;
  shot.beam = still.beam;
  for (const models::IntegratedLattice& found : still.lattices) {
    shot.lattice_identifiers.push_back(found.identifier);
    shot.lattices.push_back(first_lattice(found.lattice.crystal, params_.first));
  }
  shot.identifier = shot.lattice_identifiers.front();
  return shot;
}

std::string ModelIntegrator::refine(ShotModel& shot, const models::Image& image,
                                    const PixelModelParams& params) const {
  const FactorTable& table = *params.factors;
  ShotPredictionParams first = params.prediction;
  first.margin = 2;
  if (!scale_to_image(shot, image, table, sphere_, mean_, first, params.shoeboxes, params.stage1))
    return fmt::format("{}: nothing rises above the background where spots are expected",
                       word_of(ShotState::NoPixels));
  const auto spots = predict_shot(shot, sphere_, mean_, first);
  ShotPixels pixels =
      cut_shoeboxes(image, *shot.detector, spots, shot.identifier, params.shoeboxes);
  const Stage1Result result = refine_shot(shot, pixels, table, sphere_, params.stage1);
  return failure_of(shot, result, params.stage1);
}

std::vector<std::vector<IntegratedReflection>>
ModelIntegrator::predict(const ShotModel& shot, const PixelModelParams& params) const {
  std::vector<std::vector<IntegratedReflection>> predicted(shot.lattices.size());
  const Vec3 s0 = shot.beam.s0();
  for (const PredictedSpot& spot : predict_shot(shot, sphere_, mean_, params.prediction)) {
    const auto lattice = static_cast<std::size_t>(spot.lattice);
    const models::Panel& panel = shot.detector->panels[static_cast<std::size_t>(spot.panel)];
    const Vec3 q = shot.lattices[lattice].crystal.q(spot.hkl);
    IntegratedReflection& r = predicted[lattice].emplace_back();
    r.hkl = spot.hkl;
    r.panel = spot.panel;
    r.flags = models::flag_predicted;
    r.px_cal = spot.px;
    r.mm_cal = panel.pixel_to_mm(spot.px);
    r.s1 = norm(s0) * unit(panel.pixel_to_lab(spot.px));
    r.delta_psi = stills_ray(q, s0).delta_psi;
    r.d = 1 / norm(q);
    r.partiality = partiality(shot, lattice, spot.hkl);
  }
  return predicted;
}

void ModelIntegrator::integrate_lattices(const models::StillResult& still,
                                         const models::Image& image,
                                         ModelIntegration& result) const {
  ShotModel shot = first_model(still);
  std::vector<std::vector<IntegratedReflection>> predicted;
  {
    const std::lock_guard lock(launches());
    PixelModelParams params = params_;
    params.prediction.oversample = params.stage1.target.oversample =
        params_.oversample.value_or(enough_points(shot));
    result.failure = refine(shot, image, params);
    if (!result.failure.empty()) return;
    predicted = predict(shot, params);
  }
  result.lattices = still.lattices;
  for (std::size_t i = 0; i < result.lattices.size(); ++i) {
    models::Lattice& lattice = result.lattices[i].lattice;
    lattice.crystal = shot.lattices[i].crystal;
    lattice.crystal.mosaicity = mosaicity_of(shot.lattices[i]);
    refinement::predict_indexed(lattice, still.spots, still.beam, *still.detector);
    result.lattices[i].reflections =
        integration::integrate_predicted(lattice, still.spots, image, still.beam, *still.detector,
                                         integration_, std::move(predicted[i]));
  }
}

ModelIntegration ModelIntegrator::integrate(const models::StillResult& still,
                                            const models::Image& image) const {
  ModelIntegration result;
  try {
    integrate_lattices(still, image, result);
  } catch (const core::Error& error) {
    result.failure = error.what();
  }
  if (!result.failure.empty()) result.lattices.clear();
  return result;
}

} // namespace kilobragg::pipeline
