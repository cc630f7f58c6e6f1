// Chooses for each lattice between lighting its spots and evaluating every pixel.
#include "kilobragg/diffraction/renderer.hpp"

#include "beam_channels.hpp"
#include "lattice_renderers.hpp"
#include "pixel_tables.hpp"

#include "kernels/diffraction/pixel_factors.hpp"

#include "kilobragg/core/error.hpp"

namespace kilobragg::diffraction {

struct Renderer::State {
  RenderParams params;
  PixelTables tables;
};

Renderer::Renderer(const models::Detector& detector, const models::Beam& beam,
                   const RenderParams& params) {
  core::require(params.oversample >= 1 && params.layers >= 1 && params.tail > 0 &&
                    params.tail < 1 && params.floor > 0,
                "senseless rendering parameters (oversample {}, layers {}, tail {}, floor {})",
                params.oversample, params.layers, params.tail, params.floor);
  state_ = std::make_unique<const State>(State{params, make_pixel_tables(detector, beam, params)});
}

Renderer::~Renderer() = default;
Renderer::Renderer(Renderer&&) noexcept = default;

std::size_t Renderer::pixel_count() const { return state_->tables.pixels; }

RenderCounts Renderer::add_peaks(const Shot& shot, const ReflectionSphere& reflections,
                                 std::span<float> photons) const {
  core::require(photons.size() == state_->tables.pixels, "image of {} pixels for a detector of {}",
                photons.size(), state_->tables.pixels);
  const std::vector<WeightedChannel> channels = make_channels(shot);
  RenderCounts counts;
  for (const ShotLattice& lattice : shot.lattices) {
    const bool spread = lattice.rotation != Mat3{};
    core::require(
        !spread || lattice.shape == CrystalShape::Gauss,
        "mosaic spread in closed form is that of Gaussian peaks (this lattice has another "
        "shape) give explicit blocks");
    const double per_f = electron_radius_squared * shot.fluence * lattice.scale;
    const auto light =
        spread || peaks_end(lattice, state_->params.tail) ? light_spots : light_all_pixels;
    const RenderCounts added =
        light(state_->tables, state_->params, channels, lattice, per_f, reflections, photons);
    counts.peaks += added.peaks;
    counts.pixels += added.pixels;
  }
  return counts;
}

void Renderer::add_background(const Shot& shot, std::span<float> photons) const {
  core::require(photons.size() == state_->tables.pixels, "image of {} pixels for a detector of {}",
                photons.size(), state_->tables.pixels);
  const auto level = static_cast<float>(shot.background);
  for (std::size_t i = 0; i < photons.size(); ++i) photons[i] += level * state_->tables.water[i];
}

} // namespace kilobragg::diffraction
