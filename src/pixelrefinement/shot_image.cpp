// Images of refined shots: a target without free parameters.
#include "kilobragg/pixelrefinement/shot_image.hpp"

namespace kilobragg::pixelrefinement {
namespace {

ParameterRules all_fixed() {
  ParameterRules rules;
  for (ParameterRule* rule : {&rules.scale, &rules.rotation, &rules.cell, &rules.size,
                              &rules.size_off_diagonal, &rules.spread, &rules.distance,
                              &rules.wavelength_offset, &rules.wavelength_scale, &rules.b_factor})
    rule->fixed = true;
  return rules;
}

} // namespace

ShotImage model_image(const ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                      const FactorSphere& sphere, const Stage1Params& params) {
  const ParameterSpace space(shot, all_fixed());
  const ShotReflections near = reflections_near(shot, sphere, 0);
  ShotImage image = ShotTarget(space, pixels, table, near, params.target).image(space.start());
  ShotTargetParams left_out = params.target;
  left_out.boxes = BoxState::LeftOut;
  left_out.free_intensities = false;
  const ShotImage others = ShotTarget(space, pixels, table, near, left_out).image(space.start());
  for (std::size_t i = 0; i < image.bragg.size(); ++i) image.bragg[i] += others.bragg[i];
  return image;
}

} // namespace kilobragg::pixelrefinement
