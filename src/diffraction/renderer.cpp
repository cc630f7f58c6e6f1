// Chooses for each lattice between lighting its spots and evaluating every pixel.
#include "kilobragg/diffraction/renderer.hpp"

#include "lattice_renderers.hpp"

#include "kernels/diffraction/pixel_factors.hpp"

#include "kilobragg/core/error.hpp"

namespace kilobragg::diffraction {
namespace {

void check_spread(const ShotLattice& lattice) {
  core::require(lattice.rotation == Mat3{} || lattice.shape == CrystalShape::Gauss,
                "mosaic spread in closed form is that of Gaussian peaks (this lattice has another "
                "shape) give explicit blocks");
}

/// The lattices of some shots, by how they are lit.
struct SortedLattices {
  std::vector<LatticeOfShot> gauss, tophat, endless;
};

SortedLattices sort_lattices(std::span<const Shot> shots, double tail) {
  SortedLattices sorted;
  for (std::size_t s = 0; s < shots.size(); ++s)
    for (const ShotLattice& lattice : shots[s].lattices) {
      check_spread(lattice);
      const bool ends = lattice.rotation != Mat3{} || peaks_end(lattice, tail);
      auto& group = !ends                                   ? sorted.endless
                    : lattice.shape == CrystalShape::Tophat ? sorted.tophat
                                                            : sorted.gauss;
      group.push_back({static_cast<std::int32_t>(s), &lattice,
                       electron_radius_squared * shots[s].fluence * lattice.scale});
    }
  return sorted;
}

RenderCounts& operator+=(RenderCounts& a, const RenderCounts& b) {
  a.peaks += b.peaks;
  a.pixels += b.pixels;
  return a;
}

} // namespace

struct Renderer::State {
  RenderParams params;
  PixelTables tables;
  DeviceArray<float> factor;
  DeviceArray<float> image; ///< on a GPU, of the shots in hand
  SpotLight spots;

  State(const models::Detector& detector, const models::Beam& beam, const RenderParams& p)
      : params(p)
      , tables(make_pixel_tables(detector, beam, p))
      , factor(to_device(tables.factor))
      , spots(tables, factor, p) {
    tables.factor = {}; // the copy for kernels is enough
  }

  RenderCounts add(std::span<const Shot> shots, const DeviceReflections::State& reflections,
                   float* photons) {
    const SortedLattices lattices = sort_lattices(shots, params.tail);
    std::vector<ShotChannels> channels;
    for (const Shot& shot : shots) channels.push_back(make_channels(shot));
    RenderCounts counts;
    if (!lattices.gauss.empty())
      counts += spots.light(lattices.gauss, channels, reflections, false, photons);
    if (!lattices.tophat.empty())
      counts += spots.light(lattices.tophat, channels, reflections, true, photons);
    for (const LatticeOfShot& of : lattices.endless) {
      const auto shot = static_cast<std::size_t>(of.shot);
      counts += light_all_pixels(tables, factor, params, channels[shot], *of.lattice, of.per_f,
                                 reflections, photons + shot * tables.pixels);
    }
    return counts;
  }
};

Renderer::Renderer(const models::Detector& detector, const models::Beam& beam,
                   const RenderParams& params) {
  core::require(params.oversample >= 1 && params.layers >= 1 && params.tail > 0 &&
                    params.tail < 1 && params.floor > 0,
                "senseless rendering parameters (oversample {}, layers {}, tail {}, floor {})",
                params.oversample, params.layers, params.tail, params.floor);
  for (const models::Panel& panel : detector.panels)
    core::require(params.layers == 1 || (panel.mu > 0 && panel.thickness > 0),
                  "{} layers of a sensor that is not described (mu {}/mm, thickness {} mm of panel "
                  "'{}') one layer?",
                  params.layers, panel.mu, panel.thickness, panel.name);
  state_ = std::make_unique<State>(detector, beam, params);
}

Renderer::~Renderer() = default;
Renderer::Renderer(Renderer&&) noexcept = default;

std::size_t Renderer::pixel_count() const { return state_->tables.pixels; }

RenderCounts Renderer::add_peaks(std::span<const Shot> shots, const DeviceReflections& reflections,
                                 std::span<float> photons) {
  core::require(photons.size() == shots.size() * state_->tables.pixels,
                "images of {} pixels for {} shots on a detector of {}", photons.size(),
                shots.size(), state_->tables.pixels);
  if constexpr (on_host) {
    const RenderCounts counts = state_->add(shots, reflections.state(), photons.data());
    Kokkos::fence();
    return counts;
  }
  grow(state_->image, photons.size());
  const auto image = Kokkos::subview(state_->image, std::make_pair(std::size_t(0), photons.size()));
  Kokkos::deep_copy(image, HostArray<float>(photons.data(), photons.size()));
  const RenderCounts counts = state_->add(shots, reflections.state(), image.data());
  to_host(state_->image, photons);
  return counts;
}

RenderCounts Renderer::add_peaks(const Shot& shot, const DeviceReflections& reflections,
                                 std::span<float> photons) {
  return add_peaks(std::span<const Shot>(&shot, 1), reflections, photons);
}

void Renderer::add_background(const Shot& shot, std::span<float> photons) const {
  core::require(photons.size() == state_->tables.pixels, "image of {} pixels for a detector of {}",
                photons.size(), state_->tables.pixels);
  const auto level = static_cast<float>(shot.background);
  for (std::size_t i = 0; i < photons.size(); ++i) photons[i] += level * state_->tables.water[i];
}

} // namespace kilobragg::diffraction
