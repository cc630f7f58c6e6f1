// Integration by the forward model: refine a still's lattices against its pixels, then sum what they light.
#pragma once

#include "kilobragg/pipeline/process_still.hpp"

#include <string>
#include <vector>

namespace kilobragg::pipeline {

/// What the model made of a still, or why it could not.
struct ModelIntegration {
  std::vector<models::IntegratedLattice> lattices; ///< those of the still, refined and integrated
  std::string failure;                             ///< empty = done
};

/// Holds what all stills share. Any thread may call it; launches wait for each other.
class ModelIntegrator {
public:
  /// `params.factors` must be there.
  ModelIntegrator(const PixelModelParams& params,
                  const integration::IntegrationParams& integration);

  /// All lattices of the still are one shot, refined together. Leaves `still` as it is.
  ModelIntegration integrate(const models::StillResult& still, const models::Image& image) const;

private:
  pixelrefinement::ShotModel first_model(const models::StillResult& still) const;
  /// Scale, shoeboxes, stage 1. Empty, or the words of the failure.
  std::string refine(pixelrefinement::ShotModel& shot, const models::Image& image,
                     const PixelModelParams& params) const;
  std::vector<std::vector<models::IntegratedReflection>>
  predict(const pixelrefinement::ShotModel& shot, const PixelModelParams& params) const;
  void integrate_lattices(const models::StillResult& still, const models::Image& image,
                          ModelIntegration& result) const;

  PixelModelParams params_;
  integration::IntegrationParams integration_;
  pixelrefinement::FactorSphere sphere_;
  std::vector<double> mean_; ///< |F|^2 by row
};

} // namespace kilobragg::pipeline
