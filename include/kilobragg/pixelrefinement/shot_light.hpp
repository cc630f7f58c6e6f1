// Light of the shoeboxes of several shots from launches that they share.
#pragma once

#include "kilobragg/diffraction/reflections.hpp"
#include "kilobragg/diffraction/shoebox_model.hpp"
#include "kilobragg/models/detector.hpp"

#include <memory>
#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

/// What a shot asks of the forward model.
struct LightRequest {
  std::shared_ptr<const models::Detector> detector;
  diffraction::ShoeboxShot shot; ///< its beam fixes the polarisation, too
  diffraction::ReflectionSphere sphere;
};

/// Answers to requests, in their order.
struct ShotLight {
  std::vector<diffraction::ShoeboxImage> images; ///< of each launch
  std::vector<diffraction::ShoeboxView> of_request;
};

/// How many shots a launch should take: 1 on the host, which has nothing to gain from more.
std::size_t shots_that_fill_the_device();

/// Requests of as many parameters share launches, and each is answered as if it were alone, bit for bit.
/// Their spheres have the same layers. A request without boxes has no light.
ShotLight model_light(std::span<const LightRequest> requests,
                      const diffraction::ShoeboxOptions& options);

} // namespace kilobragg::pixelrefinement
