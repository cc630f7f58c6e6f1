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
  return ShotTarget(space, pixels, table, near, params.target).image(space.start());
}

} // namespace kilobragg::pixelrefinement
