// Renders, counts and disturbs one image after another.
#include "simulate_image.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>

namespace kilobragg::programs {
namespace {

models::Beam mean_beam(const SimulateParams& params) {
  models::Beam beam;
  beam.wavelength = params.beam.wavelength;
  beam.polarization_fraction = params.beam.polarization_fraction;
  return beam;
}

diffraction::RenderParams render_params(const SimulateParams& params) {
  diffraction::RenderParams render;
  render.oversample = params.oversample;
  render.layers = params.layers;
  return render;
}

/// With amplitudes at several energies each channel takes those of its own.
diffraction::ReflectionSphere sphere_of(const SimulateParams& params,
                                        const structure_factors::SpectralAmplitudes& amplitudes) {
  const double d_min = params.amplitudes.d_min.value_or(0);
  return amplitudes.layers.size() > 1
             ? diffraction::expand_layers(amplitudes, d_min)
             : diffraction::expand_to_sphere(amplitudes, d_min,
                                             core::ev_angstrom / params.beam.wavelength);
}

} // namespace

ImageMaker::ImageMaker(const SimulateParams& params, const SimulatedScene& scene)
    : params_(params)
    , scene_(scene)
    , planes_(models::absorption_planes(scene.detector.detector))
    , renderer_(layer_planes(scene.detector.detector, params.layers), mean_beam(params),
                render_params(params))
    , background_(params, scene.media, planes_, mean_beam(params))
    , recorder_(params, scene.detector.detector)
    , challenger_(params, scene.detector, planes_, mean_beam(params), scene.bad)
    , reflections_(sphere_of(params, scene.amplitudes))
    , photons_(renderer_.pixel_count())
    , counts_(renderer_.pixel_count()) {}

std::span<const float> ImageMaker::expect(const DrawnShot& drawn, const DrawnArtefacts& artefacts) {
  const auto shot = to_render(drawn, params_);
  std::fill(photons_.begin(), photons_.end(), 0.0F);
  renderer_.add_peaks(shot, reflections_, photons_);
  renderer_.add_background(shot, photons_);
  background_.add(drawn, photons_);
  challenger_.add_photons(artefacts, drawn.beam.wavelength, photons_);
  return photons_;
}

std::span<const std::int32_t> ImageMaker::make(const DrawnShot& drawn,
                                               const DrawnArtefacts& artefacts) {
  recorder_.record(expect(drawn, artefacts), drawn.image, counts_);
  challenger_.change_counts(artefacts, drawn.image, counts_);
  recorder_.limit(counts_);
  const auto& mask = scene_.detector.mask;
  for (std::size_t i = 0; i < mask.size(); ++i)
    if (mask[i] == 0) counts_[i] = recorder_.absent();
  return counts_;
}

} // namespace kilobragg::programs
