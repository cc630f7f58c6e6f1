// The spot-driven renderer: finds the peaks near the Ewald sphere and lights their pixels.
#include "kilobragg/diffraction/renderer.hpp"

#include "water.hpp"

#include "kernels/diffraction/pixel_factors.hpp"
#include "kernels/diffraction/spot_kernel.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::diffraction {
namespace {

/// A panel, and where its pixels start in an image.
struct PlacedPanel {
  PanelGrid grid;
  std::size_t offset = 0;
};

struct WeightedChannel {
  Channel channel;
  double weight = 0; ///< part of the shot's photons
};

PanelGrid make_grid(const models::Panel& panel) {
  PanelGrid grid;
  grid.origin = panel.frame.origin;
  grid.fast = panel.pixel_size[0] * panel.frame.fast;
  grid.slow = panel.pixel_size[1] * panel.frame.slow;
  grid.width = panel.image_size[0];
  grid.height = panel.image_size[1];
  return grid;
}

std::vector<WeightedChannel> make_channels(const models::Beam& beam) {
  const Vec3 k0 = -unit(beam.direction);
  const auto& spectrum = beam.spectrum;
  if (spectrum.empty()) return {{{k0 / beam.wavelength, beam.wavelength}, 1}};
  double sum = 0;
  for (double weight : spectrum.weights) sum += weight;
  core::require(sum > 0, "spectrum of a shot has no intensity (weights sum to {})", sum);
  std::vector<WeightedChannel> channels;
  for (std::size_t i = 0; i < spectrum.wavelengths.size(); ++i) {
    const double wavelength = spectrum.wavelengths[i];
    if (spectrum.weights[i] > 0)
      channels.push_back({{k0 / wavelength, wavelength}, spectrum.weights[i] / sum});
  }
  return channels;
}

/// Calls visit(index, position of the pixel centre, panel) for every pixel.
template <typename Visit>
void for_each_pixel(const std::vector<PlacedPanel>& panels, const Visit& visit) {
  for (const PlacedPanel& panel : panels) {
    const PanelGrid& grid = panel.grid;
    std::size_t index = panel.offset;
    for (int y = 0; y < grid.height; ++y)
      for (int x = 0; x < grid.width; ++x)
        visit(index++, grid.origin + (x + 0.5) * grid.fast + (y + 0.5) * grid.slow, panel);
  }
}

} // namespace

struct Renderer::State {
  RenderParams params;
  std::vector<PlacedPanel> panels;
  std::size_t pixels = 0;
  std::vector<float> factor; ///< polarisation, solid angle (sr), capture
  std::vector<float> water;  ///< background of mean 1

  void fill_tables(const models::Detector& detector, const models::Beam& beam);
  void light(const PeakShape& peak, const EwaldCut& cut, const Channel& channel, double photons,
             double chi2_max, std::span<float> image, RenderCounts& counts) const;
};

void Renderer::State::fill_tables(const models::Detector& detector, const models::Beam& beam) {
  const Vec3 k0 = -unit(beam.direction), n = unit(beam.polarization_normal), e = cross(n, k0);
  factor.resize(pixels);
  water.resize(pixels);
  double sum = 0;
  for_each_pixel(panels, [&](std::size_t index, const Vec3& at, const PlacedPanel& placed) {
    const auto& panel = detector.panels[static_cast<std::size_t>(&placed - panels.data())];
    const Vec3 k = unit(at), normal = unit(panel.normal());
    const double value = polarisation_factor(k, e, n, beam.polarization_fraction) *
                         solid_angle(at, normal, panel.pixel_size[0] * panel.pixel_size[1]) *
                         capture_fraction(k, normal, panel.mu, panel.thickness);
    const double stol = std::sqrt(std::max(0.0, (1 - dot(k, k0)) / 2)) / beam.wavelength;
    factor[index] = static_cast<float>(value);
    water[index] = static_cast<float>(value * water_f_squared(stol));
    sum += static_cast<double>(water[index]);
  });
  const auto scale = static_cast<float>(static_cast<double>(pixels) / sum);
  for (float& value : water) value *= scale;
}

void Renderer::State::light(const PeakShape& peak, const EwaldCut& cut, const Channel& channel,
                            double photons, double chi2_max, std::span<float> image,
                            RenderCounts& counts) const {
  for (const PlacedPanel& panel : panels) {
    const PixelBox box = spot_box(cut, chi2_max - cut.chi2, panel.grid);
    if (box.empty()) continue;
    ++counts.peaks;
    counts.pixels += static_cast<std::size_t>((box.x1 - box.x0) * (box.y1 - box.y0));
    for (int y = box.y0; y < box.y1; ++y) {
      const std::size_t row = panel.offset + static_cast<std::size_t>(y * panel.grid.width);
      for (int x = box.x0; x < box.x1; ++x) {
        const std::size_t index = row + static_cast<std::size_t>(x);
        const double mean =
            pixel_mean(peak, channel, panel.grid, x, y, params.oversample, chi2_max);
        image[index] += static_cast<float>(photons * mean) * factor[index];
      }
    }
  }
}

Renderer::Renderer(const models::Detector& detector, const models::Beam& beam,
                   const RenderParams& params) {
  core::require(params.oversample >= 1 && params.tail > 0 && params.tail < 1 && params.floor > 0,
                "senseless rendering parameters (oversample {}, tail {}, floor {})",
                params.oversample, params.tail, params.floor);
  auto state = std::make_unique<State>();
  state->params = params;
  for (const auto& panel : detector.panels) {
    state->panels.push_back({make_grid(panel), state->pixels});
    state->pixels += static_cast<std::size_t>(panel.image_size[0]) *
                     static_cast<std::size_t>(panel.image_size[1]);
  }
  core::require(state->pixels > 0, "detector has no pixels (nothing to render on)");
  state->fill_tables(detector, beam);
  state_ = std::move(state);
}

Renderer::~Renderer() = default;
Renderer::Renderer(Renderer&&) noexcept = default;

std::size_t Renderer::pixel_count() const { return state_->pixels; }

namespace {

/// Bounds that spare most reflections the full calculation: the peak can reach a sphere of one of
/// the channels only if the excitation error, lambda q^2 / 2 + k0 q to first order, passes zero
/// within `reach` standard deviations.
struct QuickTest {
  Vec3 k0;
  double shortest, longest; ///< wavelengths (angstrom)
  double variance;          ///< largest variance of the peak without mosaic spread (1/angstrom^2)
  double rotation;          ///< largest variance of misorientation (rad^2)
  double reach2;

  bool passes(const Vec3& q) const {
    const double q2 = norm2(q), along = dot(k0, q);
    const double tolerance2 = 1.1 * reach2 * (variance + rotation * q2);
    const double low = 0.5 * shortest * q2 + along, high = 0.5 * longest * q2 + along;
    if (q2 == 0) return false;
    return (low <= 0 || low * low < tolerance2) && (high >= 0 || high * high < tolerance2);
  }
};

double trace(const Mat3& m) { return m(0, 0) + m(1, 1) + m(2, 2); }

QuickTest make_quick_test(const std::vector<WeightedChannel>& channels, const LatticeShape& shape,
                          double tail) {
  QuickTest test{unit(channels.front().channel.s0),
                 channels.front().channel.wavelength,
                 channels.front().channel.wavelength,
                 trace(shape.covariance),
                 trace(shape.rotation),
                 -2 * std::log(tail)};
  for (const auto& entry : channels) {
    test.shortest = std::min(test.shortest, entry.channel.wavelength);
    test.longest = std::max(test.longest, entry.channel.wavelength);
  }
  return test;
}

} // namespace

RenderCounts Renderer::add_peaks(const Shot& shot, const ReflectionSphere& reflections,
                                 std::span<float> photons) const {
  core::require(photons.size() == state_->pixels, "image of {} pixels for a detector of {}",
                photons.size(), state_->pixels);
  RenderCounts counts;
  const auto channels = make_channels(shot.beam);
  const double brightest =
      static_cast<double>(*std::max_element(state_->factor.begin(), state_->factor.end()));
  for (const ShotLattice& lattice : shot.lattices) {
    const Mat3& a = lattice.crystal.a_matrix;
    const LatticeShape shape = make_lattice_shape(a, lattice.size, lattice.rotation);
    const QuickTest test = make_quick_test(channels, shape, state_->params.tail);
    const double per_f = electron_radius_squared * shot.fluence * lattice.scale;
    for (std::size_t i = 0; i < reflections.size(); ++i) {
      const Vec3 q = lattice.crystal.q(reflections.hkl[i]);
      if (!test.passes(q)) continue;
      const PeakShape peak = make_peak_shape(shape, q);
      for (const auto& [channel, weight] : channels) {
        const double height = per_f * weight * reflections.f_squared[i] * peak.height;
        const double tail =
            std::max(state_->params.tail, state_->params.floor / (height * brightest));
        const double chi2_max = -2 * std::log(tail);
        const EwaldCut cut = cut_by_ewald_sphere(peak, channel);
        if (tail < 1 && cut.chi2 < chi2_max)
          state_->light(peak, cut, channel, height, chi2_max, photons, counts);
      }
    }
  }
  return counts;
}

void Renderer::add_background(const Shot& shot, std::span<float> photons) const {
  core::require(photons.size() == state_->pixels, "image of {} pixels for a detector of {}",
                photons.size(), state_->pixels);
  const auto level = static_cast<float>(shot.background);
  for (std::size_t i = 0; i < photons.size(); ++i) photons[i] += level * state_->water[i];
}

} // namespace kilobragg::diffraction
